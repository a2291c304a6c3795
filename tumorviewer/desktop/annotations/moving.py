"""How an annotation is moved: where it goes, what is measured there, and which keys do it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PySide6.QtCore import QPointF

from tumorviewer.desktop.annotations import canvas, descriptions, shapes
from tumorviewer.desktop.annotations.study_annotations import StudyAnnotations
from tumorviewer.desktop.viewer.viewport import Viewport
from tumorviewer.imaging.measurement import AnnotationKind, Points, measure_annotation
from tumorviewer.language import small, tr
from tumorviewer.records import Annotation

_KEPT = ("made", "unit", "intensity_unit", "frame_of_reference")


@dataclass
class Nudge:
    """The arrow keys have hold of an annotation, or of one of its points."""

    viewport: Viewport
    annotations: StudyAnnotations
    identifier: str
    handle: int | None = None
    """One of its points; None for the annotation as a whole."""
    _moved: Annotation | None = None

    @property
    def annotation(self) -> Annotation | None:
        """As it is by now; None if it is not chosen, or not in this plane, any more."""
        if self.annotations.selected != self.identifier:
            return None
        seen = canvas.list_shown(self.viewport, self.annotations)
        return next((annotation for annotation in seen if annotation.id == self.identifier), None)

    def turn(self) -> None:
        """Take hold of the next point; after the last one, of the whole."""
        annotation = self.annotation
        if annotation is not None:
            held = [
                None,
                *shapes.find_handles(
                    AnnotationKind(annotation.type), canvas.get_points(annotation)
                ),
            ]
            self.handle = held[(held.index(self.handle) + 1) % len(held)]
            self.viewport.update()

    def move(self, pixels: QPointF) -> None:
        """So many image columns along the edges of the screen."""
        annotation, state = self.annotation, self.viewport.state
        if annotation is not None:
            step = self.viewport.step_of(pixels * self.viewport.scale())
            way = state.to_patient(step) - state.to_patient(QPointF())
            points = flatten_points(self.viewport, annotation)
            self._moved = move_annotation(self.viewport, annotation, self.handle, points, way)
            self.annotations.preview(self._moved)

    def keep(self) -> None:
        """Keep what was moved since it was kept last; it is undone in one."""
        annotation, self._moved = self._moved, None
        if annotation is not None and self.annotations.get(annotation.id) is not None:
            self.annotations.change(
                annotation,
                tr("move {mark} by keys", mark=small(descriptions.name_annotation(annotation))),
            )

    def prompt(self) -> str:
        """What the reader can do."""
        annotation = self.annotation
        if annotation is None:
            return ""
        held = tr("all of it") if self.handle is None else tr("point {n}", n=self.handle + 1)
        return f"{descriptions.name_annotation(annotation)}, {held}: {tr(descriptions.NUDGE)}"


def find_point(viewport: Viewport, at: QPointF) -> Points:
    """The point of the patient under a point of a viewport, the nearest within the image."""
    return _within(viewport, viewport.to_image(at))


def flatten_points(viewport: Viewport, annotation: Annotation) -> Points:
    """An annotation's points, ``(N, 3)`` LPS+ mm, on the very plane that is shown."""
    state = viewport.state
    points = (state.from_patient(point) for point in canvas.get_points(annotation))
    return np.array([state.to_patient(point) for point in points])


def move_annotation(
    viewport: Viewport, annotation: Annotation, handle: int | None, points_N3: Points, way: Points
) -> Annotation:
    """An annotation after it was taken some way; its middle, or the point, stays within the image.

    Parameters
    ----------
    handle
        One of its points; None for the annotation as a whole.
    points_N3
        Where it was, on the shown plane.
    way
        mm, in that plane.
    """
    anchor = points_N3.mean(axis=0) if handle is None else points_N3[handle]
    to = _within(viewport, viewport.state.from_patient(anchor + way))
    if handle is None:
        changed = points_N3 + (to - anchor)
    else:
        axes = canvas.find_axes(viewport.state)
        changed = shapes.drag_handle(AnnotationKind(annotation.type), points_N3, handle, to, axes)
    return measure_on_viewport(replace(annotation, points_mm=as_tuples(changed)), viewport)


def measure_on_viewport(annotation: Annotation, viewport: Viewport) -> Annotation:
    """An annotation with its figures, on the pixels that a viewport shows."""
    state, points = viewport.state, canvas.get_points(annotation)
    assert state.stack is not None
    kept = {name: annotation.values[name] for name in _KEPT if name in annotation.values}
    if len(points) < shapes.POINTS[AnnotationKind(annotation.type)]:
        return replace(annotation, values=kept)
    found = measure_annotation(
        AnnotationKind(annotation.type), points, state.stack, state.index, state.section()
    )
    if state.slab and found.keys() & {"mean", "value"}:
        found["slab"] = state.slab
    return replace(annotation, values=kept | found)


def as_tuples(points: Points) -> tuple[tuple[float, float, float], ...]:
    """Points ``(N, 3)``, LPS+ mm, as :attr:`Annotation.points_mm` has them."""
    return tuple((float(x), float(y), float(z)) for x, y, z in points)


def _within(viewport: Viewport, point: QPointF) -> Points:
    state = viewport.state
    assert state.stack is not None
    rows, columns = state.stack.shape
    inside = QPointF(min(max(point.x(), 0), columns), min(max(point.y(), 0), rows))
    return state.to_patient(inside)
