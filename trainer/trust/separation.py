"""How well distances tell held-out items from images of other kinds, with intervals.

Held-out items are resampled by group; images of other kinds one by one, also where they are made of
held-out items, so that those intervals are somewhat narrow.

Shapes: N held-out items, M images of a kind, R resamples.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trainer.evaluation import bootstrap
from trainer.evaluation.bootstrap import Floats, Integers
from tumorviewer.models.trust_measures import Measured


class Separation:
    """Areas under the ROC curve against the same held-out items.

    Parameters
    ----------
    held_N
        Their distances.
    groups_N
        Patients or near-duplicates among them.
    """

    def __init__(self, held_N: Floats, groups_N: Integers) -> None:
        order = np.argsort(held_N, kind="stable")
        self._held = held_N[order]
        drawn = np.stack([weight[order] for weight in bootstrap.draw_resamples(groups_N)])
        self._below = np.stack([_cumulated(weight) for weight in (np.ones(len(order)), *drawn)])

    def of(self, distances_M: Floats) -> Measured:
        """Of one kind."""
        return _measured(self._areas(distances_M, seed=1))

    def mean(self, kinds: Mapping[str, Floats]) -> Measured:
        """Of several, each counting alike."""
        areas = [self._areas(one, seed) for seed, one in enumerate(kinds.values(), 1)]
        return _measured(np.mean(areas, axis=0))

    def _areas(self, distances_M: Floats, seed: int) -> Floats:
        """``(1 + R,)``: as it is, then of each resample. The area is the share of pairs where the
        held-out item is nearer; a tie counts half."""
        below, upto = (
            self._below[:, np.searchsorted(self._held, distances_M, side)]
            for side in ("left", "right")
        )
        each = np.arange(len(distances_M))
        weights = np.stack([np.ones(len(each)), *bootstrap.draw_resamples(each, seed=seed)])
        areas: Floats = ((below + upto) / 2 * weights).sum(1) / weights.sum(1)
        return areas


def _cumulated(weight_N: Floats) -> Floats:
    """``(N + 1,)``: share of the weight before each item."""
    shares: Floats = np.concatenate([[0.0], weight_N.cumsum() / weight_N.sum()])
    return shares


def _measured(areas: Floats) -> Measured:
    low, high = np.percentile(areas[1:], (2.5, 97.5))
    return Measured(*(round(float(one), 6) for one in (areas[0], low, high)))
