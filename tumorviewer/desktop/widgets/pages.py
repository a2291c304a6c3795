"""What the pages of the training workspace are made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLayout,
    QMessageBox,
    QPlainTextEdit,
    QScrollArea,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from tumorviewer.desktop.widgets.controls import clear_layout, make_label
from tumorviewer.language import later, tr

_STAGES = {
    "reading": later("reading"),
    "comparing": later("comparing"),
    "embedding": later("embedding"),
    "judging": later("judging"),
    "asking the model": later("asking the model"),
    "calibration": later("calibration"),
    "sets and abstention": later("sets and abstention"),
    "similar cases": later("similar cases"),
    "training cohort": later("training cohort"),
    "saliency maps": later("saliency maps"),
}
"""Names of the stages of the trainer's progress, by its own names for them."""


class Page(QScrollArea):
    """Parts below each other, as wide as is readable."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        inner = QWidget()
        inner.setProperty("role", "panel")
        inner.setMaximumWidth(1040)
        self.column = QVBoxLayout(inner)
        self.column.setContentsMargins(24, 16, 24, 16)
        self.column.setSpacing(12)
        self.setWidget(inner)

    def add(self, *parts: QWidget | QLayout) -> None:
        for part in parts:
            if isinstance(part, QLayout):
                self.column.addLayout(part)
            else:
                self.column.addWidget(part)

    def end(self) -> None:
        """What room is left stays empty."""
        self.column.addStretch(1)


class Sentences(QWidget):
    """One box for each."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)

    def show_texts(self, texts: Sequence[str]) -> None:
        clear_layout(self._column)
        for text in texts:
            self._column.addWidget(make_label(text, self._role))
        self.setVisible(bool(texts))


class TextTable(QTableWidget):
    """Words and numbers to be read; as high as its rows."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.verticalHeader().hide()
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)

    def show_rows(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Numbers, which are all but the first of a row, stand to the right."""
        self.setColumnCount(len(headings))
        for column, text in enumerate(headings):
            self.setHorizontalHeaderItem(column, _cell(text, column))
        self.setRowCount(len(rows))
        for row, cells in enumerate(rows):
            for column, text in enumerate(cells):
                self.setItem(row, column, _cell(text, column))
        self.resizeRowsToContents()
        self.setFixedHeight(self._height())

    def _height(self) -> int:
        rows = sum(self.rowHeight(row) for row in range(self.rowCount()))
        return rows + self.horizontalHeader().sizeHint().height() + 4


def _cell(text: str, column: int) -> QTableWidgetItem:
    made = QTableWidgetItem(text)
    side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
    made.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
    return made


def name_stage(stage: str) -> str:
    """A stage of the trainer's progress, in the user's language."""
    return tr(_STAGES.get(stage, stage))


def make_facts(*lines: tuple[str, QWidget]) -> QWidget:
    """A name and what it is of, below each other; the name goes with the keyboard focus too."""
    made = QWidget()
    form = QFormLayout(made)
    form.setContentsMargins(0, 0, 0, 0)
    form.setSpacing(8)
    for text, shown in lines:
        name = QLabel(text)
        name.setBuddy(shown)
        if not isinstance(shown, QLabel):  # which a screen reader reads itself
            shown.setAccessibleName(text)
        form.addRow(name, shown)
    return made


def make_remarks(name: str) -> QPlainTextEdit:
    """Lines to be read and copied."""
    made = QPlainTextEdit()
    made.setReadOnly(True)
    made.setTabChangesFocus(True)
    made.setMinimumHeight(110)
    made.setAccessibleName(name)
    return made


def make_row(*parts: QWidget) -> QHBoxLayout:
    """Side by side, at the left."""
    made = QHBoxLayout()
    made.setSpacing(8)
    for part in parts:
        made.addWidget(part)
    made.addStretch(1)
    return made


def show_file(path: Path, parent: QWidget) -> None:
    """Open a file in the program that the system has for it, or say where it is."""
    if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))):
        box = QMessageBox(parent)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setText(tr("This computer has no program for it. The report is here:"))
        box.setInformativeText(str(path))
        box.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        box.open()
