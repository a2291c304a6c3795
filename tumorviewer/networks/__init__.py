"""The architectures, one family a file, one registry.

Every network takes ``(N, 1, S, S)`` float32 in 0–1 (the grey picture as it is on the screen),
normalises it itself, and answers ``(N, classes)`` logits. One that takes neighbouring slices wants
them as channels, ``(N, 2k + 1, S, S)``.
"""

from tumorviewer.networks import (
    backbones,
    brain_cnn,
    ensemble,
    faster_rcnn,
    guided,
    integrated,
    light,
    light_unet,
    mobilenet,
    unet,
    unet3d,
)
from tumorviewer.networks.registry import Classifier, create_network, list_architectures
from tumorviewer.networks.segmenter import Segmenter, create_segmenter, segmenters

__all__ = [
    "Classifier",
    "Segmenter",
    "backbones",
    "brain_cnn",
    "create_network",
    "create_segmenter",
    "ensemble",
    "faster_rcnn",
    "guided",
    "integrated",
    "light",
    "light_unet",
    "list_architectures",
    "mobilenet",
    "segmenters",
    "unet",
    "unet3d",
]
