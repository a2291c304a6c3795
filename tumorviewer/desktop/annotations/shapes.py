"""From clicks to the points of an annotation, and what dragging a handle makes of them. No Qt.

Points are ``(3,)`` in the patient, LPS+ mm, on one plane.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tumorviewer.imaging.measurement import AnnotationKind, Points

CLICKS = {
    AnnotationKind.POINT: 1,
    AnnotationKind.TEXT: 1,
    AnnotationKind.DISTANCE: 2,
    AnnotationKind.ANGLE: 3,
    AnnotationKind.DIAMETERS: 4,
    AnnotationKind.ELLIPSE: 2,
    AnnotationKind.RECTANGLE: 2,
    AnnotationKind.FREEHAND: 0,
}
"""How many points the reader puts; a freehand outline is one stroke."""
POINTS = {
    AnnotationKind.POINT: 1,
    AnnotationKind.TEXT: 1,
    AnnotationKind.DISTANCE: 2,
    AnnotationKind.ANGLE: 3,
    AnnotationKind.DIAMETERS: 4,
    AnnotationKind.ELLIPSE: 4,
    AnnotationKind.RECTANGLE: 4,
    AnnotationKind.FREEHAND: 3,
}
"""How many points a whole annotation has, at least."""
_MOST_HANDLES = 12


class Axes(NamedTuple):
    """Unit vectors of a plane."""

    right: Points
    down: Points


def build_points(kind: AnnotationKind, clicks: Sequence[Points], axes: Axes) -> Points:
    """The points of an annotation, or of the part of it that is drawn so far."""
    points = np.array(clicks)
    if kind in (AnnotationKind.ELLIPSE, AnnotationKind.RECTANGLE) and len(points) == 2:
        return _boxed(kind, points, axes)
    if kind is AnnotationKind.DIAMETERS and len(points) > 2:
        return _crossed(points, axes)
    return points


def find_handles(kind: AnnotationKind, points: Points) -> list[int]:
    """Which points can be dragged; of a long outline, some."""
    if kind is not AnnotationKind.FREEHAND:
        return list(range(len(points)))
    step = max(1, round(len(points) / _MOST_HANDLES))
    return list(range(0, len(points), step))


def drag_handle(
    kind: AnnotationKind, points: Points, handle: int, to: Points, axes: Axes
) -> Points:
    """The annotation after one of its points was taken to another place; it keeps its nature."""
    if kind is AnnotationKind.ELLIPSE:
        return _drag_axis(points, handle, to, axes)
    if kind is AnnotationKind.RECTANGLE:
        opposite = points[(handle + 2) % 4]
        return np.roll(_boxed(kind, np.array([opposite, to]), _edges(points, axes)), handle + 2, 0)
    if kind is AnnotationKind.DIAMETERS and len(points) == 4:
        return _drag_diameter(points, handle, to, axes)
    if kind is AnnotationKind.FREEHAND:
        return _pull(points, handle, to)
    changed = points.copy()
    changed[handle] = to
    return changed


def _boxed(kind: AnnotationKind, corners: Points, axes: Axes) -> Points:
    """A rectangle, or an ellipse, between two corners."""
    first, last = corners
    right = ((last - first) @ axes.right) * axes.right
    down = ((last - first) @ axes.down) * axes.down
    if kind is AnnotationKind.RECTANGLE:
        return np.array([first, first + right, first + right + down, first + down])
    centre = first + (right + down) / 2
    return np.array([centre - right / 2, centre + right / 2, centre - down / 2, centre + down / 2])


def _edges(points: Points, axes: Axes) -> Axes:
    """The directions of a rectangle's edges."""
    return Axes(
        _unit(points[1] - points[0], axes.right),
        _unit(points[3] - points[0], axes.down),
    )


def _crossed(points: Points, axes: Axes) -> Points:
    """A diameter, and the ends of another one brought to the perpendicular through the third."""
    first, second, third = points[:3]
    along = _unit(second - first, axes.right)
    across = _across(along, axes)
    foot = first + np.clip((third - first) @ along, 0, np.linalg.norm(second - first)) * along
    ends = [foot + ((point - foot) @ across) * across for point in points[2:]]
    return np.array([first, second, *ends])


def _drag_axis(points: Points, handle: int, to: Points, axes: Axes) -> Points:
    """The axis follows the pointer from its other end; the one across keeps its length."""
    mine, other = (0, 2) if handle < 2 else (2, 0)
    fixed = points[mine + (handle == mine)]
    half = np.linalg.norm(points[other + 1] - points[other]) / 2
    changed = points.copy()
    changed[handle] = to
    across = _across(_unit(to - fixed, points[handle] - fixed), axes) * half
    if across @ (points[other + 1] - points[other]) < 0:
        across = -across
    centre = (to + fixed) / 2
    changed[other], changed[other + 1] = centre - across, centre + across
    return changed


def _drag_diameter(points: Points, handle: int, to: Points, axes: Axes) -> Points:
    """The diameters stay perpendicular: the second turns with the first, and slides along it."""
    first, second = points[:2]
    size = np.linalg.norm(second - first)
    along = _unit(second - first, axes.right)
    across = _across(along, axes)
    offs = [(point - first) @ across for point in points[2:]]
    if handle < 2:
        share = ((points[2] - first) @ along) / size if size else 0.5
        first, second = (to, second) if handle == 0 else (first, to)
        along = _unit(second - first, along)
        across = _across(along, axes)
        foot = first + share * (second - first)
    else:
        offs[handle - 2] = (to - first) @ across
        foot = first + np.clip((to - first) @ along, 0, size) * along
    return np.array([first, second, *(foot + off * across for off in offs)])


def _pull(points: Points, handle: int, to: Points) -> Points:
    """The outline near a vertex follows it, less and less to the next handles."""
    reach = max(1, round(len(points) / _MOST_HANDLES))
    steps = np.abs(np.arange(len(points)) - handle)
    steps = np.minimum(steps, len(points) - steps)
    pulled: Points = points + np.clip(1 - steps / reach, 0, 1)[:, None] * (to - points[handle])
    return pulled


def _across(along: Points, axes: Axes) -> Points:
    return _unit(np.cross(np.cross(axes.right, axes.down), along), axes.down)


def _unit(vector: Points, otherwise: Points) -> Points:
    """A direction; another one where there is none."""
    size = np.linalg.norm(vector)
    if size < 1e-9:
        size, vector = np.linalg.norm(otherwise), otherwise
    unit: Points = vector / size
    return unit
