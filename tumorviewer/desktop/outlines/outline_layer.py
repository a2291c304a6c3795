"""Outlines of a volume's candidates, as contours in every plane of its frame of reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPen, QPolygonF

from tumorviewer.desktop.viewer.captions import MARGIN, OUTLINE, draw_text
from tumorviewer.desktop.viewer.link import share_frame_of_reference
from tumorviewer.desktop.viewer.panes import Panes
from tumorviewer.desktop.viewer.viewport import Viewport
from tumorviewer.imaging.contours import trace_contours
from tumorviewer.imaging.reslice import PlaneStack
from tumorviewer.study.types import Volume

CONTOUR = QColor(88, 226, 255)
_STYLES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine)
"""Of the first candidates; those after them are drawn like the last."""
_WIDTH, _HALO = 1.8, 4.0
_WIDEST_TEXT = 170.0
_SMALL = 360
"""Lower views have room for the names only, pixels."""


@dataclass(frozen=True, eq=False)
class Outline:
    """One candidate as it is drawn."""

    mask: NDArray[np.bool_]
    """``(slices, rows, columns)`` of the volume that it was found in."""
    lines: tuple[str, ...]
    """What is written beside it."""


class OutlineLayer(QObject):
    """Draws outlines over all viewports; the contours of each plane are traced once."""

    def __init__(self, panes: Panes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._panes = panes
        self._groups: dict[str, tuple[Volume, Sequence[Outline]]] = {}
        self._outlines: list[Outline] = []
        self._masks: list[Volume] = []
        self._paths: WeakKeyDictionary[PlaneStack, dict[int, list[QPainterPath]]]
        self._paths = WeakKeyDictionary()
        self.is_shown = True
        for viewport in panes.viewports():
            self._adopt(viewport)
        panes.viewport_made.connect(self._adopt)

    def show_outlines(
        self, volume: Volume | None, outlines: Sequence[Outline], group: str = ""
    ) -> None:
        """Draw these outlines, which were found in a volume, and no others of their group."""
        self._groups.pop(group, None)
        if volume is not None:
            self._groups[group] = volume, outlines
        self._outlines = [one for _, group_ in self._groups.values() for one in group_]
        self._masks = [
            replace(found_in, array=one.mask, missing=())
            for found_in, group_ in self._groups.values()
            for one in group_
        ]
        self._paths.clear()
        self._update()

    def set_shown(self, shown: bool) -> None:
        """Draw the outlines, or leave them out."""
        self.is_shown = shown
        self._update()

    def trace(self, stack: PlaneStack, index: int) -> list[QPainterPath]:
        """The contours of each outline in a plane, in image coordinates; empty paths where an
        outline does not reach."""
        if not any(share_frame_of_reference(mask, stack.volume) for mask in self._masks):
            return []
        known = self._paths.setdefault(stack, {})
        if index not in known:
            known[index] = [
                _make_path(_cut(mask, stack, index))
                if share_frame_of_reference(mask, stack.volume)
                else QPainterPath()
                for mask in self._masks
            ]
        return known[index]

    def _adopt(self, viewport: Viewport) -> None:
        viewport.outlines = partial(self._draw, viewport)

    def _update(self) -> None:
        for viewport in self._panes.viewports():
            viewport.update()

    def _draw(self, viewport: Viewport, painter: QPainter) -> None:
        state = viewport.state
        if not self.is_shown or not self._outlines or state.stack is None or state.absence():
            return
        transform, area = viewport.transform(), QRectF(viewport.rect())
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        written: list[QRectF] = []
        for number, path in enumerate(self.trace(state.stack, state.index)):
            if path.isEmpty():
                continue
            shown = transform.map(path)
            style = _STYLES[min(number, len(_STYLES) - 1)]
            for colour, width in ((OUTLINE, _HALO), (CONTOUR, _WIDTH)):
                painter.setPen(QPen(colour, width, style))
                painter.drawPath(shown)
            if viewport.window_text_shown:
                lines = self._outlines[number].lines
                said = lines[:1] if area.height() < _SMALL else lines
                written.append(_write(painter, area, shown.boundingRect(), said, written))
        painter.restore()


def _cut(mask: Volume, stack: PlaneStack, index: int) -> NDArray[np.bool_]:
    """``(rows, columns)`` of a plane: where the mask is."""
    own = stack.volume
    same_grid = own.array.shape[:3] == mask.array.shape and np.allclose(own.affine, mask.affine)
    if stack.layout is not None and same_grid:
        plane: NDArray[np.bool_] = stack.layout.view(mask.array)[index]
        return plane
    values, outside, _ = stack.sample(mask, index)
    inside: NDArray[np.bool_] = np.asarray(values) >= 0.5
    return inside if outside is None else inside & ~outside


def _make_path(mask_HW: NDArray[np.bool_]) -> QPainterPath:
    path = QPainterPath()
    for line in trace_contours(mask_HW):
        path.addPolygon(QPolygonF([QPointF(column, row) for row, column in line.tolist()]))
    return path


def _write(
    painter: QPainter,
    area: QRectF,
    around: QRectF,
    lines: Sequence[str],
    written: Sequence[QRectF],
) -> QRectF:
    """Lines of text right of an outline, or left of it where there is no room, below what is
    written there already; where they are."""
    height = QFontMetricsF(painter.font()).height()
    fits = around.right() + _WIDEST_TEXT + 2 * MARGIN < area.right()
    left = around.right() + MARGIN if fits else around.left() - MARGIN - _WIDEST_TEXT
    left = max(area.left() + MARGIN, min(left, area.right() - MARGIN - _WIDEST_TEXT))
    top = around.center().y() - height * len(lines) / 2
    top = max(area.top() + MARGIN, min(top, area.bottom() - MARGIN - height * len(lines)))
    place = QRectF(left, top, _WIDEST_TEXT, height * len(lines))
    for other in sorted(written, key=QRectF.top):
        if place.intersects(other):
            place.moveTop(other.bottom())
    side = Qt.AlignmentFlag.AlignLeft if fits else Qt.AlignmentFlag.AlignRight
    for at, line in enumerate(lines):
        draw_text(
            painter,
            QRectF(left, place.top() + at * height, _WIDEST_TEXT, height),
            side,
            line,
            CONTOUR,
        )
    return place
