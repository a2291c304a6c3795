"""Mouse and keys that draw annotations on viewports and change them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter

from tumorviewer.desktop.annotations import canvas, descriptions, painting, shapes
from tumorviewer.desktop.annotations.moving import (
    Nudge,
    as_tuples,
    find_point,
    flatten_points,
    measure_on_viewport,
    move_annotation,
)
from tumorviewer.desktop.annotations.study_annotations import StudyAnnotations
from tumorviewer.desktop.viewer.gestures import ARROWS
from tumorviewer.desktop.viewer.viewport import Viewport
from tumorviewer.imaging.measurement import AnnotationKind, Points
from tumorviewer.language import small, tr
from tumorviewer.records import Annotation
from tumorviewer.study import Placement

_CLICK = 4.0
"""A pointer that moves less, in screen pixels, between press and release has not dragged."""
_STROKE_STEP = 2.0
_LARGE = 10
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


@dataclass
class _Drawing:
    """An annotation that is not finished."""

    viewport: Viewport
    index: int
    annotation: Annotation
    clicks: list[Points] = field(default_factory=list)
    pressed: QPointF | None = None


@dataclass
class _HandleDrag:
    """An annotation, or one of its points, that is being moved."""

    viewport: Viewport
    hit: canvas.Hit
    start: Points
    points: Points
    """As they were, on the shown plane."""

    def annotation(self, at: QPointF) -> Annotation:
        """The annotation once the pointer is there."""
        to = find_point(self.viewport, at)
        if np.array_equal(to, self.start):
            return self.hit.annotation
        hit = self.hit
        return move_annotation(
            self.viewport, hit.annotation, hit.handle, self.points, to - self.start
        )


class AnnotationTool(QObject):
    """An event filter for viewports: draws when a kind is chosen, else selects and drags.

    Parameters
    ----------
    book_of
        The annotations that those of a viewport belong to; None where nothing can be marked.
    """

    kind_changed = Signal(AnnotationKind)
    """A :class:`AnnotationKind` that is drawn next, or None."""
    text_wanted = Signal(Annotation, Viewport)
    """A text annotation to be added once it has words, and the viewport."""

    def __init__(
        self,
        annotations_of: Callable[[Viewport], StudyAnnotations | None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.kind: AnnotationKind | None = None
        self._find_annotations = annotations_of
        self._drawing: _Drawing | None = None
        self._drag: _HandleDrag | None = None
        self._nudge: Nudge | None = None
        self._pen: QPointF | None = None
        """Where the arrow keys have moved to, in image coordinates."""

    def choose(self, kind: AnnotationKind | None) -> None:
        """Draw one annotation of a kind; None ends what is being drawn."""
        self._cancel()
        self.let_go()
        self._pen = None
        if kind is not self.kind:
            self.kind = kind
            self.kind_changed.emit(kind)

    def take_hold(self, viewport: Viewport) -> None:
        """Let the arrow keys move the selected annotation; asked for again, no longer."""
        annotations, held = self._find_annotations(viewport), self._nudge
        self.choose(None)
        if held is None and annotations is not None and annotations.selected is not None:
            nudge = Nudge(viewport, annotations, annotations.selected)
            annotation = nudge.annotation
            if annotation is not None and annotation.volume == annotations.key_of(
                viewport.state.volume
            ):
                self._nudge = nudge
                viewport.update()

    def let_go(self) -> None:
        """The arrow keys scroll again."""
        nudge, self._nudge = self._nudge, None
        if nudge is not None:
            nudge.keep()
            nudge.viewport.update()

    def draw(self, painter: QPainter, viewport: Viewport) -> None:
        """The annotations of a viewport, with the one that is being drawn."""
        annotations = self._find_annotations(viewport)
        if annotations is None:
            return
        drawing = self._drawing if self._drawing and self._drawing.viewport is viewport else None
        painting.draw_annotation(
            painter, viewport, annotations, drawing.annotation if drawing else None
        )
        if self.kind is not None and viewport.hasFocus():
            text = f"{tr(descriptions.TITLES[self.kind])}: {tr(descriptions.HOW[self.kind])}"
            painting.draw_prompt(painter, viewport, text)
            if self._pen is not None:
                painting.draw_pen(painter, viewport.transform().map(self._pen))
        elif self._nudge is not None and self._nudge.viewport is viewport:
            painting.draw_nudge(painter, self._nudge)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(watched, Viewport):
            if isinstance(event, QMouseEvent):
                return self._mouse(watched, event)
            if isinstance(event, QKeyEvent):
                return self._key(watched, event)
            if event.type() is QEvent.Type.FocusOut:
                self.let_go()
        return False

    # Mouse

    def _mouse(self, viewport: Viewport, event: QMouseEvent) -> bool:
        annotations = self._find_annotations(viewport)
        if annotations is None or viewport.state.stack is None or viewport.state.absence():
            return False
        match event.type():
            case QEvent.Type.MouseMove:
                return self._move(viewport, annotations, event.position())
            case _ if event.button() is not Qt.MouseButton.LeftButton or event.modifiers():
                return False
            case QEvent.Type.MouseButtonPress:
                return self._press(viewport, annotations, event.position())
            case QEvent.Type.MouseButtonRelease:
                return self._release(annotations, event.position())
            case QEvent.Type.MouseButtonDblClick:
                return (
                    self.kind is not None
                    or canvas.find_hit(viewport, annotations, event.position()) is not None
                )
        return False

    def _press(self, viewport: Viewport, annotations: StudyAnnotations, at: QPointF) -> bool:
        if self.kind is not None:
            self._put(viewport, annotations, at)
            return True
        hit = canvas.find_hit(viewport, annotations, at)
        annotations.select(None if hit is None else hit.annotation.id)
        if hit is None:
            return False
        self._drag = _HandleDrag(
            viewport, hit, find_point(viewport, at), flatten_points(viewport, hit.annotation)
        )
        return True

    def _put(self, viewport: Viewport, annotations: StudyAnnotations, at: QPointF) -> None:
        """The next point of the annotation that is being drawn."""
        drawing = self._current(viewport)
        if drawing is None:
            drawing = self._drawing = self._begin(viewport, annotations)
        drawing.pressed = at
        drawing.clicks.append(find_point(viewport, at))
        self._show(drawing, drawing.clicks)
        self._finish_if_whole(annotations)

    def _move(self, viewport: Viewport, annotations: StudyAnnotations, at: QPointF) -> bool:
        if self._drag is not None:
            annotations.preview(self._drag.annotation(at))
            return True
        drawing = self._current(viewport)
        if drawing is None:
            return False
        here = find_point(viewport, at)
        if drawing.annotation.type == AnnotationKind.FREEHAND:
            self._stroke(drawing, at, here)
        else:
            self._show(drawing, [*drawing.clicks, here])
        return False

    def _release(self, annotations: StudyAnnotations, at: QPointF) -> bool:
        drag, self._drag = self._drag, None
        if drag is not None:
            annotations.change(
                drag.annotation(at),
                tr("move {mark}", mark=small(descriptions.name_annotation(drag.hit.annotation))),
            )
            annotations.preview(None)
            return True
        drawing = self._drawing
        if drawing is None or drawing.pressed is None:
            return self.kind is not None
        way, drawing.pressed = at - drawing.pressed, None
        if drawing.annotation.type == AnnotationKind.FREEHAND:
            self._finish(annotations) if len(drawing.clicks) > 2 else self._cancel()
        elif max(abs(way.x()), abs(way.y())) >= _CLICK:
            drawing.clicks.append(find_point(drawing.viewport, at))
            self._finish_if_whole(annotations)
        return True

    def _stroke(self, drawing: _Drawing, at: QPointF, here: Points) -> None:
        last = drawing.pressed
        if last is not None and (at - last).manhattanLength() >= _STROKE_STEP:
            drawing.pressed = at
            drawing.clicks.append(here)
            self._show(drawing, drawing.clicks)

    # Keys

    def _key(self, viewport: Viewport, event: QKeyEvent) -> bool:
        """While an annotation is drawn its keys come before those of the window."""
        act = self._key_act(viewport, event)
        if event.type() is QEvent.Type.KeyRelease:
            if self._nudge is not None and not event.isAutoRepeat():
                self._nudge.keep()
            return False
        if act is None:
            return False
        if event.type() is QEvent.Type.ShortcutOverride:
            event.accept()
        else:
            act()
        return True

    def _key_act(self, viewport: Viewport, event: QKeyEvent) -> Callable[[], object] | None:
        """Escape ends it, arrows move a pen (with Shift in larger steps), Enter puts a point."""
        annotations, key = self._find_annotations(viewport), Qt.Key(event.key())
        is_busy = self.kind is not None or self._drag is not None or self._nudge is not None
        if key == Qt.Key.Key_Escape and is_busy:
            return lambda: self.choose(None)
        if self._nudge is not None and self._nudge.viewport is viewport:
            return self._nudge_act(self._nudge, event)
        if self.kind is None or annotations is None or viewport.state.stack is None:
            return None
        if key in ARROWS:
            return lambda: self._move_pen(viewport, annotations, ARROWS[key] * _reach(event))
        if key in (*_ENTER, Qt.Key.Key_Space):
            return lambda: self._put_pen(viewport, annotations)
        return None

    def _nudge_act(self, nudge: Nudge, event: QKeyEvent) -> Callable[[], object] | None:
        key = Qt.Key(event.key())
        if nudge.annotation is None:
            self.let_go()
        elif key in ARROWS:
            return lambda: nudge.move(ARROWS[key] * _reach(event))
        elif key in _ENTER:
            return nudge.turn
        return None

    def _move_pen(self, viewport: Viewport, annotations: StudyAnnotations, pixels: QPointF) -> None:
        pen = self._pen if self._pen is not None else viewport.state.centre
        at = pen + viewport.step_of(pixels * viewport.scale())
        self._pen = viewport.state.from_patient(find_point(viewport, viewport.transform().map(at)))
        viewport.state.point_at(self._pen)
        self._move(viewport, annotations, viewport.transform().map(self._pen))
        viewport.update()

    def _put_pen(self, viewport: Viewport, annotations: StudyAnnotations) -> None:
        pen = self._pen if self._pen is not None else viewport.state.centre
        at = viewport.transform().map(pen)
        clicks = self._drawing.clicks if self._drawing else []
        here = find_point(viewport, at)
        is_closed = (
            self.kind is AnnotationKind.FREEHAND and clicks and np.allclose(here, clicks[-1])
        )
        if is_closed and len(clicks) > 2:
            self._finish(annotations)
        elif not is_closed:
            self._put(viewport, annotations, at)
        if self._drawing is not None:
            self._drawing.pressed = None

    # An annotation from its beginning to its end

    def _begin(self, viewport: Viewport, annotations: StudyAnnotations) -> _Drawing:
        volume, key = viewport.state.volume, annotations.key_of(viewport.state.volume)
        assert volume is not None
        assert key is not None
        assert self.kind is not None
        values = {
            "made": datetime.now(UTC).isoformat(),
            "unit": "px" if volume.placement is Placement.NONE else "mm",
            "intensity_unit": volume.units,
            "frame_of_reference": volume.frame_of_reference,
        }
        annotation = Annotation(str(uuid.uuid4()), str(self.kind), key, (), values=values)
        return _Drawing(viewport, viewport.state.index, annotation)

    def _current(self, viewport: Viewport) -> _Drawing | None:
        """What is being drawn in a viewport; one on another plane is given up."""
        drawing = self._drawing
        if drawing is None:
            return None
        if drawing.viewport is viewport and drawing.index == viewport.state.index:
            return drawing
        if drawing.viewport is viewport:
            self._cancel()
        return None

    def _show(self, drawing: _Drawing, clicks: list[Points]) -> None:
        kind, most = (
            AnnotationKind(drawing.annotation.type),
            shapes.CLICKS[AnnotationKind(drawing.annotation.type)],
        )
        points = shapes.build_points(
            kind, clicks[: most or None], canvas.find_axes(drawing.viewport.state)
        )
        drawing.annotation = measure_on_viewport(
            replace(drawing.annotation, points_mm=as_tuples(points)), drawing.viewport
        )
        drawing.viewport.update()

    def _finish_if_whole(self, annotations: StudyAnnotations) -> None:
        assert self._drawing is not None
        if (
            len(self._drawing.clicks)
            == shapes.CLICKS[AnnotationKind(self._drawing.annotation.type)]
        ):
            self._finish(annotations)

    def _finish(self, annotations: StudyAnnotations) -> None:
        drawing = self._drawing
        assert drawing is not None
        self._show(drawing, drawing.clicks)
        self._drawing = None
        self.choose(None)
        if drawing.annotation.type == AnnotationKind.TEXT:
            self.text_wanted.emit(drawing.annotation, drawing.viewport)
        else:
            annotations.add(
                drawing.annotation,
                tr("draw {mark}", mark=small(descriptions.name_annotation(drawing.annotation))),
            )

    def _cancel(self) -> None:
        for each in (self._drawing, self._drag):
            if each is not None:
                annotations = self._find_annotations(each.viewport)
                self._drawing = self._drag = None
                each.viewport.update()
                if annotations is not None:
                    annotations.preview(None)


def _reach(event: QKeyEvent) -> int:
    """Pixels that an arrow goes."""
    return _LARGE if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
