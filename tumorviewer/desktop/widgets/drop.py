"""Files and folders that are dragged onto the window."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragMoveEvent,
    QDropEvent,
    QFont,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QWidget

from tumorviewer.desktop.widgets import theme
from tumorviewer.language import tr


def list_local_paths(mime: QMimeData) -> list[Path]:
    """Files and folders of this machine among what is dragged."""
    return [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]


class DropZone(QObject):
    """Makes a whole window accept files and folders, and shows it while they hover.

    Parameters
    ----------
    window
        Where things may be dropped.
    """

    dropped = Signal(list)
    """Paths that were let go over the window."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._highlight = Highlight(window)
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        match event:
            case QDragEnterEvent() | QDragMoveEvent():
                return self._hover(event)
            case QDropEvent():
                self._highlight.hide()
                event.acceptProposedAction()
                self.dropped.emit(list_local_paths(event.mimeData()))
                return True
        if event.type() == QEvent.Type.DragLeave:
            self._highlight.hide()
        return super().eventFilter(watched, event)

    def _hover(self, event: QDragMoveEvent) -> bool:
        if not list_local_paths(event.mimeData()):
            event.ignore()
            return True
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self._highlight.cover()
        return True


class Highlight(QWidget):
    """A frame over the window that says what letting go will do."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self.setObjectName("dropHighlight")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def cover(self) -> None:
        """Lie over the whole window."""
        self.setGeometry(self._window.rect())
        self.raise_()
        self.show()

    def paintEvent(self, _event: QPaintEvent) -> None:
        colours = theme.current_colours()
        veil = QColor(colours.window)
        veil.setAlpha(215)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), veil)
        painter.setPen(QPen(QColor(colours.accent), 2, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(17, 17, -17, -17), 12, 12)
        font = QFont(self.font())
        font.setPointSize(20)
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(QColor(colours.text))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, tr("Let go to open"))
