"""The architectures, one family a file, one registry.

Every network takes ``(N, 1, S, S)`` float32 in 0–1 (the grey picture as it is on the screen),
normalises it itself, and answers ``(N, classes)`` logits. One that takes neighbouring slices wants
them as channels, ``(N, 2k + 1, S, S)``.
"""

from tumorviewer.networks import (
    backbones,
    brain_cnn,
    ensemble,
    guided,
    integrated,
    light,
    mobilenet,
)
from tumorviewer.networks.registry import Classifier, architectures, create

__all__ = [
    "Classifier",
    "architectures",
    "backbones",
    "brain_cnn",
    "create",
    "ensemble",
    "guided",
    "integrated",
    "light",
    "mobilenet",
]
