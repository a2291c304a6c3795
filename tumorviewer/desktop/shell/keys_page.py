"""The page of the settings on which keys are given to actions."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from tumorviewer.desktop.services.settings import Settings
from tumorviewer.desktop.shell import keys
from tumorviewer.desktop.shell.actions import TABLE, Actions, Entry
from tumorviewer.desktop.shell.palette import find_matching_entries
from tumorviewer.desktop.widgets import theme
from tumorviewer.desktop.widgets.controls import make_button, make_label
from tumorviewer.language import tr

_NAME = Qt.ItemDataRole.UserRole
_LEAVING = (Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Enter)


class KeysPage(QWidget):
    """Every action with its keys; a key that another action has is only taken knowingly."""

    def __init__(self, settings: Settings, actions: Actions) -> None:
        super().__init__()
        self._settings, self._actions = settings, actions
        self._query = QLineEdit()
        self._query.setPlaceholderText(tr("Find an action"))
        self._query.setAccessibleName(tr("Find an action"))
        self._query.textChanged.connect(lambda: self._fill(""))
        self._list = _list()
        self._list.itemActivated.connect(self._change)
        row = QHBoxLayout()
        for text, slot in (
            (tr("Change key…"), self._change),
            (tr("Add key…"), self._add),
            (tr("No key"), self._remove),
            (tr("Default key"), self._reset),
            (tr("All defaults"), self._reset_all),
        ):
            row.addWidget(made := make_button(text))
            made.clicked.connect(slot)
        layout = QVBoxLayout(self)
        layout.addWidget(self._query)
        layout.addWidget(self._list)
        layout.addLayout(row)
        self._fill(TABLE[0].name)

    def _fill(self, chosen: str) -> None:
        self._list.clear()
        changed = keys.find_changed_keys(self._actions)
        for entry in find_matching_entries(self._query.text(), TABLE):
            text = self._actions.keys_text(entry.name)
            words = tr("Changed") if entry.name in changed else ""
            item = QTreeWidgetItem([entry.title, tr(entry.menu), text, words])
            item.setData(0, _NAME, entry.name)
            self._list.addTopLevelItem(item)
            if entry.name == chosen or self._list.currentItem() is None:
                self._list.setCurrentItem(item)

    def _name(self) -> str:
        item = self._list.currentItem()
        return str(item.data(0, _NAME)) if item else ""

    def _change(self) -> None:
        self._ask(())

    def _add(self) -> None:
        self._ask(self._actions.keys(self._name()) if self._name() else ())

    def _ask(self, kept: tuple[str, ...]) -> None:
        if name := self._name():
            dialog = KeyDialog(self, self._actions, name)
            dialog.accepted.connect(lambda: self._take(name, dialog.key, kept))
            dialog.open()

    def _take(self, name: str, key: str, kept: tuple[str, ...]) -> None:
        """Give a key, away from the action that had it."""
        if owner := keys.find_key_owner(self._actions, name, key):
            left = tuple(each for each in self._actions.keys(owner) if each != key)
            self._actions.set_keys(owner, left)
        self._actions.set_keys(name, tuple(dict.fromkeys((*kept, key))))
        self._keep(name)

    def _remove(self) -> None:
        if name := self._name():
            self._actions.set_keys(name, ())
            self._keep(name)

    def _reset(self) -> None:
        """Give one action its own key, away from the actions that have it by now."""
        if name := self._name():
            own = next(entry.keys for entry in TABLE if entry.name == name)
            self._actions.set_keys(name, ())
            for key in own:
                self._take(name, key, self._actions.keys(name))

    def _reset_all(self) -> None:
        keys.restore_keys(self._actions)
        self._keep(self._name())

    def _keep(self, name: str) -> None:
        self._settings.choose_keys(keys.find_changed_keys(self._actions))
        self._fill(name)


class KeyDialog(QDialog):
    """Waits for a key, and says whose it is.

    Attributes
    ----------
    key
        As the table writes it.
    """

    def __init__(self, parent: QWidget, actions: Actions, name: str) -> None:
        super().__init__(parent)
        self._actions, self._name, self.key = actions, name, ""
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Press a key"))
        self.setMinimumWidth(440)
        self._field = KeyField()
        self._field.key_pressed.connect(self._show)
        self._words = make_label(tr("Tab goes on to the buttons, Esc cancels."))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self._accept: QPushButton = make_button(tr("Use it"), "primary")
        self._accept.setEnabled(False)
        self._accept.clicked.connect(self.accept)
        buttons.addButton(self._accept, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addWidget(
            make_label(tr("New key of “{title}”", title=_entry(name).title), "subtitle")
        )
        for part in (self._field, self._words, buttons):
            layout.addWidget(part)

    def _show(self, key: str) -> None:
        owner = keys.find_key_owner(self._actions, self._name, key)
        fixed = keys.is_fixed(self._name, key)
        self.key = "" if fixed else key
        self._accept.setEnabled(not fixed)
        self._accept.setText(tr("Take it from there") if owner and not fixed else tr("Use it"))
        self._accept.setAccessibleName(self._accept.text())
        if fixed:
            words = tr(
                "This key {does}; it cannot be given to an action.", does=tr(keys.FIXED[key])
            )
        elif owner:
            words = tr(
                "This is the key of “{title}”, which would lose it.", title=_entry(owner).title
            )
        else:
            words = tr("This key is free.")
        self._words.setText(words)
        theme.set_role(self._words, "warning" if owner or fixed else "")


class KeyField(QLineEdit):
    """Shows the key that was pressed in it last."""

    key_pressed = Signal(str)
    """The key as the table of actions writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setPlaceholderText(tr("Press the key here"))
        self.setAccessibleName(tr("New key"))

    def event(self, event: QEvent) -> bool:
        """No key is a shortcut here, but those that leave the field."""
        if event.type() is QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _LEAVING:
            event.ignore()
        elif key := keys.describe_pressed_key(event):
            native = QKeySequence.SequenceFormat.NativeText
            self.setText(QKeySequence(key).toString(native))
            self.key_pressed.emit(key)


def _entry(name: str) -> Entry:
    return next(entry for entry in TABLE if entry.name == name)


def _list() -> QTreeWidget:
    made = QTreeWidget()
    made.setHeaderLabels([tr("Action"), tr("Menu"), tr("Key"), ""])
    made.setRootIsDecorated(False)
    made.setUniformRowHeights(True)
    made.setAllColumnsShowFocus(True)
    made.setAccessibleName(tr("Actions and their keys"))
    theme.set_role(made, "table")
    made.header().setStretchLastSection(False)
    made.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    made.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    return made
