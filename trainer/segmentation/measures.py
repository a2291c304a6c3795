"""How well an outline agrees with the expert's.

Dice (1945); average symmetric surface distance and the 95th percentile of the Hausdorff distance
as in Maier-Hein et al., "Metrics reloaded", Nature Methods 2024: surfaces are the voxels of a mask
that have a neighbour (by a face) outside it, distances are between voxel centres, in mm.

Shapes: any number of axes; ``spacing`` has one entry an axis, mm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]

Mask = NDArray[np.bool_]


class SurfaceDistances(NamedTuple):
    """Between two outlines, mm; NaN where one of them is empty."""

    hd95: float
    assd: float


def dice(found: Mask, expert: Mask) -> float:
    """2 |A ∩ B| / (|A| + |B|); 1 where both are empty."""
    total = np.count_nonzero(found) + np.count_nonzero(expert)
    return 2 * np.count_nonzero(found & expert) / total if total else 1.0


def surface(mask: Mask) -> Mask:
    """Which voxels of a mask have a neighbour outside it, beyond the edge of the array included."""
    inner: Mask = ndimage.binary_erosion(mask, border_value=0)
    return mask & ~inner


def surface_distances(found: Mask, expert: Mask, spacing: Sequence[float]) -> SurfaceDistances:
    """The greater of the two directed 95th percentiles, and the mean over both surfaces."""
    if not found.any() or not expert.any():
        return SurfaceDistances(float("nan"), float("nan"))
    one, other = surface(found), surface(expert)
    to_expert = ndimage.distance_transform_edt(~other, sampling=spacing)[one]
    to_found = ndimage.distance_transform_edt(~one, sampling=spacing)[other]
    hd95 = max(float(np.percentile(to_expert, 95)), float(np.percentile(to_found, 95)))
    both = np.concatenate((to_expert, to_found))
    return SurfaceDistances(hd95, float(both.mean()))


class Lesions(NamedTuple):
    """Lesions of one image or volume: connected parts, corners joined."""

    expert: int
    hit: int
    """Of the expert's: touched by what was found."""
    false: int
    """Of what was found: touching none of the expert's."""


def count_lesions(found: Mask, expert: Mask) -> Lesions:
    """How many of the expert's lesions are touched, and how many found ones touch none."""
    everywhere = np.ones((3,) * found.ndim, np.bool_)
    parts, count = ndimage.label(expert, everywhere)
    ours, found_count = ndimage.label(found, everywhere)
    hit = np.unique(parts[found & expert])
    touching = np.unique(ours[found & expert])
    return Lesions(int(count), int((hit > 0).sum()), int(found_count - (touching > 0).sum()))
