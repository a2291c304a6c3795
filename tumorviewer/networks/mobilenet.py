"""Networks that begin with MobileNetV2 (Sandler et al., CVPR 2018) from torchvision.

Weights of TensorFlow's origin take RGB as ``v / 127.5 − 1``; torchvision's own take ImageNet's mean
and deviation (option ``imagenet``). Grey goes into all three channels.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from tumorviewer.networks.light import SqueezeExcitation, pooling_head, separable_convolution
from tumorviewer.networks.registry import (
    HALF,
    IMAGENET,
    Classifier,
    Normalise,
    match_tensors,
    register_architecture,
)

_STRIDE_16 = 14
"""So many of MobileNetV2's blocks end at a 16th of the input side, with 96 channels."""


class MobileNetV2(Classifier):
    """All of torchvision's convolutions; the map is a 32nd of the input side."""

    input_size = 224
    pretrained = "trunk.1."
    upper = ("trunk.1.17.", "trunk.1.18.", "head.")
    torchvision = "mobilenet_v2"

    def __init__(self, classes: int, dropout: float, imagenet: bool) -> None:
        super().__init__()
        whole = _published_layout()
        self.trunk = nn.Sequential(Normalise(*(IMAGENET if imagenet else HALF)), whole.features)
        self.head = pooling_head(1280, classes, dropout)
        self.published = match_tensors(whole, self)
        self.normalises_as_torchvision = imagenet


class LightTransfer(Classifier):
    """The light CNN on a pretrained start: MobileNetV2 as far as a 16th of the input side, then
    separable convolutions with squeeze-and-excitation.

    Leaving out MobileNetV2's last stage drops three quarters of its parameters and leaves a
    saliency map of twice its resolution.
    """

    input_size = 192
    pretrained = "trunk.1."
    upper = ("trunk.2.", "trunk.3.", "trunk.4.", "head.")
    torchvision = "mobilenet_v2"

    def __init__(self, classes: int, width: int, dropout: float, imagenet: bool = False) -> None:
        super().__init__()
        whole = _published_layout()
        self.trunk = nn.Sequential(
            Normalise(*(IMAGENET if imagenet else HALF)),
            whole.features[:_STRIDE_16],
            separable_convolution(96, width),
            SqueezeExcitation(width),
            separable_convolution(width, width),
        )
        self.head = pooling_head(width, classes, dropout)
        self.published = match_tensors(whole, self)
        self.normalises_as_torchvision = imagenet


def _published_layout() -> Any:
    from torchvision.models import mobilenet_v2  # takes seconds: for whoever builds one

    return mobilenet_v2(weights=None)


@register_architecture("mobilenet_v2")
def mobilenet_v2(classes: int, dropout: float = 0.2, imagenet: bool = False) -> Classifier:
    """Build MobileNetV2."""
    return MobileNetV2(classes, dropout, imagenet)


@register_architecture("light_transfer")
def light_transfer(
    classes: int, width: int = 320, dropout: float = 0.3, imagenet: bool = False
) -> Classifier:
    """Build the light CNN on MobileNetV2's first blocks."""
    return LightTransfer(classes, width, dropout, imagenet)
