"""MobileNetV2 (Sandler et al., CVPR 2018) from torchvision, on grey pictures."""

from __future__ import annotations

from torch import nn
from torchvision.models import mobilenet_v2 as torchvision_mobilenet_v2

from tumorviewer.networks.light import Pooled
from tumorviewer.networks.registry import Classifier, Normalise, register


class MobileNetV2(Classifier):
    """All of torchvision's convolutions, our head; ``stride`` 32 or 16 sets the map's resolution.

    A stride of 16 turns the last stride into a dilation, which keeps pretrained weights valid and
    doubles the resolution of the saliency map.
    """

    input_size = 224

    def __init__(self, classes: int, dropout: float, stride: int) -> None:
        super().__init__()
        features = torchvision_mobilenet_v2(weights=None).features
        if stride == 16:
            _dilate(features, first=14)
        self.trunk = nn.Sequential(Normalise([0.5] * 3, [0.5] * 3), features)
        self.head = Pooled(1280, classes, dropout)


def _dilate(features: nn.Sequential, first: int) -> None:
    for index, block in enumerate(list(features)[first:], first):
        for layer in block.modules():
            if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
                layer.stride = (1, 1)
                if index > first:
                    layer.dilation = layer.padding = (2, 2)


@register("mobilenet_v2")
def mobilenet_v2(classes: int, dropout: float = 0.2, stride: int = 32) -> Classifier:
    """Build MobileNetV2; its pretrained start takes RGB as ``v / 127.5 − 1``."""
    return MobileNetV2(classes, dropout, stride)
