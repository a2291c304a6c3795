"""Probabilities as bars with their numbers."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from tumorviewer import language
from tumorviewer.desktop.widgets import theme
from tumorviewer.language import tr

_BAR = 6


@dataclass(frozen=True)
class Bar:
    """One line: a name and how likely it is, 0–1."""

    name: str
    probability: float
    is_first: bool = False


class ProbabilityBars(QWidget):
    """A line for each class, the predicted one in the accent colour."""

    def __init__(self) -> None:
        super().__init__()
        self._bars: tuple[Bar, ...] = ()
        self.setAccessibleName(tr("Probabilities"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_bars(self, bars: tuple[Bar, ...]) -> None:
        self._bars = bars
        spoken = ", ".join(f"{bar.name} {format_percent(bar.probability)}" for bar in bars)
        self.setAccessibleDescription(spoken)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(160, len(self._bars) * self._step())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for at, bar in enumerate(self._bars):
            self._paint_bar(painter, bar, at * self._step())

    def _step(self) -> int:
        return self.fontMetrics().height() + _BAR + 14

    def _paint_bar(self, painter: QPainter, bar: Bar, top: int) -> None:
        colours = theme.current_colours()
        font = QFont(self.font())
        font.setWeight(QFont.Weight.DemiBold if bar.is_first else QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(QColor(colours.text))
        line = QRectF(0, top, self.width(), self.fontMetrics().height())
        painter.drawText(line, Qt.AlignmentFlag.AlignRight, format_percent(bar.probability))
        room = int(line.width()) - self.fontMetrics().horizontalAdvance(format_percent(1)) - 16
        name = painter.fontMetrics().elidedText(bar.name, Qt.TextElideMode.ElideRight, room)
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft, name)
        painter.setPen(Qt.PenStyle.NoPen)
        whole = QRectF(0, line.bottom() + 4, self.width(), _BAR)
        painter.setBrush(QColor(colours.track))
        painter.drawRoundedRect(whole, _BAR / 2, _BAR / 2)
        whole.setWidth(max(_BAR, whole.width() * bar.probability))
        painter.setBrush(QColor(colours.accent if bar.is_first else colours.secondary))
        painter.drawRoundedRect(whole, _BAR / 2, _BAR / 2)


def format_percent(probability: float) -> str:
    """A probability for people: never a rounded 0 or 100 where it is neither."""
    if 0 < probability < 0.0005:
        return f"< {language.percent(0.001, 1)}"
    if 0.9995 <= probability < 1:
        return f"> {language.percent(0.999, 1)}"
    return language.percent(probability, 1)
