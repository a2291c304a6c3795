"""A slider over the slices with the probability of a tumour drawn along it."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSignalBlocker, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import QSlider, QToolTip, QWidget

from tumorviewer.analysis.finding import Finding
from tumorviewer.desktop.services.reading import Snapshot
from tumorviewer.imaging.colormap import choose_class_colour
from tumorviewer.language import later, number, tr

_TITLE = later("Tumour\nprobability")
_BARE_TITLE = later("Slices")
_MARK = 5.0


class SliceBar(QSlider):
    """Horizontal; the value is the slice. Deciding slices carry a triangle above the curve."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._snapshot = Snapshot()
        self._probability: dict[int, float] = {}
        self._still: QPixmap | None = None
        self.setAccessibleName(tr("Slice"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setInvertedControls(True)
        self.setRange(0, 0)
        self.setPageStep(10)
        self.valueChanged.connect(self._describe)

    def sizeHint(self) -> QSize:
        return QSize(400, round(self.fontMetrics().height() * 2.2 + 2 * _MARK + 8))

    def minimumSizeHint(self) -> QSize:
        return QSize(160, self.sizeHint().height())

    def set_count(self, count: int) -> None:
        """Make room for so many slices, without announcing a new value."""
        blocker = QSignalBlocker(self)
        self.setRange(0, max(0, count - 1))
        blocker.unblock()
        self._describe()
        self._redraw()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw the probabilities of a finding; without one, a bare slider."""
        self._snapshot, finding = snapshot, snapshot.finding
        self._probability = {} if finding is None else collect_tumour_probabilities(finding)
        self._describe()
        self._redraw()

    def _describe(self) -> None:
        count = self.maximum() + 1
        text = tr("Slice {n} of {count}", n=self.value() + 1, count=count)
        if self._snapshot.finding is not None:
            text += f": {self._judgement(self.value())}"
        self.setAccessibleDescription(text)

    def _judgement(self, index: int) -> str:
        if index not in self._probability:
            return tr("not judged")
        deciding = self._snapshot.finding is not None and index in self._snapshot.finding.key_slices
        share = number(self._probability[index], ".2f")
        text = tr("probability of a tumour {share}", share=share)
        return text + tr(", deciding slice") if deciding else text

    # Where things are

    def _track(self) -> QRectF:
        top = _MARK + 3
        return QRectF(self.rect()).adjusted(self._title_width() + 24, top, -6, -4)

    def _title_width(self) -> int:
        return max(map(self.fontMetrics().horizontalAdvance, tr(_TITLE).split("\n"))) + 8

    def x_of(self, index: float) -> float:
        """Where a slice begins on the widget; its middle is at ``index + 0.5``."""
        track = self._track()
        return track.left() + track.width() * index / (self.maximum() + 1)

    def index_at(self, x: float) -> int:
        track = self._track()
        share = (x - track.left()) / max(1.0, track.width())
        return int(np.clip(np.floor(share * (self.maximum() + 1)), 0, self.maximum()))

    # Drawing

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self._still is None or self._still.devicePixelRatio() != self.devicePixelRatioF():
            self._still = self._draw_still()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawPixmap(0, 0, self._still)
        self._draw_handle(painter, self._track())
        painter.end()

    def _draw_still(self) -> QPixmap:
        """All but the handle: the same for every slice."""
        ratio = self.devicePixelRatioF()
        still = QPixmap(self.size() * ratio)
        still.setDevicePixelRatio(ratio)
        still.fill(Qt.GlobalColor.transparent)
        painter = QPainter(still)
        painter.setFont(self.font())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        track, palette = self._track(), self.palette()
        painter.fillRect(track, palette.base())
        self._draw_title(painter, track)
        if self._snapshot.finding is not None:
            self._draw_scale(painter, track)
            self._draw_curve(painter, track, self._snapshot.finding)
        painter.setPen(palette.color(QPalette.ColorRole.Mid))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(track)
        if self._snapshot.finding is not None:
            self._draw_key_slices(painter, track, self._snapshot.finding)
        painter.end()
        return still

    def _redraw(self) -> None:
        self._still = None
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._redraw()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        self._redraw()

    def _draw_title(self, painter: QPainter, track: QRectF) -> None:
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        box = QRectF(6, track.top(), self._title_width(), track.height())
        text = tr(_BARE_TITLE if self._snapshot.finding is None else _TITLE)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)

    def _draw_scale(self, painter: QPainter, track: QRectF) -> None:
        height = float(self.fontMetrics().height())
        for text, y in (("1", track.top()), ("0", track.bottom() - height)):
            box = QRectF(0, y, track.left() - 5, height)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight, text)
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Mid), 1, Qt.PenStyle.DotLine))
        half = track.center().y()
        painter.drawLine(QPointF(track.left(), half), QPointF(track.right(), half))

    def _draw_curve(self, painter: QPainter, track: QRectF, finding: Finding) -> None:
        colour = QColor(
            *choose_class_colour(finding.predicted_class, finding.classes, finding.no_tumour)
        )
        painter.setPen(QPen(colour, 1.5))
        fill = QColor(colour)
        fill.setAlpha(110)
        painter.setBrush(fill)
        for run in _runs(sorted(self._probability)):
            painter.drawPolygon(self._outline(track, run))

    def _outline(self, track: QRectF, run: list[int]) -> QPolygonF:
        """Steps, one as wide as its slice, closed along the bottom."""
        start, step, floor = self.x_of(run[0]), track.width() / (self.maximum() + 1), track.bottom()
        points = [QPointF(start, floor)]
        for at, index in enumerate(run):
            y = floor - track.height() * self._probability[index]
            points += [QPointF(start + at * step, y), QPointF(start + (at + 1) * step, y)]
        return QPolygonF([*points, QPointF(start + len(run) * step, floor)])

    def _draw_key_slices(self, painter: QPainter, track: QRectF, finding: Finding) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.palette().windowText())
        for index in finding.key_slices:
            x, y = self.x_of(index + 0.5), track.top()
            tip = [QPointF(x - _MARK, y - _MARK - 1), QPointF(x + _MARK, y - _MARK - 1)]
            painter.drawPolygon(QPolygonF([*tip, QPointF(x, y - 1)]))

    def _draw_handle(self, painter: QPainter, track: QRectF) -> None:
        left, right = self.x_of(self.value()), self.x_of(self.value() + 1)
        middle = (left + right) / 2
        width = max(4.0, min(right - left, 14.0))
        handle = QRectF(middle - width / 2, track.top() - 1, width, track.height() + 2)
        colour = self.palette().color(QPalette.ColorRole.Highlight)
        fill = QColor(colour)
        fill.setAlpha(90)
        painter.setBrush(fill)
        painter.setPen(QPen(colour, 2.5 if self.hasFocus() else 1.5))
        painter.drawRoundedRect(handle, 2, 2)

    # Mouse and keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Inverted controls turn Up and the wheel to the previous slice, but Left and Right too."""
        action = {
            Qt.Key.Key_Left: QSlider.SliderAction.SliderSingleStepSub,
            Qt.Key.Key_Right: QSlider.SliderAction.SliderSingleStepAdd,
        }.get(Qt.Key(event.key()))
        if action is None:
            super().keyPressEvent(event)
        else:
            self.triggerAction(action)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self.setValue(self.index_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.setValue(self.index_at(event.position().x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() is QEvent.Type.ToolTip:
            index = self.index_at(event.pos().x())
            text = tr("Slice {n}", n=index + 1)
            if self._snapshot.finding is not None:
                text += f": {self._judgement(index)}"
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)


def collect_tumour_probabilities(finding: Finding) -> dict[int, float]:
    """For each judged slice the probability of any tumour; of the predicted class where the model
    has no class without one."""
    table = finding.slice_probabilities
    if finding.no_tumour is None:
        values = table[:, finding.classes.index(finding.predicted_class)]
    else:
        values = 1 - table[:, finding.classes.index(finding.no_tumour)]
    return dict(zip(finding.slices, np.clip(values, 0, 1).tolist(), strict=True))


def _runs(indices: list[int]) -> list[list[int]]:
    """Stretches of neighbours."""
    breaks = np.flatnonzero(np.diff(indices) > 1) + 1
    return [part.tolist() for part in np.split(np.array(indices, int), breaks) if part.size]
