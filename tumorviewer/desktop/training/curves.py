"""The curves of a running training: loss, and figures on the part that is kept back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from tumorviewer.desktop.widgets import theme
from tumorviewer.language import later, number, tr

_DOT = 3.0
_LEFT, _BOTTOM, _TOP = 44, 24, 26
_BESIDE = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True)
class Line:
    """One curve."""

    key: str
    """A key of the trainer's progress lines."""
    name: str
    colour: str
    """The name of one of :class:`tumorviewer.desktop.widgets.theme.Colours`."""
    style: Qt.PenStyle = Qt.PenStyle.SolidLine


LOSSES = (
    Line("loss", later("Training loss"), "secondary", Qt.PenStyle.DashLine),
    Line("log_loss", later("Validation log loss"), "accent"),
)
SHARES = (
    Line("accuracy", later("Validation accuracy"), "accent"),
    Line("macro_f1", later("Validation F1"), "warning", Qt.PenStyle.DashLine),
)


class Curves(QWidget):
    """Two charts side by side, a point for each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.losses = CurveChart(LOSSES, tr("Loss of each epoch"), is_share=False)
        self.shares = CurveChart(SHARES, tr("Accuracy and F1 of each epoch"), is_share=True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(24)
        for chart in (self.losses, self.shares):
            row.addWidget(chart, 1)

    def show_epochs(self, epochs: Sequence[dict[str, Any]], total: int) -> None:
        """Show what was logged so far, of `total` epochs; each entry has ``epoch`` in it."""
        for chart in (self.losses, self.shares):
            chart.show_epochs(epochs, total)


class CurveChart(QWidget):
    """Figures over epochs, from 1."""

    def __init__(self, lines: Sequence[Line], name: str, *, is_share: bool) -> None:
        super().__init__()
        self._lines, self._is_share = lines, is_share
        self._epochs: Sequence[dict[str, Any]] = ()
        self._total = 1
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_epochs(self, epochs: Sequence[dict[str, Any]], total: int) -> None:
        self._epochs, self._total = epochs, max(total, 1)
        self.setAccessibleDescription(self._spoken())
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(360, 240)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 160)

    def points(self, line: Line) -> list[tuple[int, float]]:
        """Epoch and figure, where there is one."""
        pairs = ((entry["epoch"], entry.get(line.key)) for entry in self._epochs)
        return [(at, value) for at, value in pairs if value is not None and math.isfinite(value)]

    def _spoken(self) -> str:
        said = []
        for line in self._lines:
            if points := self.points(line):
                epoch, value = points[-1]
                said.append(
                    tr("{name} {value} after epoch {epoch}",
                       name=tr(line.name), value=number(value, ".3f"), epoch=epoch)
                )  # fmt: skip
        return ", ".join(said) or tr("No epoch is finished yet.")

    def _range(self) -> tuple[float, float]:
        if self._is_share:
            return 0.0, 1.0
        values = [value for line in self._lines for _, value in self.points(line)]
        return 0.0, _rounded_up(max(values, default=1.0))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPointSizeF(9)
        painter.setFont(font)
        inside = QRectF(self.rect()).adjusted(_LEFT, _TOP, -8, -_BOTTOM)
        self._paint_grid(painter, inside)
        self._paint_legend(painter)
        for line in self._lines:
            self._paint_line(painter, inside, line)
        if not any(map(self.points, self._lines)):
            painter.setPen(QColor(theme.current_colours().secondary))
            text = tr("The first point comes after the first epoch.")
            if self._epochs:
                text = tr("Nothing is kept back to judge it by.")
            between = inside.translated(0, inside.height() / 8)  # the lines of the grid
            painter.drawText(between, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_grid(self, painter: QPainter, inside: QRectF) -> None:
        colours = theme.current_colours()
        low, high = self._range()
        for step in range(5):
            y = inside.bottom() - inside.height() * step / 4
            painter.setPen(QColor(colours.border))
            painter.drawLine(QPointF(inside.left(), y), QPointF(inside.right(), y))
            painter.setPen(QColor(colours.secondary))
            label = number(low + (high - low) * step / 4, ".2f")
            box = QRectF(0, y - 8, _LEFT - 8, 16)
            painter.drawText(box, _BESIDE, label)
        for epoch in _ticks(self._total):
            x = self._x(inside, epoch)
            box = QRectF(x - 24, inside.bottom() + 4, 48, 18)
            painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, str(epoch))

    def _paint_legend(self, painter: QPainter) -> None:
        x = float(_LEFT)
        for line in self._lines:
            painter.setPen(self._pen(line))
            painter.drawLine(QPointF(x, 9), QPointF(x + 22, 9))
            painter.setPen(QColor(theme.current_colours().text))
            points = self.points(line)
            text = tr(line.name) + (f"  {number(points[-1][1], '.3f')}" if points else "")
            width = painter.fontMetrics().horizontalAdvance(text)
            painter.drawText(QRectF(x + 28, 0, width + 4, 18), Qt.AlignmentFlag.AlignVCenter, text)
            x += width + 48

    def _paint_line(self, painter: QPainter, inside: QRectF, line: Line) -> None:
        low, high = self._range()
        points = [
            QPointF(self._x(inside, epoch),
                    inside.bottom() - inside.height() * (value - low) / (high - low))
            for epoch, value in self.points(line)
        ]  # fmt: skip
        painter.setPen(self._pen(line))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(points))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(getattr(theme.current_colours(), line.colour)))
        for point in points if len(points) < 60 else points[-1:]:
            painter.drawEllipse(point, _DOT, _DOT)

    def _pen(self, line: Line) -> QPen:
        return QPen(QColor(getattr(theme.current_colours(), line.colour)), 2, line.style)

    def _x(self, inside: QRectF, epoch: int) -> float:
        if self._total == 1:
            return inside.center().x()
        return inside.left() + inside.width() * (epoch - 1) / (self._total - 1)


def _ticks(total: int) -> list[int]:
    """At most seven epochs, the first and the last among them."""
    step = max(1, round((total - 1) / 6))
    ticks = list(range(1, total + 1, step))
    if ticks[-1] == total:
        return ticks
    return [*(ticks[:-1] if total - ticks[-1] < step / 2 else ticks), total]


def _rounded_up(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value)
