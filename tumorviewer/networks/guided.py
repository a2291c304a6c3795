"""The light CNN that is taught where to look, on pictures with outlines of the tumour.

Between trunk and softmax stands attention pooling (Ilse et al., ICML 2018) of one score per place
of the feature map. In training the score is also held against the expert's outline, where there is
one (guided attention, after Li et al., "Tell Me Where to Look", CVPR 2018): the network decides on
what it finds there, and the saliency map follows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tumorviewer.networks.mobilenet import LightTransfer
from tumorviewer.networks.registry import Classifier, register_architecture

# Shape suffixes: N pictures, C channels, H W feature map, K classes.


class GuidedAttention(nn.Module):
    """A map to the mean of its channels where the score is high, and to their plain mean."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, 1, 1)

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """``(N, 2C)``."""
        weights = self.score(maps_NCHW).flatten(2).softmax(2)
        focus = (maps_NCHW.flatten(2) * weights).sum(2)
        return torch.cat([focus, maps_NCHW.mean((2, 3))], 1)


class LightGuided(LightTransfer):
    """:class:`LightTransfer` with attention pooling in place of the plain mean."""

    embedding = 1
    attends = is_guidable = True

    def __init__(self, classes: int, width: int, dropout: float) -> None:
        super().__init__(classes, width, dropout)
        self.head = nn.Sequential(
            GuidedAttention(width), nn.Dropout(dropout), nn.Linear(2 * width, classes)
        )

    def scores(self, maps_NCHW: Tensor) -> Tensor:
        """Before the softmax, ``(N, 1, H, W)``."""
        looking = self.get_submodule("head.0")
        assert isinstance(looking, GuidedAttention)
        scores: Tensor = looking.score(maps_NCHW)
        return scores


@register_architecture("light_guided")
def light_guided(classes: int, width: int = 320, dropout: float = 0.3) -> Classifier:
    """Build the light CNN that is taught where to look."""
    return LightGuided(classes, width, dropout)
