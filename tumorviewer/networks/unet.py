"""U-Net: Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", MICCAI 2015, arXiv:1505.04597, figure 1; and Attention U-Net: Oktay et al.,
"Attention U-Net: Learning Where to Look for the Pancreas", MIDL 2018, arXiv:1804.03999.

``padding=0`` is the paper's: valid convolutions, so that 572 pixels in are 388 pixels out and the
contracting path is cropped before it is joined. ``padding=1``, the default, keeps the side, as
nearly every later use does; the layers and their parameters are the same.

Shapes: N images, S side, C channels, H W feature map.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tumorviewer.networks.segmenter import Segmented, Segmenter, register_segmenter

LEVELS = 5
"""Resolutions: 64, 128, 256, 512 and 1024 channels in the paper."""


def double_convolution(inputs: int, outputs: int, padding: int, normalised: bool) -> nn.Sequential:
    """Two 3×3 convolutions, each with ReLU; batch normalisation between, where asked for."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers.append(nn.Conv2d(channels, outputs, 3, padding=padding))
        if normalised:
            layers.append(nn.BatchNorm2d(outputs))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def cropped(x_NCHW: Tensor, size: torch.Size) -> Tensor:
    """The middle of a feature map."""
    top, left = (x_NCHW.shape[-2] - size[-2]) // 2, (x_NCHW.shape[-1] - size[-1]) // 2
    return x_NCHW[..., top : top + size[-2], left : left + size[-1]]


class UNet(Segmenter):
    """The 23 convolutions of the paper's figure 1."""

    multiple = 2 ** (LEVELS - 1)

    def __init__(self, width: int, padding: int) -> None:
        super().__init__()
        channels = [width * 2**level for level in range(LEVELS)]
        self.contracting = nn.ModuleList(
            double_convolution(1 if not level else channels[level - 1], each, padding, False)
            for level, each in enumerate(channels)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(2 * each, each, 2, 2) for each in reversed(channels[:-1])
        )
        self.expanding = nn.ModuleList(
            double_convolution(2 * each, each, padding, False) for each in reversed(channels[:-1])
        )
        self.dropout = nn.Dropout(0.5)
        self.outline = nn.Conv2d(width, 1, 1)

    def forward(self, x_N1SS: Tensor) -> Segmented:
        """Tumour logits; with ``padding=0`` of the middle only (388 of 572 pixels)."""
        x, skipped = x_N1SS, []
        for level, convolutions in enumerate(self.contracting):
            x = convolutions(functional.max_pool2d(x, 2) if level else x)
            skipped.append(x)
        x = self.dropout(x)
        for up, convolutions, skip in zip(self.up, self.expanding, skipped[-2::-1], strict=True):
            x = up(x)
            x = convolutions(torch.cat((cropped(skip, x.shape), x), 1))
        return Segmented(self.outline(x))


class AttentionGate(nn.Module):
    """Additive attention on a skip connection (Oktay et al., equations 1 and 2, figure 2).

    The skipped features, taken to the grid of the coarser gating signal by a strided 1×1
    convolution, and the signal are added; ReLU, 1×1 convolution and sigmoid make coefficients that
    are brought back to the grid of the features by linear interpolation and scale them.
    """

    def __init__(self, skipped: int, gating: int, between: int) -> None:
        super().__init__()
        self.of_skipped = nn.Conv2d(skipped, between, 2, 2, bias=False)
        self.of_gating = nn.Conv2d(gating, between, 1)
        self.coefficient = nn.Conv2d(between, 1, 1)
        self.out = nn.Sequential(nn.Conv2d(skipped, skipped, 1), nn.BatchNorm2d(skipped))

    def forward(self, skipped_NCHW: Tensor, gating_NCHW: Tensor) -> Tensor:
        """The skipped features, scaled place by place."""
        joined = functional.relu(self.of_skipped(skipped_NCHW) + self.of_gating(gating_NCHW))
        coefficients = functional.interpolate(
            self.coefficient(joined).sigmoid(), skipped_NCHW.shape[-2:], mode="bilinear"
        )
        gated: Tensor = self.out(skipped_NCHW * coefficients)
        return gated


class AttentionUNet(Segmenter):
    """A U-Net with batch normalisation whose skip connections pass attention gates."""

    multiple = 2 ** (LEVELS - 1)

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = [width * 2**level for level in range(LEVELS)]
        self.contracting = nn.ModuleList(
            double_convolution(1 if not level else channels[level - 1], each, 1, True)
            for level, each in enumerate(channels)
        )
        coarse_to_fine = channels[-2::-1]
        self.gates = nn.ModuleList(AttentionGate(each, 2 * each, each) for each in coarse_to_fine)
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * each, each, 2, 2) for each in coarse_to_fine)
        self.expanding = nn.ModuleList(
            double_convolution(2 * each, each, 1, True) for each in coarse_to_fine
        )
        self.outline = nn.Conv2d(width, 1, 1)

    def forward(self, x_N1SS: Tensor) -> Segmented:
        """Tumour logits."""
        x, skipped = x_N1SS, []
        for level, convolutions in enumerate(self.contracting):
            x = convolutions(functional.max_pool2d(x, 2) if level else x)
            skipped.append(x)
        for gate, up, convolutions, skip in zip(
            self.gates, self.up, self.expanding, skipped[-2::-1], strict=True
        ):
            gated = gate(skip, x)
            x = convolutions(torch.cat((gated, up(x)), 1))
        return Segmented(self.outline(x))


@register_segmenter("unet")
def unet(classes: int, width: int = 64, padding: int = 1) -> Segmenter:  # noqa: ARG001
    """Build the U-Net; ``width`` 64 and ``padding`` 0 are the paper's."""
    return UNet(width, padding)


@register_segmenter("attention_unet")
def attention_unet(classes: int, width: int = 64) -> Segmenter:  # noqa: ARG001
    """Build the Attention U-Net."""
    return AttentionUNet(width)
