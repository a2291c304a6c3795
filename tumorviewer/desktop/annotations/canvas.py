"""Annotations of the shown plane on the screen: where they are, and what is near the pointer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF

from tumorviewer.desktop.annotations.shapes import Axes, find_handles
from tumorviewer.desktop.annotations.study_annotations import StudyAnnotations
from tumorviewer.desktop.viewer.view_state import ViewState
from tumorviewer.desktop.viewer.viewport import Viewport
from tumorviewer.imaging.measurement import REGIONS, AnnotationKind, Points, trace_outline
from tumorviewer.records import Annotation
from tumorviewer.study import Placement

_REACH = 7.0
"""How near the pointer must be, in screen pixels."""


@dataclass(frozen=True)
class Hit:
    """An annotation under the pointer."""

    annotation: Annotation
    handle: int | None
    """One of its points; None for the annotation as a whole."""


def find_axes(state: ViewState) -> Axes:
    """Unit vectors of the shown plane."""
    assert state.stack is not None
    right, down = state.stack.right, state.stack.down
    return Axes(right / np.linalg.norm(right), down / np.linalg.norm(down))


def get_points(annotation: Annotation) -> Points:
    """``(N, 3)`` LPS+ mm."""
    return np.array(annotation.points_mm, float).reshape(-1, 3)


def list_shown(viewport: Viewport, annotations: StudyAnnotations) -> Iterator[Annotation]:
    """The annotations that lie in the plane of a viewport."""
    return _in_plane(viewport, annotations, annotations.all())


def shows_annotation(
    viewport: Viewport, annotations: StudyAnnotations, *listed: Annotation
) -> bool:
    """Whether any of these annotations lies in the plane of a viewport."""
    return any(True for _ in _in_plane(viewport, annotations, listed))


def _in_plane(
    viewport: Viewport, annotations: StudyAnnotations, listed: Iterable[Annotation]
) -> Iterator[Annotation]:
    state, key = viewport.state, annotations.key_of(viewport.state.volume)
    if state.stack is None or viewport.message or state.absence():
        return
    for annotation in listed:
        same = annotation.volume == key or _shares_frame(annotation, state)
        if same and _lies_in(state, get_points(annotation)):
            yield annotation


def find_hit(viewport: Viewport, annotations: StudyAnnotations, at: QPointF) -> Hit | None:
    """The annotation at a point of a viewport; of several the selected one, else the last made."""
    key = annotations.key_of(viewport.state.volume)
    listed = [
        annotation for annotation in list_shown(viewport, annotations) if annotation.volume == key
    ]
    for annotation in sorted(listed, key=lambda one: one.id == annotations.selected)[::-1]:
        points = map_to_screen(viewport, get_points(annotation))
        near = [
            h
            for h in find_handles(AnnotationKind(annotation.type), get_points(annotation))
            if _far(points[h], at) < _REACH
        ]
        if near:
            return Hit(annotation, min(near, key=lambda h: _far(points[h], at)))
        if any(_off(line, at) < _REACH for line in get_lines(viewport, annotation)):
            return Hit(annotation, None)
    return None


def map_to_screen(viewport: Viewport, points: Points) -> list[QPointF]:
    """Points of the patient in a viewport's coordinates, which are linear in them."""
    corners = np.vstack([np.zeros(3), np.eye(3)])
    transform, state = viewport.transform(), viewport.state
    seen = [transform.map(state.from_patient(corner)) for corner in corners]
    origin, *steps = np.array([(point.x(), point.y()) for point in seen])
    places = origin + points @ (np.array(steps) - origin)
    return [QPointF(x, y) for x, y in places]


def get_lines(viewport: Viewport, annotation: Annotation) -> list[list[QPointF]]:
    """An annotation as lines on the screen."""
    kind, points = AnnotationKind(annotation.type), get_points(annotation)
    if kind in REGIONS and len(points) > 2:
        ring = map_to_screen(viewport, trace_outline(kind, points))
        return [[*ring, ring[0]]]
    ends = map_to_screen(viewport, points)
    if kind in (AnnotationKind.POINT, AnnotationKind.TEXT):
        cross = QPointF(6, 0), QPointF(0, 6)
        return [[ends[0] - step, ends[0] + step] for step in cross]
    return [ends[:2], ends[2:]] if kind is AnnotationKind.DIAMETERS else [ends]


def _lies_in(state: ViewState, points: Points) -> bool:
    """Whether the farthest of these points is on the shown plane."""
    assert state.stack is not None
    off = np.abs((points - state.stack.firsts[state.index]) @ state.stack.normal)
    return len(points) > 0 and state.is_on_plane(points[int(np.argmax(off))])


def _shares_frame(annotation: Annotation, state: ViewState) -> bool:
    volume = state.volume
    if volume is None or volume.placement is not Placement.PATIENT:
        return False
    frame = volume.frame_of_reference
    return frame is not None and annotation.values.get("frame_of_reference") == frame


def _far(first: QPointF, second: QPointF) -> float:
    return float(np.hypot(first.x() - second.x(), first.y() - second.y()))


def _off(line: list[QPointF], at: QPointF) -> float:
    """Distance of a point from a polyline."""
    points = np.array([(p.x(), p.y()) for p in line]) - (at.x(), at.y())
    start, step = points[:-1], np.diff(points, axis=0)
    square = np.maximum((step**2).sum(axis=1), 1e-12)
    share = np.clip(-(start * step).sum(axis=1) / square, 0, 1)[:, None]
    return float(np.linalg.norm(start + share * step, axis=1).min(initial=np.inf))
