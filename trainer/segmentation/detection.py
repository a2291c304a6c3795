"""How well boxes and scored findings agree with the expert's: AP and FROC.

Average precision as COCO has it (Lin et al., ECCV 2014; cocoeval.py): detections of all images in
the order of their scores, each matched to the unmatched box of its image that it overlaps most;
precision made monotonous and averaged over 101 recalls. AP50:95 averages over ten overlaps.

Shapes: N boxes of one image, each left, top, right, bottom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
OVERLAPS = tuple(np.round(np.arange(0.5, 1.0, 0.05), 2).tolist())
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True, eq=False)
class Detected:
    """One image."""

    boxes: Boxes
    """``(N, 4)`` found."""
    scores: NDArray[np.float64]
    """``(N,)``."""
    expert: Boxes
    """``(M, 4)``."""


def intersection_over_union(ours: Boxes, theirs: Boxes) -> NDArray[np.float64]:
    """``(N, M)``."""
    low = np.maximum(ours[:, None, :2], theirs[None, :, :2])
    high = np.minimum(ours[:, None, 2:], theirs[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (ours, theirs)]
    return np.asarray(both / (areas[0][:, None] + areas[1][None] - both))


@dataclass(frozen=True, eq=False)
class Matched:
    """Detections of all images in the order of their scores, matched at one overlap."""

    hit: NDArray[np.bool_]
    image: NDArray[np.int64]
    """Index of the image that each is on."""
    expert: NDArray[np.float64]
    """Boxes of the expert on each image."""

    def precision(self, weights: NDArray[np.float64] | None = None) -> float:
        """Average precision; NaN where the expert has no box.

        Parameters
        ----------
        weights
            How often each image counts, for resampling; None: once.
        """
        counts = np.ones(len(self.expert)) if weights is None else weights
        total = float(counts @ self.expert)
        if not total:
            return float("nan")
        weight = counts[self.image]
        true = np.cumsum(self.hit * weight)
        precision = true / np.maximum(np.cumsum(weight), 1e-12)
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        at = np.searchsorted(true / total, _RECALLS - 1e-12, side="left")
        return float(np.append(precision, 0.0)[at].mean())


def match_detections(images: Sequence[Detected], overlap: float) -> Matched:
    """Match each image's detections to the expert's boxes, the most probable first."""
    hits, scores, owners = [], [], []
    for number, one in enumerate(images):
        order = np.argsort(-one.scores, kind="stable")
        hits.append(_matched(one, order, overlap))
        scores.append(one.scores[order])
        owners.append(np.full(len(order), number))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    expert = np.array([len(one.expert) for one in images], np.float64)
    return Matched(np.concatenate(hits)[order], np.concatenate(owners)[order], expert)


def average_precision(
    images: Sequence[Detected], overlap: float, weights: NDArray[np.float64] | None = None
) -> float:
    """Average precision at one overlap, as :meth:`Matched.precision`."""
    return match_detections(images, overlap).precision(weights)


def _matched(one: Detected, order: NDArray[np.int64], overlap: float) -> NDArray[np.bool_]:
    hit = np.zeros(len(order), np.bool_)
    if not len(one.expert) or not len(order):
        return hit
    overlaps = intersection_over_union(one.boxes[order], one.expert)
    free = np.ones(len(one.expert), np.bool_)
    for place, mine in enumerate(overlaps):
        best = int(np.argmax(np.where(free, mine, -1.0)))
        if free[best] and mine[best] >= overlap:
            free[best], hit[place] = False, True
    return hit


def mean_average_precision(
    images: Sequence[Detected], weights: NDArray[np.float64] | None = None
) -> float:
    """AP50:95."""
    return float(np.mean([average_precision(images, one, weights) for one in OVERLAPS]))


def free_response(
    scores_of_hits: Sequence[float],
    scores_of_false: Sequence[float],
    lesions: int,
    images: int,
    rates: Sequence[float] = (0.01, 0.03, 0.1, 0.3, 1.0),
) -> list[tuple[float, float]]:
    """FROC (Bunch et al., 1977): the share of lesions found where so many false findings an image
    are accepted, as pairs of rate and sensitivity.

    Parameters
    ----------
    scores_of_hits
        The highest score of a finding on each lesion that has any.
    scores_of_false
        Of each finding that is on no lesion.
    """
    false = np.sort(np.asarray(scores_of_false, np.float64))[::-1]
    hits = np.asarray(scores_of_hits, np.float64)
    curve = []
    for rate in rates:
        allowed = int(np.floor(rate * images))
        least = false[allowed] if allowed < len(false) else -np.inf
        curve.append((rate, float(np.count_nonzero(hits > least)) / max(1, lesions)))
    return curve
