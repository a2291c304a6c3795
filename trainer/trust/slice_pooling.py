"""What pooling slices does to the probabilities, on pictures that stand in for volumes.

Few sites have labelled volumes, and data sets of pictures have none. Held-out pictures of one group
and class are then pooled by the program's own rule, as if they were the slices of a volume. That
says how far pooled probabilities are off; it is no calibration of volumes, and none is stored.
Shapes: N pictures, V series, K classes.
"""

from __future__ import annotations

from pathlib import PurePath

import numpy as np

from trainer.evaluation.bootstrap import Floats, Integers
from trainer.evaluation.metrics import Scorer
from trainer.trust import intervals
from trainer.trust.held_out import HeldOut
from tumorviewer.analysis.pooling import pool_slices
from tumorviewer.models.trust_measures import Abstention, Pooling

LEAST_PICTURES = 5
"""A group with fewer of a class is no series."""
_LEAST_SERIES = 10


def measure_slice_pooling(held: HeldOut, abstention: Abstention | None) -> Pooling | None:
    """None if there are too few series.

    Parameters
    ----------
    abstention
        From which probability on a class is named; None for from any.
    """
    order = np.array(sorted(range(len(held.names)), key=lambda at: _natural(held.names[at])))
    pooled, labels, groups = [], [], []
    for group, label in np.unique(np.stack([held.groups, held.labels], 1), axis=0).tolist():
        rows = order[(held.groups[order] == group) & (held.labels[order] == label)]
        if len(rows) >= LEAST_PICTURES:
            slices, areas = held.probabilities[rows], np.ones(len(rows))
            pooled.append(pool_slices(slices, areas, held.no_tumour, ordered=True).probabilities)
            labels.append(label)
            groups.append(group)
    if len(pooled) < _LEAST_SERIES or len(set(groups)) < 2:
        return None
    least = abstention.least if abstention else 0.0
    return _judged(np.array(pooled), np.array(labels), np.array(groups), least)


def _judged(pooled_VK: Floats, labels_V: Integers, groups_V: Integers, least: float) -> Pooling:
    right, sure = pooled_VK.argmax(1) == labels_V, pooled_VK.max(1)
    named = sure >= least
    figures = intervals.measure_with_interval(
        Scorer(pooled_VK, labels_V).of_probabilities, groups_V
    )
    return Pooling(
        series=len(labels_V),
        groups=len(np.unique(groups_V)),
        said=intervals.average_with_interval(sure, groups_V),
        right=intervals.average_with_interval(right, groups_V),
        ece=figures["ece"],
        answered=intervals.average_with_interval(named, groups_V),
        accuracy=intervals.average_with_interval(right, groups_V, named) if named.any() else None,
    )


def _natural(name: str) -> tuple[str, int, str]:
    """Sorts ``2.jpg`` before ``10.jpg``."""
    stem = PurePath(name).stem
    head = stem.rstrip("0123456789")
    return str(PurePath(name).parent / head), int(stem[len(head) :] or 0), name
