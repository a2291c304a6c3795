"""Heads that end in pooling and a linear layer, with their gradient in closed form. No torch.

Shapes: N slices, C channels, H W feature map, P its places, D embedding, K classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.attention import attention_weights
from tumorviewer.analysis.engines.contrast import ContrastiveTarget

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PoolingHead(ABC):
    """Feature maps to logits."""

    weight: Floats
    """``(K, D)``."""
    bias: Floats
    """``(K,)``."""

    def logits(self, features_NCHW: Floats) -> Floats:
        """``(N, K)``."""
        logits: Floats = self.embed(features_NCHW) @ self.weight.T + self.bias
        return logits

    @abstractmethod
    def embed(self, features_NCHW: Floats) -> Floats:
        """``(N, D)``."""

    @abstractmethod
    def gradient(self, features_NCHW: Floats, question: ContrastiveTarget) -> Floats:
        """``(N, C, H, W)``: of what is explained, by each value of the feature map."""


class MeanHead(PoolingHead):
    """The mean of each channel: :func:`tumorviewer.networks.light.pooling_head`."""

    def embed(self, features_NCHW: Floats) -> Floats:
        """``(N, C)``."""
        means: Floats = features_NCHW.mean((2, 3))
        return means

    def gradient(self, features_NCHW: Floats, question: ContrastiveTarget) -> Floats:
        """The same at each place."""
        explained_C = question(self.weight.T)
        places = features_NCHW.shape[2] * features_NCHW.shape[3]
        return np.broadcast_to((explained_C / places)[:, None, None], features_NCHW.shape)


@dataclass(frozen=True, eq=False)
class AttentionHead(PoolingHead):
    """Attention pooling beside the mean: :class:`tumorviewer.networks.guided.GuidedAttention`."""

    score_weight: Floats
    """``(C,)`` weights of the attention's score,"""
    score_bias: Floats
    """``(1,)``, and its bias."""

    def scores(self, features_NCHW: Floats) -> Floats:
        """Of the attention before its softmax, ``(N, 1, H, W)``."""
        scores: Floats = (
            np.einsum("nchw,c->nhw", features_NCHW, self.score_weight) + self.score_bias
        )
        return scores[:, None]

    def embed(self, features_NCHW: Floats) -> Floats:
        """``(N, 2C)``."""
        weights_NHW = attention_weights(self.scores(features_NCHW))
        focus = np.einsum("nchw,nhw->nc", features_NCHW, weights_NHW)
        return np.concatenate([focus, features_NCHW.mean((2, 3))], 1)

    def gradient(self, features_NCHW: Floats, question: ContrastiveTarget) -> Floats:
        """With attention a, the focus's weights f, the mean's m, the score's s and h = f·F:
        a f + m / P + s a (h − Σ a h)."""
        focus_C, mean_C = np.split(question(self.weight.T), 2)
        attention = attention_weights(self.scores(features_NCHW))[:, None]
        said = np.einsum("nchw,c->nhw", features_NCHW, focus_C)[:, None]
        moved = attention * (said - (attention * said).sum((2, 3), keepdims=True))
        focus, mean, score = (one[:, None, None] for one in (focus_C, mean_C, self.score_weight))
        places = features_NCHW.shape[2] * features_NCHW.shape[3]
        gradient: Floats = attention * focus + mean / np.float32(places) + score * moved
        return gradient


def read_head(tensors: Mapping[str, Floats]) -> PoolingHead:
    """From the weights of a bundle.

    Raises
    ------
    KeyError
        With a tensor's name, if it is neither kind of head.
    """
    if "head.0.score.weight" in tensors:
        return AttentionHead(
            tensors["head.2.weight"],
            tensors["head.2.bias"],
            tensors["head.0.score.weight"].reshape(-1),
            tensors["head.0.score.bias"],
        )
    return MeanHead(tensors["head.3.weight"], tensors["head.3.bias"])
