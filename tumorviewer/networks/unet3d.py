"""3D U-Net: Çiçek et al., "3D U-Net: Learning Dense Volumetric Segmentation from Sparse
Annotation", MICCAI 2016, arXiv:1606.06650, figure 2.

Four resolutions; two 3×3×3 convolutions each with batch normalisation before ReLU, the second of
the contracting path doubling the channels before max pooling to avoid bottlenecks; 2×2×2
up-convolutions that keep their channels. At the paper's width its convolutions have the 19,069,955
parameters that the paper states for three channels in and three classes out (those of the batch
normalisations are not among them). Volumes keep their side here (``padding`` 1); the paper's
132×132×116 voxels in are 44×44×28 out.

Shapes: N volumes, C channels, D H W slices, rows, columns.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tumorviewer.networks.segmenter import Segmented, Segmenter, register_segmenter

LEVELS = 4


def double_convolution3d(inputs: int, between: int, outputs: int, padding: int) -> nn.Sequential:
    """Two 3×3×3 convolutions, each with batch normalisation and ReLU."""
    layers: list[nn.Module] = []
    for before, after in ((inputs, between), (between, outputs)):
        layers += [
            nn.Conv3d(before, after, 3, padding=padding),
            nn.BatchNorm3d(after),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class UNet3D(Segmenter):
    """The paper's figure 2."""

    dimensions = 3
    multiple = 2 ** (LEVELS - 1)

    def __init__(self, inputs: int, outputs: int, width: int, padding: int) -> None:
        super().__init__()
        ends = [2 * width * 2**level for level in range(LEVELS)]
        self.contracting = nn.ModuleList(
            double_convolution3d(inputs if not level else ends[level - 1], end // 2, end, padding)
            for level, end in enumerate(ends)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose3d(end, end, 2, 2, bias=False) for end in ends[:0:-1]
        )
        self.expanding = nn.ModuleList(
            double_convolution3d(3 * end, end, end, padding) for end in ends[-2::-1]
        )
        self.outline = nn.Conv3d(ends[0], outputs, 1)

    def forward(self, x_NCDHW: Tensor) -> Segmented:
        """Logits ``(N, outputs, D, H, W)``."""
        x, skipped = x_NCDHW, []
        for level, convolutions in enumerate(self.contracting):
            x = convolutions(functional.max_pool3d(x, 2) if level else x)
            skipped.append(x)
        for up, convolutions, skip in zip(self.up, self.expanding, skipped[-2::-1], strict=True):
            x = up(x)
            x = convolutions(torch.cat((_cropped(skip, x.shape), x), 1))
        return Segmented(self.outline(x))


def _cropped(x_NCDHW: Tensor, size: torch.Size) -> Tensor:
    """The middle of a feature map."""
    starts = [(have - want) // 2 for have, want in zip(x_NCDHW.shape[-3:], size[-3:], strict=True)]
    d, h, w = (slice(start, start + want) for start, want in zip(starts, size[-3:], strict=True))
    return x_NCDHW[..., d, h, w]


@register_segmenter("unet3d")
def unet3d(classes: int, width: int = 32, padding: int = 1) -> Segmenter:  # noqa: ARG001
    """Build the 3D U-Net for one channel and one kind of tissue; ``width`` 32 is the paper's."""
    return UNet3D(1, 1, width, padding)
