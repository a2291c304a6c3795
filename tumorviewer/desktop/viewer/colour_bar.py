"""The key to the saliency colours, with a word on what this slice's map is worth."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QWidget

from tumorviewer.desktop.viewer.captions import strip_controls
from tumorviewer.imaging.colormap import COLOURS
from tumorviewer.language import number, tr, written

_WIDEST = 340
_TICKS = ("0", "0.5", "1")


class ColourBar(QWidget):
    """Title, colours with ticks from 0 to 1, and a note below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = self._note = ""
        self._colours = QImage(COLOURS.tobytes(), 256, 1, 768, QImage.Format.Format_RGB888).copy()
        self.setAccessibleName(tr("Saliency colours"))

    def set_text(self, title: str, note: str = "") -> None:
        """``title`` says what low and high mean, ``note`` how this slice's map was scaled."""
        self._title, self._note = strip_controls(title), strip_controls(note)
        self.setAccessibleDescription(f"{self._title}. {self._note}".strip())
        self.setToolTip(self._note)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        width = max(map(metrics.horizontalAdvance, (self._title, _usual_note())))
        return QSize(min(width + 4, _WIDEST), 3 * metrics.height() + 16)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        height = float(self.fontMetrics().height())
        self._draw_line(painter, 0, self._title)
        bar = QRectF(0, height + 2, self.width() - 1, 10)
        painter.setOpacity(1.0 if self.isEnabled() else 0.3)
        painter.drawImage(bar, self._colours)
        painter.setOpacity(1.0)
        painter.drawRect(bar)
        self._draw_ticks(painter, QRectF(0, bar.bottom() + 1, self.width(), height))
        self._draw_line(painter, bar.bottom() + 1 + height, self._note)
        painter.end()

    def _draw_line(self, painter: QPainter, top: float, text: str) -> None:
        shown = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, self.width())
        box = QRectF(0, top, self.width(), self.fontMetrics().height())
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft, shown)

    def _draw_ticks(self, painter: QPainter, box: QRectF) -> None:
        aligns = (
            Qt.AlignmentFlag.AlignLeft,
            Qt.AlignmentFlag.AlignHCenter,
            Qt.AlignmentFlag.AlignRight,
        )
        for text, align in zip(map(written, _TICKS), aligns, strict=True):
            painter.drawText(box, align, text)


def _usual_note() -> str:
    return tr("Scaled by tumour probability {strength}", strength=number(0, ".2f"))
