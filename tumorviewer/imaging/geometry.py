"""Where a slice lies in the patient: edge letters, planes, millimetres, scale bars.

Patient coordinates are LPS+ mm, voxel indices ``(slice, row, column)`` as in ``study.types``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tumorviewer.language import number
from tumorviewer.study.types import Placement, Volume

_LETTERS = (("L", "R"), ("P", "A"), ("H", "F"))
_PLANES = ("sagittal", "coronal", "axial")
_SECOND_LETTER = math.sin(math.radians(10))
_PLANE_COSINE = math.cos(math.radians(25))


class Edges(NamedTuple):
    """Which side of the patient each edge of a slice is towards (PS3.3 C.7.6.1.1.1)."""

    left: str
    right: str
    top: str
    bottom: str


def name_direction(direction: NDArray[np.float64]) -> str:
    """Letters of an LPS direction, the nearest axis first.

    A second axis is named where the direction leans towards it by more than 10 degrees: ``"AH"``.
    """
    unit = direction / np.linalg.norm(direction)
    first, second = np.argsort(-np.abs(unit), kind="stable")[:2]
    axes = (first, second) if abs(unit[second]) > _SECOND_LETTER else (first,)
    return "".join(_LETTERS[axis][int(unit[axis] < 0)] for axis in axes)


def name_edges(right: NDArray[np.float64], down: NDArray[np.float64]) -> Edges:
    """Letters at the four edges of a picture whose axes run in these LPS directions."""
    return Edges(
        left=name_direction(-right),
        right=name_direction(right),
        top=name_direction(-down),
        bottom=name_direction(down),
    )


def compute_normal(volume: Volume) -> NDArray[np.float64]:
    """Unit normal of the slices in LPS, on the side of increasing slice index."""
    cross = np.cross(volume.affine[:3, 2], volume.affine[:3, 1])
    cross /= np.linalg.norm(cross)
    return cross if cross @ volume.affine[:3, 0] >= 0 else -cross


def name_plane(volume: Volume) -> str:
    """As :func:`name_plane_across`, of a volume's slices; empty if unknown."""
    return (
        name_plane_across(compute_normal(volume)) if volume.placement is Placement.PATIENT else ""
    )


def name_plane_across(normal: NDArray[np.float64]) -> str:
    """``axial``, ``coronal``, ``sagittal`` (within 25 degrees) or ``oblique``, by the normal."""
    cosines = np.abs(normal)
    axis = int(np.argmax(cosines))
    return _PLANES[axis] if cosines[axis] >= _PLANE_COSINE else "oblique"


def map_to_patient(volume: Volume, index: int, row: float, column: float) -> NDArray[np.float64]:
    """LPS+ mm of a point on a slice; whole rows and columns are voxel centres.

    Returns
    -------
    ndarray
        ``(3,)``; meaningful only where ``volume.placement`` is ``PATIENT``.
    """
    if volume.positions is None:
        first = volume.affine[:3, 3] + volume.affine[:3, 0] * index
    else:
        first = volume.positions[index]
    position: NDArray[np.float64] = first + volume.affine[:3, 1:3] @ (row, column)
    return position


def format_position(position: NDArray[np.float64]) -> str:
    """An LPS point in letters: ``"L 12.0  P 3.5  H 40.1 mm"``."""
    return "  ".join(_coordinate(axis, value) for axis, value in enumerate(position)) + " mm"


def format_plane_position(centre: NDArray[np.float64], normal: NDArray[np.float64]) -> str:
    """Where a plane's centre lies, along the axis that the plane is across: ``"H 40.1 mm"``.

    All three coordinates for an oblique plane.
    """
    if name_plane_across(normal) == "oblique":
        return format_position(centre)
    axis = int(np.argmax(np.abs(normal)))
    return _coordinate(axis, centre[axis]) + " mm"


def _coordinate(axis: int, value: float) -> str:
    shown = round(float(value), 1)
    return f"{_LETTERS[axis][int(shown < 0)]} {number(abs(shown), '.1f')}"


def compute_pixel_aspect(volume: Volume) -> float:
    """Height of a pixel over its width."""
    _, row, column = volume.spacing()
    aspect = row / column if column > 0 else 0.0
    return aspect if math.isfinite(aspect) and aspect > 0 else 1.0


def choose_scale_bar(mm_per_unit: float, longest: float) -> float:
    """Length in mm of the longest scale bar, 1, 2 or 5 times a power of ten, that fits.

    Parameters
    ----------
    mm_per_unit
        Millimetres that one unit of the screen shows.
    longest
        What is allowed, in units of the screen.
    """
    limit = mm_per_unit * longest
    power: float = 10.0 ** math.floor(math.log10(limit))
    return max(step * power for step in (1, 2, 5) if step * power <= limit * (1 + 1e-9))
