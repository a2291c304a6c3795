"""Small widgets that every panel is made of; text from files is plain text in all of them."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QVBoxLayout,
    QWidget,
)

from tumorviewer.language import tr


def make_label(text: str = "", role: str = "", wrap: bool = True) -> QLabel:
    """Plain text that can be selected with the mouse."""
    made = QLabel()
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setText(text)
    made.setWordWrap(wrap)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    made.setProperty("role", role)
    return made


def make_heading(text: str) -> QLabel:
    """The name of a part of a panel."""
    made = make_label(text, "heading", wrap=False)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
    return made


def make_button(text: str, role: str = "", name: str = "") -> QPushButton:
    """A push button; `name` is what a screen reader says where the text is not enough."""
    made = QPushButton(text)
    made.setProperty("role", role)
    made.setAccessibleName(name or text)
    return made


def make_rule() -> QFrame:
    """A thin line between parts."""
    made = QFrame()
    made.setProperty("role", "rule")
    return made


def format_tip(text: str) -> str:
    """A tooltip that is shown as it stands: Qt guesses at markup otherwise."""
    return f"<span>{escape(text)}</span>".replace("\n", "<br>") if text else ""


def clear_layout(layout: QLayout) -> None:
    """Remove all widgets from a layout."""
    while (item := layout.takeAt(0)) is not None:
        if (widget := item.widget()) is not None:
            widget.hide()
            widget.deleteLater()


class ComboBox(QComboBox):
    """A list to choose from; letters search it and do nothing else in the window. What is chosen
    ends in dots where there is no room for it. The wheel scrolls what lies around it: it changes
    nothing that was not opened."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        control, part = QStyle.ComplexControl.CC_ComboBox, QStyle.SubControl.SC_ComboBoxEditField
        painter.drawComplexControl(control, option)
        width = self.style().subControlRect(control, option, part, self).width()
        text = self.currentText() or self.placeholderText()
        cut = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, width)
        option.currentText = cut
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            held = event.modifiers() & ~Qt.KeyboardModifier.ShiftModifier
            if event.text().isprintable() and event.text() and not held:
                event.accept()
                return True
        return super().event(event)


class ElidedLabel(QLabel):
    """One line of plain text, cut in the middle where there is no room for all of it."""

    def __init__(self, text: str = "", role: str = "") -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", role)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.set_text(text)

    def set_text(self, text: str) -> None:
        self.setText(text)
        self._set_tip()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._set_tip()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.drawText(self.contentsRect(), int(self.alignment()), self._elided())

    def _elided(self) -> str:
        one_line = " ".join(self.text().split())
        width = self.contentsRect().width()
        return self.fontMetrics().elidedText(one_line, Qt.TextElideMode.ElideMiddle, width)

    def _set_tip(self) -> None:
        cut = self._elided() != self.text()
        self.setToolTip(format_tip(self.text()) if cut else "")


class ProgressRow(QWidget):
    """What is being done, how far it is, and a button that ends it."""

    cancelled = Signal()

    def __init__(self, what: str) -> None:
        super().__init__()
        self._text = ElidedLabel("", "small")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(tr("Progress: {what}", what=what))
        self._button = make_button(tr("Cancel"), "chip", tr("Cancel {what}", what=what))
        self._button.clicked.connect(self.cancelled)
        left = QVBoxLayout()
        left.setSpacing(4)
        left.addWidget(self._text)
        left.addWidget(self._bar)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(left, 1)
        layout.addWidget(self._button)
        self.hide()

    def show_progress(self, text: str, done: int = 0, total: int = 0) -> None:
        """Say what is done; a `total` of 0 means that nobody knows how much it is."""
        self._text.set_text(text)
        self._bar.setRange(0, total)
        self._bar.setValue(done)
        self.show()
