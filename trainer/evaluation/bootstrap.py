"""Intervals by resampling patients or near-duplicate groups (Efron and Tibshirani, 1993).

A resample is a vector of item weights, so that it costs no copy of the data.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

RESAMPLES = 1000


def draw_resamples(
    groups_N: Integers, resamples: int = RESAMPLES, seed: int = 0
) -> Iterator[Floats]:
    """How often each item counts in each resample, ``(N,)``: as often as its group was drawn."""
    generator = np.random.default_rng(seed)
    index = np.unique(groups_N, return_inverse=True)[1]
    count = int(index.max()) + 1
    for _ in range(resamples):
        drawn = np.bincount(generator.integers(0, count, count), minlength=count)
        yield drawn[index].astype(np.float64)


def round_metric(value: float) -> float | None:
    """Rounded for a file; None for NaN."""
    return None if np.isnan(value) else round(float(value), 6)


def compute_interval(values: Floats) -> list[float | None]:
    """The 2.5th and 97.5th percentile of a figure's resamples, without those where it has none."""
    known = values[~np.isnan(values)]
    if not len(known):
        return [None, None]
    return [round_metric(float(end)) for end in np.percentile(known, (2.5, 97.5))]
