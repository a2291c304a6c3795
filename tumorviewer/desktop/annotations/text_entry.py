"""A line of text that is typed on the image."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF
from PySide6.QtGui import QFocusEvent, QKeyEvent, Qt
from PySide6.QtWidgets import QLineEdit, QWidget

from tumorviewer.language import tr

_LONGEST = 200
_WIDTH = 220


class TextEntry(QLineEdit):
    """Enter, or leaving it, keeps what was typed; Escape does not.

    Parameters
    ----------
    keep
        Told the text, without spaces around it.
    """

    def __init__(
        self, parent: QWidget, at: QPointF, text: str, keep: Callable[[str], object]
    ) -> None:
        super().__init__(text, parent)
        self._keep: Callable[[str], object] | None = keep
        self._viewport = parent
        self.setAccessibleName(tr("Text of the mark"))
        self.setPlaceholderText(tr("Text, then Enter"))
        self.setMaxLength(_LONGEST)
        self.resize(_WIDTH, self.sizeHint().height())
        left = min(max(round(at.x()) + 8, 0), parent.width() - self.width())
        top = min(max(round(at.y()) - self.height() // 2, 0), parent.height() - self.height())
        self.move(left, top)
        self.returnPressed.connect(lambda: self._end(is_kept=True))
        self.show()
        self.setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._end(is_kept=False)
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._end(is_kept=True)

    def _end(self, *, is_kept: bool) -> None:
        keep, self._keep = self._keep, None
        if keep is None:
            return
        self._viewport.setFocus()
        self.deleteLater()
        self.hide()
        if is_kept:
            keep(self.text().strip())
