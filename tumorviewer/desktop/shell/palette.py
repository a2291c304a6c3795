"""The command palette: type a few letters of what you want, press Enter."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtGui import QBrush, QColor, QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QHeaderView,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from tumorviewer.desktop.shell.actions import TABLE, Actions, Entry
from tumorviewer.desktop.widgets import theme
from tumorviewer.desktop.widgets.controls import make_label
from tumorviewer.language import fold_case, later, tr

_HINT = later("Enter runs it, Up and Down choose, Esc closes.")
_MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
_SIZE = (680, 440)
_NAME = Qt.ItemDataRole.UserRole


class Palette(QDialog):
    """Every action with its key; what cannot be done now is grey and says why.

    Parameters
    ----------
    window
        The palette stands over it.
    actions
        What can be run.
    """

    def __init__(self, window: QWidget, actions: Actions) -> None:
        super().__init__(window, Qt.WindowType.Dialog | Qt.WindowType.FramelessWindowHint)
        self._actions = actions
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Commands"))
        self.setProperty("role", "palette")
        self._query = QLineEdit()
        self._query.setPlaceholderText(tr("What do you want to do?"))
        self._query.setAccessibleName(tr("What do you want to do?"))
        self._query.installEventFilter(self)
        self._query.textChanged.connect(self._fill)
        self._query.returnPressed.connect(self._run)
        self._list = _list()
        self._list.itemActivated.connect(self._run)
        self._list.currentItemChanged.connect(self._explain)
        self._hint = make_label(tr(_HINT), "small")
        layout = QVBoxLayout(self)
        for part in (self._query, self._list, self._hint):
            layout.addWidget(part)
        self._place(window)
        self._fill("")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keys that choose go from the line to the list."""
        pressed = event if event.type() is QEvent.Type.KeyPress else None
        if isinstance(pressed, QKeyEvent) and pressed.key() in _MOVES:
            return QApplication.sendEvent(self._list, event)
        return super().eventFilter(watched, event)

    def _place(self, window: QWidget) -> None:
        self.resize(min(_SIZE[0], window.width() - 32), min(_SIZE[1], window.height() - 96))
        self.move(window.mapToGlobal(QPoint((window.width() - self.width()) // 2, 64)))

    def _fill(self, query: str) -> None:
        self._list.clear()
        for entry in find_matching_entries(query, TABLE):
            self._list.addTopLevelItem(self._item(entry))
        if first := self._list.topLevelItem(0):
            self._list.setCurrentItem(first)
        else:
            self._hint.setText(tr("Nothing is called that. Try other words."))

    def _item(self, entry: Entry) -> QTreeWidgetItem:
        action, reason = self._actions[entry.name], self._actions.why_not(entry.name)
        tick = "✓ " if action.isChecked() else ""
        item = QTreeWidgetItem(
            [tick + entry.title, tr(entry.menu), self._actions.keys_text(entry.name)]
        )
        item.setData(0, _NAME, entry.name)
        grey = QBrush(QColor(theme.current_colours().disabled))
        for column in range(3):
            if reason or column:
                item.setForeground(column, grey if reason else _secondary())
        if reason:
            item.setText(0, f"{item.text(0)} – {reason}")
        return item

    def _explain(self, item: QTreeWidgetItem | None) -> None:
        reason = self._actions.why_not(item.data(0, _NAME)) if item else ""
        self._hint.setText(tr("Not now. {reason}", reason=reason) if reason else tr(_HINT))

    def _run(self) -> None:
        item = self._list.currentItem()
        if item is None or not self._actions[name := item.data(0, _NAME)].isEnabled():
            return
        self.accept()
        self._actions[name].trigger()


def find_matching_entries(query: str, entries: Sequence[Entry]) -> list[Entry]:
    """The entries that have every word of a query, the likeliest first, else in their order."""
    words = fold_case(query).split()
    found = []
    for entry in entries:
        costs = [_cost(word, fold_case(f"{entry.title} {tr(entry.menu)}")) for word in words]
        if None not in costs:
            found.append((sum(cost or 0 for cost in costs), entry))
    return [entry for _, entry in sorted(found, key=lambda pair: pair[0])]


def _cost(word: str, text: str) -> int | None:
    """How far a word is from a text: 0 starts a word of it, 1 is inside one, 2 and more has its
    letters in order with gaps; None has not all of them."""
    if any(part.startswith(word) for part in text.split()):
        return 0
    if word in text:
        return 1
    at, gaps = -1, 0
    for letter in word:
        following = text.find(letter, at + 1)
        if following < 0:
            return None
        gaps += at >= 0 and following != at + 1
        at = following
    return 1 + gaps


def _secondary() -> QBrush:
    return QBrush(QColor(theme.current_colours().secondary))


def _list() -> QTreeWidget:
    made = QTreeWidget()
    made.setColumnCount(3)
    made.setHeaderLabels([tr("Action"), tr("Menu"), tr("Key")])
    made.setHeaderHidden(True)
    made.setRootIsDecorated(False)
    made.setUniformRowHeights(True)
    made.setAllColumnsShowFocus(True)
    made.setAccessibleName(tr("Commands"))
    theme.set_role(made, "table")
    header = made.header()
    header.setStretchLastSection(False)
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    return made
