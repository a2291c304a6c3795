"""Measurements on planes of a volume: lengths, angles, diameters and regions.

Shapes: ``_N3`` points of the patient in LPS+ mm, ``_N2`` points of a plane as (row, column), whole
numbers at pixel centres, ``_HW`` the pixels of a plane. Where a volume has no spacing, its affine
has unit steps and what is in mm here is in pixels.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorviewer.imaging.reslice import PlanePixels, PlaneStack

Points = NDArray[np.float64]
_ELLIPSE_SIDES = 64


class AnnotationKind(StrEnum):
    """What is marked, and what its points are."""

    POINT = "point"
    TEXT = "text"
    """The point that the text is about."""
    DISTANCE = "distance"
    ANGLE = "angle"
    """End of an arm, vertex, end of the other arm."""
    DIAMETERS = "diameters"
    """Ends of the longest diameter, ends of the one perpendicular to it."""
    ELLIPSE = "ellipse"
    """Ends of one axis, ends of the other, as DICOM has them (PS3.3 C.18.6.1.2)."""
    RECTANGLE = "rectangle"
    """Corners in order."""
    FREEHAND = "freehand"
    """Vertices in order; the last is joined to the first."""


REGIONS = frozenset({AnnotationKind.ELLIPSE, AnnotationKind.RECTANGLE, AnnotationKind.FREEHAND})


class Diameters(NamedTuple):
    """Bidimensional measurement of a lesion (RANO, doi:10.1200/JCO.2009.26.3541)."""

    longest: float
    perpendicular: float
    product: float


class Statistics(NamedTuple):
    """The pixels whose centres lie in a region."""

    pixels: int
    mean: float
    sd: float
    """Of a sample (n - 1); 0 for one pixel."""
    minimum: float
    maximum: float


def measure_length(first: ArrayLike, second: ArrayLike) -> float:
    """Distance between two points, mm."""
    return float(np.linalg.norm(np.subtract(second, first)))


def measure_angle(points_33: Points) -> float:
    """Degrees, 0-180, between the arms from the middle point; NaN where an arm has no length."""
    arms = points_33[[0, 2]] - points_33[1]
    across, along = np.linalg.norm(np.cross(*arms)), float(np.dot(*arms))
    if not np.linalg.norm(arms, axis=1).all():
        return float("nan")
    return float(np.degrees(np.arctan2(across, along)))


def measure_diameters(points_43: Points) -> Diameters:
    """Two diameters in mm, the longer first, and their product in mm²."""
    pair = measure_length(points_43[0], points_43[1]), measure_length(points_43[2], points_43[3])
    return Diameters(max(pair), min(pair), pair[0] * pair[1])


def measure_area(kind: AnnotationKind, points_N3: Points) -> float:
    """Area of a region, mm², by its outline and not by its pixels.

    An ellipse from its semi-axes; the others by the cross products of their edges, which need not
    be at right angles to the patient's axes.
    """
    if kind is AnnotationKind.ELLIPSE:
        return float(np.pi / 4 * np.linalg.norm(np.cross(*_axes(points_N3))))
    edges = points_N3 - points_N3[0]
    return float(0.5 * np.linalg.norm(np.cross(edges[:-1], edges[1:]).sum(axis=0)))


def trace_outline(kind: AnnotationKind, points_N3: Points) -> Points:
    """The polygon around a region, ``(M, 3)``, not closed; an ellipse has many sides."""
    if kind is not AnnotationKind.ELLIPSE:
        return points_N3
    turn = np.linspace(0, 2 * np.pi, _ELLIPSE_SIDES, endpoint=False)[:, None]
    first, second = _axes(points_N3)
    ring: Points = points_N3.mean(axis=0) + np.cos(turn) * first / 2 + np.sin(turn) * second / 2
    return ring


def fill_region(
    kind: AnnotationKind, points_N2: Points, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """The pixels of a plane whose centres lie in a region.

    Parameters
    ----------
    points_N2
        The region's points as rows and columns of the plane.
    shape
        Rows and columns of the plane.

    Returns
    -------
    ndarray
        ``(H, W)``; where an outline crosses itself, what lies within an odd number of turns.
    """
    mask = np.zeros(shape, bool)
    around = _axes_ends(points_N2) if kind is AnnotationKind.ELLIPSE else points_N2
    low = np.clip(np.floor(around.min(axis=0)), 0, shape).astype(int)
    high = np.clip(np.ceil(around.max(axis=0)) + 1, 0, shape).astype(int)
    rows, columns = np.arange(low[0], high[0]), np.arange(low[1], high[1])
    find = _in_ellipse if kind is AnnotationKind.ELLIPSE else _in_polygon
    if rows.size and columns.size:
        mask[low[0] : high[0], low[1] : high[1]] = find(points_N2, rows, columns)
    return mask


def compute_statistics(values: NDArray[Any]) -> Statistics | None:
    """Of stored intensities; None where there are none."""
    if not values.size:
        return None
    exact = values.astype(np.float64)
    sd = float(exact.std(ddof=1)) if exact.size > 1 else 0.0
    least, most = float(exact.min()), float(exact.max())
    return Statistics(exact.size, float(exact.mean()), sd, least, most)


def crosses_itself(points_N2: Points) -> bool:
    """Whether two edges of a closed outline cross, so that its area is not what it encloses."""
    start, end = points_N2, np.roll(points_N2, -1, axis=0)

    def side(of: Points) -> NDArray[np.float64]:
        """On which side of each edge (row) each point (column) lies."""
        along, off = (end - start)[:, None], of[None] - start[:, None]
        return np.sign(along[..., 0] * off[..., 1] - along[..., 1] * off[..., 0])

    divided = side(start) * side(end) < 0
    return bool((divided & divided.T).any())


def measure_annotation(
    kind: AnnotationKind, points_N3: Points, stack: PlaneStack, index: int, section: PlanePixels
) -> dict[str, Any]:
    """Everything that is to be said of a mark on a plane.

    Parameters
    ----------
    points_N3
        On the plane ``index`` of ``stack``.
    section
        The pixels of that plane.

    Returns
    -------
    dict
        Of ``length``, ``angle``, ``longest``, ``perpendicular``, ``product``, ``area``, ``pixels``,
        ``mean``, ``sd``, ``minimum``, ``maximum`` and ``value`` those that the mark has. Without
        intensities where the plane has none there, or has colours.
    """
    if kind is AnnotationKind.DISTANCE:
        return {"length": measure_length(*points_N3)}
    if kind is AnnotationKind.ANGLE:
        return {"angle": measure_angle(points_N3)}
    if kind is AnnotationKind.DIAMETERS:
        return measure_diameters(points_N3)._asdict()
    places = np.array([stack.on_plane(index, point) for point in points_N3])
    if kind in REGIONS:
        found = compute_statistics(_intensities(section, fill_region(kind, places, stack.shape)))
        size: dict[str, Any] = {"area": measure_area(kind, points_N3)}
        if kind is AnnotationKind.FREEHAND and crosses_itself(places):
            size["crosses_itself"] = True
        return size | (found._asdict() if found else {})
    return {} if kind is AnnotationKind.TEXT else _value(section, stack.shape, places[0])


def _value(section: PlanePixels, shape: tuple[int, int], place: Points) -> dict[str, Any]:
    row, column = np.floor(place + 0.5).astype(int)
    if not (0 <= row < shape[0] and 0 <= column < shape[1]):
        return {}
    at = np.zeros(shape, bool)
    at[row, column] = True
    values = _intensities(section, at)
    return {"value": float(values[0])} if values.size else {}


def _intensities(section: PlanePixels, mask: NDArray[np.bool_]) -> NDArray[Any]:
    if section.values.ndim == 3:
        return np.zeros(0)
    for nothing in section[1:]:
        if nothing is not None:
            mask = mask & ~nothing
    return section.values[mask]


def _axes(points: Points) -> tuple[Points, Points]:
    return points[1] - points[0], points[3] - points[2]


def _axes_ends(points_N2: Points) -> Points:
    """The corners of the box around an ellipse."""
    first, second = _axes(points_N2)
    reach = np.hypot(first, second) / 2
    corners: Points = points_N2.mean(axis=0) + np.array([-reach, reach])
    return corners


def _in_ellipse(
    points_N2: Points, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.bool_]:
    axes = np.column_stack(_axes(points_N2)) / 2
    if abs(np.linalg.det(axes)) < 1e-12:
        return np.zeros((len(rows), len(columns)), bool)
    centre, share = points_N2.mean(axis=0), np.linalg.inv(axes)
    down, right = (rows - centre[0])[:, None], (columns - centre[1])[None]
    shares = share[:, 0, None, None] * down + share[:, 1, None, None] * right
    within: NDArray[np.bool_] = (shares**2).sum(axis=0) <= 1 + 1e-9
    return within


def _in_polygon(
    points_N2: Points, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """By the parity of the edges that are crossed on the way from the left to each pixel."""
    start, end = points_N2, np.roll(points_N2, -1, axis=0)
    passes = (start[:, 0] <= rows[:, None]) != (end[:, 0] <= rows[:, None])
    fall = np.where(start[:, 0] == end[:, 0], 1, end[:, 0] - start[:, 0])
    share = (rows[:, None] - start[:, 0]) / fall
    crossing = np.where(passes, start[:, 1] + share * (end[:, 1] - start[:, 1]), np.inf)
    crossed = [np.searchsorted(np.sort(one), columns) for one in crossing]
    within: NDArray[np.bool_] = np.array(crossed) % 2 == 1
    return within
