"""The settings as a dialog; what is chosen holds at once."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from tumorviewer.desktop.services.preferences import OPTIONS, SettingOption
from tumorviewer.desktop.services.settings import Settings
from tumorviewer.desktop.shell import keys
from tumorviewer.desktop.shell.actions import Actions
from tumorviewer.desktop.shell.keys_page import KeysPage
from tumorviewer.desktop.widgets.controls import ComboBox, make_button, make_label
from tumorviewer.language import tr


class SettingsDialog(QDialog):
    """A page for each group of options, and one for the keys.

    Parameters
    ----------
    settings
        Where choices are kept.
    actions
        Whose keys can be changed.
    """

    def __init__(self, parent: QWidget, settings: Settings, actions: Actions) -> None:
        super().__init__(parent)
        self._settings = settings
        self._inputs: dict[str, _Input] = {}
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Settings"))
        self.resize(640, 560)
        self.pages = QTabWidget()
        for page in dict.fromkeys(option.page for option in OPTIONS):
            self.pages.addTab(self._page(page), tr(page))
        self.pages.addTab(KeysPage(settings, actions), tr("Keys"))
        for part in (self.pages, self.pages.tabBar()):
            part.setAccessibleName(tr("Pages of the settings"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        if problems := (*settings.problems, *keys.assign_keys(actions, settings.keys)):
            layout.addWidget(make_label("\n".join(problems), "warning"))
        layout.addWidget(self.pages)
        layout.addWidget(make_label(tr("Kept in {file}", file=settings.file), "small"))
        layout.addWidget(self._buttons())
        settings.changed.connect(self._show)

    def _page(self, page: str) -> QWidget:
        made = QWidget()
        form = QFormLayout(made)
        form.setContentsMargins(16, 16, 16, 16)
        form.setSpacing(8)
        for option in (option for option in OPTIONS if option.page == page):
            _add(form, option, self._input(option))
        return made

    def _input(self, option: SettingOption) -> _Input:
        made: _Input
        if option.choices:
            made = self._choice(option)
        elif isinstance(option.default, bool):
            made = self._tick(option)
        elif not option.is_folder:
            made = self._line(option)
        else:
            made = FolderField(tr(option.text))
            made.chosen.connect(partial(self._settings.choose, option.name))
        made.setAccessibleName(tr(option.text))
        made.setAccessibleDescription(tr(option.tip))
        self._inputs[option.name] = made
        self._show(option.name)
        return made

    def _choice(self, option: SettingOption) -> ComboBox:
        made = ComboBox()
        for value, words in option.choices:
            made.addItem(tr(words), value)
        made.activated.connect(
            lambda at, made=made: self._settings.choose(option.name, made.itemData(at))
        )
        return made

    def _tick(self, option: SettingOption) -> QCheckBox:
        made = QCheckBox(tr(option.text))
        made.clicked.connect(lambda ticked: self._settings.choose(option.name, ticked))
        return made

    def _line(self, option: SettingOption) -> QLineEdit:
        made = QLineEdit()
        made.editingFinished.connect(
            lambda: self._settings.choose(option.name, made.text().strip())
        )
        return made

    def _show(self, name: str) -> None:
        shown, value = self._inputs[name], self._settings[name]
        if isinstance(shown, ComboBox):
            shown.setCurrentIndex(shown.findData(value))
        elif isinstance(shown, FolderField):
            shown.show_folder(str(value))
        elif isinstance(shown, QLineEdit):
            shown.setText(str(value))
        else:
            shown.setChecked(bool(value))

    def _buttons(self) -> QDialogButtonBox:
        made = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        defaults = make_button(
            tr("Default settings"), name=tr("Have every setting as it comes; keys stay")
        )
        defaults.clicked.connect(self._settings.choose_defaults)
        made.addButton(defaults, QDialogButtonBox.ButtonRole.ResetRole)
        made.rejected.connect(self.reject)
        return made


class FolderField(QWidget):
    """A folder, typed or chosen."""

    chosen = Signal(str)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.line = QLineEdit()
        self.line.setAccessibleName(name)
        self.line.setPlaceholderText(tr("None"))
        self.line.editingFinished.connect(lambda: self.chosen.emit(self.line.text().strip()))
        choose = make_button(tr("Choose…"), name=tr("Choose: {name}", name=name))
        choose.setAutoDefault(False)
        choose.clicked.connect(self._choose)
        self.setFocusProxy(self.line)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line, 1)
        layout.addWidget(choose)

    def show_folder(self, folder: str) -> None:
        self.line.setText(folder)

    def _choose(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, self.line.accessibleName()):
            self.chosen.emit(path)


_Input = ComboBox | QCheckBox | QLineEdit | FolderField


def _add(form: QFormLayout, option: SettingOption, shown: QWidget) -> None:
    tip = make_label(tr(option.tip), "small")
    if isinstance(shown, QCheckBox):
        form.addRow(shown)
        form.addRow(tip)
        return
    name = QLabel(tr(option.text))
    name.setBuddy(shown)
    form.addRow(name, shown)
    form.addRow(tip)
