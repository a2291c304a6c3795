"""A mask with labels, as it is listed."""

from __future__ import annotations

import numpy as np

from tumorviewer.study.types import Placement, Volume


def measure_labels(volume: Volume) -> dict[float, float | None]:
    """The volume of each label of a mask but 0, ml; None where millimetres are not known."""
    values, counts = np.unique(volume.array, return_counts=True)
    known = volume.placement is not Placement.NONE
    ml = abs(np.linalg.det(volume.affine[:3, :3])) / 1000 if known else None
    return {
        float(value): None if ml is None else float(count * ml)
        for value, count in zip(values, counts, strict=True)
        if value
    }
