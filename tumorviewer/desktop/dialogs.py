"""The few windows beside the main one: keys, self-test, about."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QPlainTextEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from tumorviewer import __version__
from tumorviewer.analysis.messages import SelfTest
from tumorviewer.desktop.actions import TABLE, Actions
from tumorviewer.desktop.assessment import RESEARCH_USE
from tumorviewer.desktop.gestures import HINTS
from tumorviewer.desktop.labels import label

ABOUT = (
    "Shows brain-tumour studies with the class that a model predicts and the saliency map behind "
    "it. Nothing leaves this computer."
)


def shortcuts(parent: QWidget, actions: Actions) -> QDialog:
    """Every key, from the table of actions."""
    rows = [(entry.menu, entry.title, actions.keys_text(entry.name)) for entry in TABLE]
    hints = [("In the image", what, how) for how, what in (_split(hint) for hint in HINTS)]
    dialog, layout = _dialog(parent, "Keyboard shortcuts", 620, 640)
    layout.addWidget(_table([*(row for row in rows if row[2]), *hints], "Keyboard shortcuts"))
    return _closable(dialog, layout)


def self_test(parent: QWidget, tested: SelfTest | None, worker: str) -> QDialog:
    """What the start-up self-test found, to be read and copied."""
    dialog, layout = _dialog(parent, "Device and self-test", 560, 360)
    layout.addWidget(label(self_test_summary(tested, worker), "subtitle"))
    text = QPlainTextEdit(self_test_text(tested))
    text.setReadOnly(True)
    text.setTabChangesFocus(True)
    text.setAccessibleName("Result of the self-test")
    layout.addWidget(text, 1)
    return _closable(dialog, layout)


def about(parent: QWidget) -> QDialog:
    dialog, layout = _dialog(parent, "About TumorViewer", 440, 232)
    layout.addWidget(label("TumorViewer", "title"))
    layout.addWidget(label(f"Version {__version__}", "secondary"))
    layout.addWidget(label(ABOUT))
    layout.addWidget(label(RESEARCH_USE, "research"))
    return _closable(dialog, layout)


def self_test_summary(tested: SelfTest | None, worker: str) -> str:
    """One line for the status bar."""
    if tested is None:
        return worker
    if not tested.ok:
        return "The model cannot run: self-test failed"
    return f"Model ready on {tested.device}"


def self_test_text(tested: SelfTest | None) -> str:
    """Versions and problems, a line each."""
    if tested is None:
        return "The analysis process has not reported yet."
    lines = [f"{name} {version}" for name, version in tested.versions.items()]
    if tested.device:
        lines.append(f"Computes on: {tested.device}")
    lines += ["", *tested.problems] if tested.problems else ["", "No problems were found."]
    return "\n".join(lines)


def _split(hint: str) -> tuple[str, str]:
    how, _, what = hint.partition(": ")
    return how, what.capitalize()


def _table(rows: Iterable[tuple[str, str, str]], name: str) -> QTableWidget:
    rows = list(rows)
    table = QTableWidget(len(rows), 3)
    table.setHorizontalHeaderLabels(["Where", "What", "Key"])
    for row, texts in enumerate(rows):
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            table.setItem(row, column, item)
    table.setAccessibleName(name)
    table.verticalHeader().hide()
    table.setShowGrid(False)
    table.setTabKeyNavigation(False)
    table.setWordWrap(True)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    header = table.horizontalHeader()
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
    table.verticalHeader().setDefaultSectionSize(28)
    return table


def _dialog(parent: QWidget, title: str, width: int, height: int) -> tuple[QDialog, QVBoxLayout]:
    dialog = QDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(title)
    dialog.setMinimumWidth(min(width, 440))
    dialog.resize(width, height)
    layout = QVBoxLayout(dialog)
    layout.setContentsMargins(16, 16, 16, 16)
    layout.setSpacing(12)
    return dialog, layout


def _closable(dialog: QDialog, layout: QVBoxLayout) -> QDialog:
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    layout.addWidget(buttons)
    return dialog
