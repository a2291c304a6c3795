"""A light U-Net that outlines the tumour and the brain, and says what the outlined tissue is.

A U-Net (Ronneberger et al., MICCAI 2015) whose contracting path is MobileNetV2 (Sandler et al.,
CVPR 2018) as far as a 32nd of the input side, and whose expanding path is made of separable
convolutions. It is named from the features under the outline, those around it, and the whole image.

Shapes: N images, S side, C channels, H W feature map, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tumorviewer.networks.light import SqueezeExcitation, separable_convolution
from tumorviewer.networks.registry import match_tensors
from tumorviewer.networks.segmenter import Segmented, Segmenter, register_segmenter

_STAGES = (2, 4, 7, 14, 17)
"""So many of MobileNetV2's blocks end at a 2nd, 4th, 8th, 16th and 32nd of the input side,"""
_CHANNELS = (16, 24, 32, 96, 160)
"""with so many channels."""
_BACKGROUND = 0.05
"""Grey level that the background does not exceed."""
_FLAT = 0.02
"""Added to the deviation, so that the noise of an empty image stays small."""
_LEAST = 1e-3
"""Added to the weights of the pixels of an outline: none gives the plain mean."""


class Expand(nn.Module):
    """Twice the side, joined with the contracting path's features, two separable convolutions."""

    def __init__(self, inputs: int, skipped: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            separable_convolution(inputs + skipped, outputs),
            separable_convolution(outputs, outputs),
        )

    def forward(self, x_NCHW: Tensor, skipped_NCHW: Tensor) -> Tensor:
        """Features of the side of ``skipped_NCHW``."""
        wide = functional.interpolate(x_NCHW, skipped_NCHW.shape[-2:], mode="bilinear")
        joined: Tensor = self.body(torch.cat((wide, skipped_NCHW), 1))
        return joined


class Standardise(nn.Module):
    """Grey 0–1 to mean 0 and deviation 1 over what is brighter than the background, so that the
    window an image was saved with makes no difference."""

    def forward(self, x_N1SS: Tensor) -> Tensor:
        """``(N, 1, S, S)`` to ``(N, 3, S, S)``, as published weights take colours."""
        shown = (x_N1SS > _BACKGROUND).float()
        count = shown.sum((2, 3), keepdim=True).clamp_min(1)
        mean = (x_N1SS * shown).sum((2, 3), keepdim=True) / count
        variance = ((x_N1SS - mean).square() * shown).sum((2, 3), keepdim=True) / count
        standard = (x_N1SS - mean) / (variance.sqrt() + _FLAT)
        return (standard / 2).clamp(-2, 2).expand(-1, 3, -1, -1)


class LightUNet(Segmenter):
    """MobileNetV2 to a 32nd of the side, an expanding path to half the side, and a head that names
    from the features at a 16th."""

    multiple = 32
    names = True
    pretrained = "stages."

    def __init__(self, classes: int, width: int, dropout: float) -> None:
        super().__init__()
        from torchvision.models import mobilenet_v2  # takes seconds: for whoever builds one

        whole = mobilenet_v2(weights=None)
        ends = (0, *_STAGES)
        self.standardise = Standardise()
        self.stages = nn.ModuleList(
            whole.features[first:last] for first, last in zip(ends, _STAGES, strict=False)
        )
        self.context = nn.Sequential(
            separable_convolution(_CHANNELS[4], width),
            SqueezeExcitation(width),
            separable_convolution(width, width),
        )
        self.deepest = Expand(width, _CHANNELS[3], width)
        sides = (width, 96, 64, 32)
        self.expanding = nn.ModuleList(
            Expand(sides[step], _CHANNELS[2 - step], sides[step + 1]) for step in range(3)
        )
        self.outline = nn.Conv2d(sides[3], 2, 1)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(3 * width, classes))
        self.published = match_tensors(whole, self)

    def features(self, x_N1SS: Tensor) -> list[Tensor]:
        """Feature maps at a 2nd, 4th, 8th and 16th of the side; the last with its context."""
        x, maps = self.standardise(x_N1SS), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        context = self.context(maps.pop())
        maps[-1] = self.deepest(context, maps[-1])
        return maps

    def outlines(self, maps: list[Tensor], side: int) -> Tensor:
        """Logits ``(N, 2, S, S)`` of tumour and of brain."""
        x = maps[-1]
        for step, expand in enumerate(self.expanding):
            x = expand(x, maps[-2 - step])
        return functional.interpolate(self.outline(x), (side, side), mode="bilinear")

    def classify(self, map_NCHW: Tensor, outline_N1SS: Tensor) -> Tensor:
        """Logits ``(N, K)`` of what lies under an outline in 0–1, from the deepest feature map."""
        rows, columns = map_NCHW.shape[-2:]
        inside = functional.adaptive_avg_pool2d(outline_N1SS, (rows, columns)) + _LEAST
        around = functional.max_pool2d(inside, 5, 1, 2) - inside + _LEAST
        pooled = [_mean(map_NCHW, inside), _mean(map_NCHW, around), map_NCHW.mean((2, 3))]
        logits: Tensor = self.head(torch.cat(pooled, 1))
        return logits

    def forward(self, x_N1SS: Tensor) -> Segmented:
        """Named from what it outlines itself."""
        maps = self.features(x_N1SS)
        both = self.outlines(maps, x_N1SS.shape[-1])
        tumour, brain = both[:, :1], both[:, 1:]
        classes = self.classify(maps[-1], tumour.detach().float().sigmoid())
        return Segmented(tumour, brain, classes)


def _mean(map_NCHW: Tensor, weights_N1HW: Tensor) -> Tensor:
    return (map_NCHW * weights_N1HW).sum((2, 3)) / weights_N1HW.sum((2, 3))


@register_segmenter("light_unet")
def light_unet(classes: int, width: int = 192, dropout: float = 0.3) -> Segmenter:
    """Build the light U-Net on MobileNetV2's first blocks."""
    return LightUNet(classes, width, dropout)
