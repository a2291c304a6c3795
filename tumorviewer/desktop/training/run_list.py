"""The list of data sets and runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QFrame, QTreeWidget, QTreeWidgetItem, QVBoxLayout

from tumorviewer.desktop.training.run_store import DataSet, TrainingRun
from tumorviewer.desktop.widgets.controls import make_button, make_heading
from tumorviewer.language import tr


class RunList(QFrame):
    """Data sets, and below each its runs."""

    chosen = Signal(DataSet, TrainingRun)
    """A :class:`DataSet`, and one of its runs or None."""
    new_wanted = Signal()
    folder_wanted = Signal()
    deletion_wanted = Signal(DataSet, TrainingRun)
    """As `chosen`."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "panel")
        self.setMinimumWidth(220)
        self.tree = _Tree()
        self.tree.deletion_wanted.connect(self._delete)
        self.tree.setHeaderHidden(True)
        self.tree.setProperty("role", "table")
        self.tree.setAccessibleName(tr("Data sets and runs"))
        self.tree.currentItemChanged.connect(self._turned)
        self.new, self.folder = (
            make_button(tr("Send read studies…")),
            make_button(tr("Add a folder…")),
        )
        self.new.clicked.connect(self.new_wanted)
        self.folder.clicked.connect(self.folder_wanted)
        self.folder.setToolTip(tr("Labelled pictures or studies, a folder for each class"))
        self.delete = make_button(tr("Delete…"))
        self.delete.clicked.connect(self._delete)
        self.delete.setToolTip(tr("The data set or run that is marked in the list"))
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 8, 12)
        column.setSpacing(8)
        column.addWidget(make_heading(tr("Data sets and runs")))
        column.addWidget(self.tree, 1)
        column.addWidget(self.delete)
        column.addWidget(self.new)
        column.addWidget(self.folder)

    def show_sets(
        self, sets: Sequence[DataSet], run: Path | None = None, data: Path | None = None
    ) -> None:
        """Show these, and turn to none; the folder of what is shown stays marked."""
        with QSignalBlocker(self.tree):
            self.tree.clear()
            for one in sets:
                item = QTreeWidgetItem([one.name])
                item.setData(0, Qt.ItemDataRole.UserRole, (one, None))
                self.tree.addTopLevelItem(item)
                for each in one.runs():
                    below = QTreeWidgetItem([_run_words(each)])
                    below.setToolTip(0, _what_it_is(each))
                    below.setData(0, Qt.ItemDataRole.UserRole, (one, each))
                    item.addChild(below)
            self.tree.expandAll()
        if marked := run or data:
            self.select_folder(marked)
        self.delete.setVisible(bool(sets))

    def select_folder(self, folder: Path) -> None:
        """Mark the row of a data set or run."""
        with QSignalBlocker(self.tree):
            for item in self._items():
                data, run = item.data(0, Qt.ItemDataRole.UserRole)
                if (run or data).folder == folder:
                    self.tree.setCurrentItem(item)

    def _items(self) -> list[QTreeWidgetItem]:
        tops = [self.tree.topLevelItem(at) for at in range(self.tree.topLevelItemCount())]
        below = [top.child(at) for top in tops if top for at in range(top.childCount())]
        return [item for item in (*tops, *below) if item is not None]

    def _delete(self) -> None:
        if (item := self.tree.currentItem()) is not None:
            self.deletion_wanted.emit(*item.data(0, Qt.ItemDataRole.UserRole))

    def _turned(self, item: QTreeWidgetItem | None) -> None:
        if item is not None:
            self.chosen.emit(*item.data(0, Qt.ItemDataRole.UserRole))


class _Tree(QTreeWidget):
    """The delete key means the marked row, and no mark in a picture."""

    deletion_wanted = Signal()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.matches(QKeySequence.StandardKey.Delete):
            if event.type() == QEvent.Type.KeyPress:
                self.deletion_wanted.emit()
            event.accept()
            return True
        return super().event(event)


def _run_words(run: TrainingRun) -> str:
    if run.is_crossval:
        return tr("Folds {run} · {state}", run=run.name, state=tr(run.state.value))
    return tr("Run {run} · {state}", run=run.name, state=tr(run.state.value))


def _what_it_is(run: TrainingRun) -> str:
    if run.is_crossval:
        return tr("A cross-validation: a network for each fold")
    return tr("A training of one model")
