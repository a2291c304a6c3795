"""How far pictures are from the training data, in the feature space of a network.

Two published ways, of which the one that raises the louder alarm counts. A distance: activations of
some stages are averaged over the picture, standardised and whitened along the principal components
of the training data, where one of :data:`DISTANCES` is taken; early stages know what the classes do
not need. And the way up: a linear classifier on the same activations, each averaged over parts of
the picture, was taught to tell training pictures from turned ones (Golan and El-Yaniv, NeurIPS
2018).

Shapes: N pictures, C channels of all stages together, H W parts of the picture, P components, B
training items that are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tumorviewer.models.trust_measures import OodMeasures

Floats = NDArray[np.float32]

NEIGHBOUR = 5
"""Which neighbour's distance counts: a few odd training items are no neighbourhood."""


class FeatureSpace(NamedTuple):
    """The feature space and the training data in it: arrays ``familiarity.*``."""

    mean: Floats
    """``(C,)`` of the training data."""
    scale: Floats
    """``(C,)``, standard deviations."""
    components: Floats
    """``(P, C)``, of unit length."""
    spread: Floats
    """``(P,)``: standard deviation along each."""
    items: Floats
    """``(B, P)``: whitened training items."""
    upright: Floats
    """``(3, C H W + 1)``: weights of "upright", "upside down" and "on its side", the bias last."""
    usual: Floats
    """``(2, 2)``: of distance and of the way up, the median among held-out items and how far above
    it the outermost hundredth is."""

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.generic]]) -> FeatureSpace:
        """From what a bundle holds."""
        return cls(*(arrays[f"familiarity.{name}"].astype(np.float32) for name in cls._fields))


def scale_scores(usual_22: Floats, raw_2N: Floats) -> NDArray[np.float64]:
    """``(N,)`` of both ways together: 0 for the median held-out item, 1 where its outermost
    hundredth begins.

    Parameters
    ----------
    usual_22
        As :attr:`FeatureSpace.usual`.
    raw_2N
        As :func:`raw_scores` answers.
    """
    middle, above = usual_22.T[:, :, None]
    louder: Floats = ((raw_2N - middle) / above).max(0)
    return louder.astype(np.float64)


def raw_scores(space: FeatureSpace, method: str, features_NCHW: Floats) -> tuple[Floats, Floats]:
    """Distance, and how improbable it is that the picture is upright, ``(N,)`` each."""
    standard_NC: Floats = (features_NCHW.mean((2, 3)) - space.mean) / space.scale
    return DISTANCES[method](space, standard_NC), _turned(space, features_NCHW)


def whiten(space: FeatureSpace, standard_NC: Floats) -> Floats:
    """``(N, P)``: of unit variance in the training data."""
    projected: Floats = standard_NC @ space.components.T / space.spread
    return projected


def _turned(space: FeatureSpace, features_NCHW: Floats) -> Floats:
    """``(N,)``: logarithm of how much less probable "upright" is than the rest."""
    logits_N3 = features_NCHW.reshape(len(features_NCHW), -1) @ space.upright[:, :-1].T
    logits_N3 = logits_N3 + space.upright[:, -1]
    rest: Floats = np.logaddexp(logits_N3[:, 1], logits_N3[:, 2]) - logits_N3[:, 0]
    return rest


def _mahalanobis(space: FeatureSpace, standard_NC: Floats) -> Floats:
    """From the mean of the training data (Lee et al., NeurIPS 2018; without classes, as the
    background of Ren et al., 2021)."""
    distances_N: Floats = np.linalg.norm(whiten(space, standard_NC), axis=1)
    return distances_N


def _residual(space: FeatureSpace, standard_NC: Floats) -> Floats:
    """What the principal components leave over (ViM: Wang et al., CVPR 2022)."""
    projected_NP = standard_NC @ space.components.T
    left_N = np.square(standard_NC).sum(1) - np.square(projected_NP).sum(1)
    distances_N: Floats = np.sqrt(left_N.clip(0))
    return distances_N


def _neighbour(space: FeatureSpace, standard_NC: Floats) -> Floats:
    """To the :data:`NEIGHBOUR`-th nearest training item (Sun et al., ICML 2022), whitened."""
    query_NP = whiten(space, standard_NC)
    products_NB = query_NP @ space.items.T
    squares_NB = np.square(space.items).sum(1) - 2 * products_NB
    at = min(NEIGHBOUR, len(space.items)) - 1
    nearest_N = np.partition(squares_NB, at, axis=1)[:, at] + np.square(query_NP).sum(1)
    distances_N: Floats = np.sqrt(nearest_N.clip(0))
    return distances_N


DISTANCES: dict[str, Callable[[FeatureSpace, Floats], Floats]] = {
    "mahalanobis": _mahalanobis,
    "residual": _residual,
    "neighbour": _neighbour,
}


class OodDetector:
    """What a bundle knows of its training data, to be asked about other pictures."""

    def __init__(self, known: OodMeasures, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.known = known
        self._space = FeatureSpace.of(arrays)

    def distances(self, features_NCHW: Floats) -> NDArray[np.float64]:
        """``(N,)``, as :func:`scale_scores`."""
        raw_2N = np.stack(raw_scores(self._space, self.known.method, features_NCHW))
        return scale_scores(self._space.usual, raw_2N)
