"""Shares with their intervals: over months as a line, of groups as bars."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from tumorviewer.desktop.widgets import theme
from tumorviewer.language import percent, tr
from tumorviewer.records.site import site_words
from tumorviewer.records.site.agreement import Rate

Rates = Sequence[tuple[str, Rate]]
_LEFT, _TOP, _BOTTOM = 52, 12, 40
_DOT = 4.0
_BESIDE = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class _Chart(QWidget):
    """Names and rates, said to a screen reader as they are drawn."""

    def __init__(self, name: str, empty: str) -> None:
        super().__init__()
        self._rates: Rates = ()
        self._empty = empty
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_rates(self, rates: Rates) -> None:
        self._rates = rates
        spoken = (f"{name}: {site_words.format_rate(one)}" for name, one in rates)
        self.setAccessibleDescription("; ".join(spoken) or self._empty)
        self.updateGeometry()
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPointSizeF(9)
        painter.setFont(font)
        if self._rates:
            self.paint(painter)
            return
        painter.setPen(QColor(theme.current_colours().secondary))
        wrapped = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(self.rect(), int(wrapped), self._empty)

    def paint(self, painter: QPainter) -> None:
        raise NotImplementedError


class MonthChart(_Chart):
    """A point a month, with its interval; an open point stands for few studies."""

    def sizeHint(self) -> QSize:
        return QSize(640, 240)

    def minimumSizeHint(self) -> QSize:
        return QSize(320, 200)

    def paint(self, painter: QPainter) -> None:
        colours = theme.current_colours()
        inside = QRectF(self.rect()).adjusted(_LEFT, _TOP, -24, -_BOTTOM)
        _paint_grid(painter, inside)
        count = len(self._rates)
        at = [inside.left() + inside.width() * (i + 0.5) / count for i in range(count)]
        points = [QPointF(x, _y(inside, one.value))
                  for x, (_, one) in zip(at, self._rates, strict=True)]  # fmt: skip
        painter.setPen(QPen(QColor(colours.accent), 2))
        painter.drawPolyline(QPolygonF(points))
        every = -(-count // 12)
        for i, (point, (name, one)) in enumerate(zip(points, self._rates, strict=True)):
            low, high = one.interval
            painter.setPen(QPen(QColor(colours.accent), 1.5))
            painter.drawLine(
                QPointF(point.x(), _y(inside, low)), QPointF(point.x(), _y(inside, high))
            )
            is_few = one.n < site_words.FEW
            painter.setBrush(QColor(colours.panel if is_few else colours.accent))
            painter.drawEllipse(point, _DOT, _DOT)
            if i % every == 0:
                painter.setPen(QColor(colours.secondary))
                foot = QRectF(point.x() - 40, inside.bottom() + 6, 80, 30)
                said = tr("{month}\nn = {n}", month=name, n=one.n)
                painter.drawText(foot, Qt.AlignmentFlag.AlignHCenter, said)


class BarChart(_Chart):
    """A bar for each group, with its interval and its share in words."""

    def _step(self) -> int:
        return self.fontMetrics().height() + 12

    def sizeHint(self) -> QSize:
        return QSize(640, max(1, len(self._rates)) * self._step() + 8)

    def minimumSizeHint(self) -> QSize:
        return QSize(320, self.sizeHint().height())

    def paint(self, painter: QPainter) -> None:
        colours, step = theme.current_colours(), self._step()
        names = self.width() // 4  # whatever they are: charts below each other have one left edge
        words = painter.fontMetrics().horizontalAdvance("888 / 888 (100 %; 100–100)") + 16
        for row, (name, one) in enumerate(self._rates):
            top = row * step + 4.0
            painter.setPen(QColor(colours.text))
            left = QRectF(0, top, names - 8, step - 8)
            elided = painter.fontMetrics().elidedText(
                name, Qt.TextElideMode.ElideMiddle, int(left.width())
            )
            painter.drawText(left, Qt.AlignmentFlag.AlignVCenter, elided)
            bar = QRectF(names, top, max(40, self.width() - names - words), step - 8)
            _paint_bar(painter, bar, one)
            painter.setPen(QColor(colours.text))
            beside = QRectF(bar.right() + 8, top, words - 8, step - 8)
            painter.drawText(beside, Qt.AlignmentFlag.AlignVCenter, site_words.format_rate(one))


def _paint_grid(painter: QPainter, inside: QRectF) -> None:
    colours = theme.current_colours()
    for step in range(5):
        y = _y(inside, step / 4)
        painter.setPen(QColor(colours.border))
        painter.drawLine(QPointF(inside.left(), y), QPointF(inside.right(), y))
        painter.setPen(QColor(colours.secondary))
        painter.drawText(QRectF(0, y - 9, _LEFT - 8, 18), _BESIDE, percent(step / 4))


def _paint_bar(painter: QPainter, bar: QRectF, one: Rate) -> None:
    colours = theme.current_colours()
    thin = bar.adjusted(0, bar.height() / 4, 0, -bar.height() / 4)
    painter.fillRect(thin, QColor(colours.track))
    fill = QRectF(thin)
    fill.setWidth(thin.width() * one.value)
    painter.fillRect(fill, QColor(colours.accent))
    low, high = (bar.left() + bar.width() * end for end in one.interval)
    painter.setPen(QPen(QColor(colours.text), 1.5))
    painter.drawLine(QPointF(low, bar.center().y()), QPointF(high, bar.center().y()))
    for x in (low, high):
        painter.drawLine(QPointF(x, bar.center().y() - 4), QPointF(x, bar.center().y() + 4))


def _y(inside: QRectF, share: float) -> float:
    return inside.bottom() - inside.height() * share
