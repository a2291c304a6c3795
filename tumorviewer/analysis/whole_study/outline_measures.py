"""Size and place of an outline in millimetres. No torch.

Coordinates: voxel indices are ``(slice, row, column)``; millimetres are LPS+.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tumorviewer.study.types import Placement, Volume

_CORNERS = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])


def measure_volume_ml(mask_DHW: NDArray[np.bool_], volume: Volume) -> float | None:
    """Millilitres of a mask; None without a place in the patient."""
    if volume.placement is not Placement.PATIENT:
        return None
    voxel_mm3 = abs(float(np.linalg.det(volume.affine[:3, :3])))
    return int(np.count_nonzero(mask_DHW)) * voxel_mm3 / 1000


def measure_centre_mm(
    mask_DHW: NDArray[np.bool_], volume: Volume
) -> tuple[float, float, float] | None:
    """Centre of mass of a mask, LPS+ mm; None without a place in the patient."""
    if volume.placement is not Placement.PATIENT:
        return None
    centre = np.argwhere(mask_DHW).mean(0)
    x, y, z = (volume.affine @ [*centre, 1.0])[:3]
    return float(x), float(y), float(z)


def measure_diameters_mm(
    mask_HW: NDArray[np.bool_], row_mm: float, column_mm: float
) -> tuple[float, float]:
    """The longest diameter of an outline in its slice, and the longest one at right angles to it
    (RANO: Wen et al., J Clin Oncol 2010), from edge to edge of its pixels.

    Parameters
    ----------
    mask_HW
        One slice; not empty.
    row_mm, column_mm
        Distance of neighbouring rows and of neighbouring columns.
    """
    from scipy.spatial import ConvexHull  # type: ignore[import-untyped]
    from scipy.spatial.distance import pdist, squareform  # type: ignore[import-untyped]

    pixels = np.argwhere(mask_HW).astype(float)
    corners = (pixels[:, None] + _CORNERS).reshape(-1, 2) * [row_mm, column_mm]
    hull = corners[ConvexHull(corners).vertices]
    distances = squareform(pdist(hull))
    first, second = np.unravel_index(int(distances.argmax()), distances.shape)
    along = (hull[second] - hull[first]) / distances[first, second]
    return float(distances[first, second]), _longest_across(hull, along)


def _longest_across(hull_N2: NDArray[np.float64], along: NDArray[np.float64]) -> float:
    """The longest chord of a convex outline at right angles to a direction; it passes a corner."""
    u, v = hull_N2 @ along, hull_N2 @ np.array([-along[1], along[0]])
    return max(_chord(u, v, at) for at in u)


def _chord(u_N: NDArray[np.float64], v_N: NDArray[np.float64], at: float) -> float:
    """Length of what an outline's edges span in ``v`` where ``u`` is ``at``."""
    next_u, next_v = np.roll(u_N, -1), np.roll(v_N, -1)
    crossed = (np.minimum(u_N, next_u) <= at) & (at <= np.maximum(u_N, next_u))
    run = next_u - u_N
    share = np.divide(at - u_N, run, out=np.zeros_like(run), where=run != 0)
    crossings = (v_N + share * (next_v - v_N))[crossed]
    ends = np.concatenate([crossings, v_N[u_N == at]])
    return float(ends.max() - ends.min())
