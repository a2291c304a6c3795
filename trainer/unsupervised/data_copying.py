"""Whether made pictures are copies of those that the maker was trained on.

Two answers. Near-duplicates under the rule of :mod:`trainer.data.near_duplicates`, mirrored and
turned ones included, at the resolution that the generator saw. And the test of Meehan, Chaudhuri &
Dasgupta ("A non-parametric test to detect data-copying in generative models", AISTATS 2020):
samples of a generator that generalises lie as far from their nearest training picture as real
pictures that it has not seen do; those of one that memorises lie nearer.

Shapes: N samples, M training pictures, S side, V pixels of a thumbnail.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from trainer.data import near_duplicates

Labelled = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Pictures ``(N, S, S)`` and the class of each ``(N,)``."""

COPYING = -3.0
"""Below this the test's z-score says that the training pictures were copied (Meehan et al.)."""
_SIDE = 32


class KnownImages:
    """Pictures that must not be copied, ``(M, S, S)`` uint8."""

    def __init__(self, pictures_MSS: NDArray[np.uint8]) -> None:
        self._views = near_duplicates.make_thumbnails(pictures_MSS)
        self.vectors = _unit(pictures_MSS)

    def copied_by(self, pictures_NSS: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """``(N,)`` which of some pictures are near-duplicates of any of these."""
        return near_duplicates.find_nearest(
            near_duplicates.make_thumbnails(pictures_NSS), self._views
        )[1]


def measure_copying(
    known: KnownImages, known_label: NDArray[np.int64], made: Labelled, held: Labelled
) -> dict[str, Any]:
    """The copies among made pictures, beside those among held-out real ones.

    Returns
    -------
    dict
        ``copies`` ``(N,)``; the ``near_duplicate_share`` of both; the median ``distance`` of both
        to the nearest training picture of their class (1 − correlation of thumbnails, mirrored
        ones included); ``nearer_than_held_out``, the probability that a sample is nearer than a
        held-out picture (0.5: neither); the ``copying_z`` of the test, mean over the classes
        weighted by their training pictures; ``verdict``. Without held-out pictures, only what
        needs none.
    """
    copies = known.copied_by(made[0])
    result: dict[str, Any] = {"copies": copies, "near_duplicate_share": float(copies.mean())}
    distance = _nearest(known, known_label, made)
    result["median_distance"] = float(np.median(distance))
    z = 0.0
    if len(held[0]):
        of_held = _nearest(known, known_label, held)
        result["held_out_near_duplicate_share"] = float(known.copied_by(held[0]).mean())
        result["held_out_median_distance"] = float(np.median(of_held))
        compared = [
            (*_rank_test(distance[made[1] == one], of_held[held[1] == one]), count)
            for one, count in enumerate(np.bincount(known_label))
            if count and (made[1] == one).any() and (held[1] == one).any()
        ]
        nearer, scores, counts = (np.array(column) for column in zip(*compared, strict=True))
        z = float(np.average(scores, weights=counts))
        result["nearer_than_held_out"] = float(np.average(nearer, weights=counts))
        result["copying_z"] = z
    result["verdict"] = _verdict(copies, z)
    return result


def _verdict(copies: NDArray[np.bool_], z: float) -> str:
    if copies.any():
        return "copies: some samples are near-duplicates of training pictures"
    if z < COPYING:
        return "no near-duplicates, but samples lie nearer to training pictures than real ones do"
    return "no sign of copying"


def _rank_test(made_N: NDArray[np.float64], held_M: NDArray[np.float64]) -> tuple[float, float]:
    """The share of pairs in which the made one is nearer, and the Mann-Whitney z-score, negative
    where made ones are."""
    from scipy.stats import mannwhitneyu  # type: ignore[import-untyped]

    n, m = len(made_N), len(held_M)
    u = float(mannwhitneyu(made_N, held_M).statistic)
    return 1 - u / (n * m), (u - n * m / 2) / float(np.sqrt(n * m * (n + m + 1) / 12))


def _nearest(
    known: KnownImages, known_label: NDArray[np.int64], asked: Labelled
) -> NDArray[np.float64]:
    """``(N,)`` 1 − correlation with the likest known picture of the same class."""
    pictures, label = asked
    found = np.full(len(pictures), 2.0)
    for one in np.unique(label):
        mine = _unit(pictures[label == one])
        theirs = known.vectors[torch.from_numpy(known_label == one)]
        if len(theirs):
            mirrored = mine.unflatten(1, (_SIDE, _SIDE)).flip(2).flatten(1)
            likest = torch.maximum(mine @ theirs.T, mirrored @ theirs.T).amax(1)
            found[label == one] = 1 - likest.double().numpy()
    return found


def _unit(pictures_NSS: NDArray[np.uint8]) -> Tensor:
    """Thumbnails ``(N, V)`` of mean 0 and length 1."""
    x = torch.from_numpy(np.array(pictures_NSS)).float().unsqueeze(1)
    x = functional.adaptive_avg_pool2d(x, _SIDE).flatten(1)
    return functional.normalize(x - x.mean(1, keepdim=True))
