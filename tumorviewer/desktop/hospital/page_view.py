"""Pages of a document below each other, as wide as there is room."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from tumorviewer.desktop.widgets.controls import clear_layout
from tumorviewer.language import tr

_GAP = 12


class PageView(QScrollArea):
    """Shows images of pages; the arrow and page keys scroll."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        inner = QWidget()
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(_GAP, _GAP, _GAP, _GAP)
        self._column.setSpacing(_GAP)
        self.setWidget(inner)
        self._pages: list[tuple[QImage, QLabel]] = []
        self.viewport().installEventFilter(self)

    def show_pages(self, pages: Sequence[QImage]) -> None:
        """Show these from the first one on."""
        clear_layout(self._column)
        self._pages = [(page, QLabel()) for page in pages]
        for number, (_, shown) in enumerate(self._pages, 1):
            words = tr("Page {page} of {count}", page=number, count=len(pages))
            shown.setAccessibleName(words)
            self._column.addWidget(shown, 0, Qt.AlignmentFlag.AlignHCenter)
        self._column.addStretch(1)
        self._fit()
        self.verticalScrollBar().setValue(0)

    @property
    def count(self) -> int:
        """How many pages are shown."""
        return len(self._pages)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._fit()
        return super().eventFilter(watched, event)

    def _fit(self) -> None:
        ratio = self.devicePixelRatioF()
        width = round((self.viewport().width() - 2 * _GAP) * ratio)
        for page, shown in self._pages:
            smooth = Qt.TransformationMode.SmoothTransformation
            scaled = QPixmap.fromImage(page.scaledToWidth(min(width, page.width()), smooth))
            scaled.setDevicePixelRatio(ratio)
            shown.setPixmap(scaled)
