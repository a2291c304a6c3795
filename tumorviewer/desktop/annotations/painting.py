"""Annotations as they are drawn over an image: lines, handles, and words where they cover least."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from tumorviewer.desktop.annotations import descriptions
from tumorviewer.desktop.annotations.canvas import get_lines, get_points, list_shown, map_to_screen
from tumorviewer.desktop.annotations.moving import Nudge
from tumorviewer.desktop.annotations.shapes import find_handles
from tumorviewer.desktop.annotations.study_annotations import StudyAnnotations
from tumorviewer.desktop.viewer.captions import ACCENT, MARGIN, OUTLINE, draw_text
from tumorviewer.desktop.viewer.viewport import Viewport
from tumorviewer.imaging.measurement import AnnotationKind
from tumorviewer.records import Annotation

INK = QColor(110, 231, 249)
_SHADE = QColor(0, 0, 0)
_HANDLE = 3.5
_PEN = 7.0


class _Sketch(NamedTuple):
    annotation: Annotation
    lines: list[list[QPointF]]
    is_selected: bool
    is_own: bool

    @property
    def ink(self) -> QColor:
        return ACCENT if self.is_selected else INK

    @property
    def box(self) -> QRectF:
        return QPolygonF([point for line in self.lines for point in line]).boundingRect()

    def texts(self) -> list[str]:
        """Everything of the selected annotation, a line of the others."""
        return (
            descriptions.describe_annotation(self.annotation)
            if self.is_selected
            else descriptions.summarise_annotation(self.annotation)
        )


def draw_annotation(
    painter: QPainter, viewport: Viewport, annotations: StudyAnnotations, drawn: Annotation | None
) -> None:
    """All annotations of the shown plane, and the one that is being drawn."""
    key = annotations.key_of(viewport.state.volume)
    selected = None if drawn is not None else annotations.selected
    sketches = [
        _Sketch(
            annotation,
            get_lines(viewport, annotation),
            annotation.id == selected,
            annotation.volume == key,
        )
        for annotation in list_shown(viewport, annotations)
    ]
    if drawn is not None:
        sketches.append(_Sketch(drawn, get_lines(viewport, drawn), True, True))
    sketches.sort(key=lambda sketch: sketch.is_selected)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for sketch in sketches:
        _draw_lines(painter, sketch)
        if sketch.is_selected:
            _draw_handles(painter, viewport, sketch.annotation)
    _draw_words(painter, QRectF(viewport.rect()), sketches[::-1])
    painter.restore()


def draw_pen(painter: QPainter, at: QPointF) -> None:
    """Where the keys put the next point."""
    for colour, width in ((OUTLINE, 3.5), (ACCENT, 1.5)):
        painter.setPen(QPen(colour, width))
        painter.drawEllipse(at, _PEN, _PEN)
        for step in (QPointF(_PEN + 4, 0), QPointF(0, _PEN + 4)):
            painter.drawLine(at - step, at + step)


def draw_nudge(painter: QPainter, nudge: Nudge) -> None:
    """What the arrow keys have hold of, and what they do."""
    annotation, viewport = nudge.annotation, nudge.viewport
    if annotation is None:
        return
    if nudge.handle is not None:
        draw_pen(painter, map_to_screen(viewport, get_points(annotation))[nudge.handle])
    draw_prompt(painter, viewport, nudge.prompt())


def draw_prompt(painter: QPainter, viewport: Viewport, text: str) -> None:
    """What the reader is to do, under the letter of the upper edge."""
    height = QFontMetricsF(painter.font()).height()
    band = QRectF(0, 4.5 * height, viewport.width(), 1.6 * height)
    painter.fillRect(band, OUTLINE)
    box = band.adjusted(MARGIN, 0, -MARGIN, 0)
    draw_text(painter, box, Qt.AlignmentFlag.AlignCenter, text, ACCENT)


def _draw_lines(painter: QPainter, sketch: _Sketch) -> None:
    """Dashed on another volume than it was drawn on."""
    style = Qt.PenStyle.SolidLine if sketch.is_own else Qt.PenStyle.DashLine
    for colour, width in ((_SHADE, 3.5), (sketch.ink, 1.5)):
        painter.setPen(QPen(colour, width, style, Qt.PenCapStyle.FlatCap))
        for line in sketch.lines:
            painter.drawPolyline(QPolygonF(line))


def _draw_handles(painter: QPainter, viewport: Viewport, annotation: Annotation) -> None:
    points = map_to_screen(viewport, get_points(annotation))
    painter.setPen(QPen(OUTLINE, 1))
    painter.setBrush(ACCENT)
    for handle in find_handles(AnnotationKind(annotation.type), get_points(annotation)):
        painter.drawEllipse(points[handle], _HANDLE, _HANDLE)
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _draw_words(painter: QPainter, area: QRectF, sketches: Sequence[_Sketch]) -> None:
    metrics = QFontMetricsF(painter.font())
    inside = area.adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
    taken = [sketch.box for sketch in sketches]
    for sketch in sketches:
        texts = sketch.texts()
        if not texts:
            continue
        width = max(metrics.horizontalAdvance(text) for text in texts) + 4
        box = _free(QSizeF(width, metrics.height() * len(texts)), sketch.box, inside, taken)
        taken.append(box)
        for at, text in enumerate(texts):
            top = box.top() + at * metrics.height()
            line = QRectF(box.left(), top, width, metrics.height())
            draw_text(painter, line, Qt.AlignmentFlag.AlignLeft, text, sketch.ink)


def _free(size: QSizeF, beside: QRectF, inside: QRectF, taken: Sequence[QRectF]) -> QRectF:
    """The place beside an annotation where its words cover least of what is there."""

    best, least = QRectF(), math.inf
    for place in _around(size, beside, inside):
        shared = [place.intersected(other) for other in taken if place.intersects(other)]
        covered = sum(one.width() * one.height() for one in shared)
        if covered < least:
            best, least = place, covered
        if not covered:
            break
    return best


def _around(size: QSizeF, beside: QRectF, inside: QRectF) -> Iterator[QRectF]:
    """Right, left, below and above, and the corners; all of it within ``inside``."""
    right, left = beside.right() + MARGIN, beside.left() - MARGIN - size.width()
    below, above = beside.bottom() + MARGIN / 2, beside.top() - MARGIN / 2 - size.height()
    across, along = beside.center().x() - size.width() / 2, beside.center().y() - size.height() / 2
    for x, y in (
        (right, along), (left, along), (across, below), (across, above),
        (right, below), (right, above), (left, below), (left, above),
    ):  # fmt: skip
        place = QRectF(QPointF(x, y), size)
        place.moveRight(min(place.right(), inside.right()))
        place.moveLeft(max(place.left(), inside.left()))
        place.moveBottom(min(place.bottom(), inside.bottom()))
        place.moveTop(max(place.top(), inside.top()))
        yield place
