"""A sentence in the place of an answer, or above it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from tumorviewer.desktop.widgets import theme
from tumorviewer.desktop.widgets.controls import make_button, make_label


class Message(QWidget):
    """A sentence and at most one thing to do about it."""

    action_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._action = ""
        self._text = make_label()
        self._button = make_button("")
        self._button.clicked.connect(lambda: self.action_wanted.emit(self._action))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self._text)
        layout.addWidget(self._button, 0, Qt.AlignmentFlag.AlignLeft)

    def text(self) -> str:
        return self._text.text()

    def show_text(self, text: str, is_error: bool, action: str, action_text: str) -> None:
        self._action = action
        theme.set_role(self._text, "error" if is_error else "secondary")
        self._text.setText(text)
        self._button.setText(action_text)
        self._button.setAccessibleName(action_text)
        self._button.setVisible(bool(action))
        self.show()
