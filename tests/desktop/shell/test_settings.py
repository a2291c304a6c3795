"""Settings, keys and the sheet of keys: chosen in the dialog, kept in a file that people read."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QMainWindow,
    QPushButton,
    QTextBrowser,
)

from tumorviewer.desktop.services import preferences
from tumorviewer.desktop.services.settings import Settings
from tumorviewer.desktop.shell import key_sheet, keys
from tumorviewer.desktop.shell.actions import TABLE, Actions
from tumorviewer.desktop.shell.key_sheet import KeySheet
from tumorviewer.desktop.shell.keys_page import KeyDialog, KeyField, KeysPage
from tumorviewer.desktop.shell.settings_dialog import SettingsDialog
from tumorviewer.desktop.widgets import theme

CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def dialog(qtbot, window):
    qtbot.waitUntil(window.isActiveWindow)
    window.actions_["settings"].trigger()
    made = window.findChild(SettingsDialog)
    qtbot.waitUntil(made.isVisible)
    return made


@pytest.fixture
def plain(qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    return window


@pytest.fixture
def actions(plain):
    return Actions(plain)


@pytest.fixture
def page(qtbot, actions, settings):
    made = KeysPage(settings, actions)
    qtbot.addWidget(made)
    made.show()
    return made


def press(page, text: str) -> None:
    made = next(each for each in page.findChildren(QPushButton) if each.text() == text)
    QTest.mouseClick(made, Qt.MouseButton.LeftButton)


def find(page, title: str) -> None:
    line = page.findChild(QLineEdit)
    line.clear()
    QTest.keyClicks(line, title)


# The file


def test_the_file_is_for_people_and_for_tomllib(settings):
    settings.choose("scale", 150)
    settings.choose_keys({"next_slice": ("N", "Ctrl+\\")})
    text = settings.file.read_text("utf-8")
    assert "# Size of text and buttons: 100, 125, 150, 175, 200\nscale = 150" in text
    said = tomllib.loads(text)
    assert set(said) == {option.name for option in preferences.OPTIONS} | {"keys"}
    assert Settings()["scale"] == 150
    assert Settings().keys == {"next_slice": ("N", "Ctrl+\\")}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("scale = 90", "cannot be 90"),
        ("scale = true", "cannot be True"),
        ("colour = 'dark'", "no setting “colour”"),
        ("verdict_first = 1", "cannot be 1"),
        ("keys = 3", "must be a table"),
        ("keys.next_slice = 'N'", "must be a list"),
        ("scale = ", "cannot be read"),
    ],
)
def test_what_is_not_understood_is_said_and_kept_aside(settings, text, problem):
    settings.file.write_text(text)
    again = Settings()
    assert problem in again.problems[0]
    assert again["scale"] == 100
    again.choose("colours", "light")
    assert preferences.backup_path(again.file).read_text() == text
    assert Settings().problems == ()


def test_two_windows_keep_what_each_chose(settings):
    other = Settings()
    settings.choose("colours", "light")
    other.choose("scale", 200)
    assert (Settings()["colours"], Settings()["scale"]) == ("light", 200)


def test_scale_is_qts_before_the_window_is_made(settings):
    settings.choose("scale", 175)
    code = (
        "from tumorviewer.desktop.shell.app import make_application as make;"
        "print(make().devicePixelRatio())"
    )
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    environment.pop("QT_SCALE_FACTOR", None)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.stdout.decode().strip() == "1.75", done.stderr.decode()


# The dialog


def test_a_choice_holds_at_once_and_next_time(window, dialog, settings):
    combo = dialog.findChild(QComboBox)
    QTest.keyClick(combo, Qt.Key.Key_End)
    combo.activated.emit(combo.currentIndex())
    assert theme.current_colours() is theme.HIGH_CONTRAST
    assert window.actions_["high_contrast"].isChecked()
    assert Settings()["colours"] == "high_contrast"
    window.actions_["light"].trigger()
    assert combo.currentData() == "light"


def test_ticks_and_menu_say_the_same(window, dialog, settings):
    tick = next(each for each in dialog.findChildren(QCheckBox) if "verdict" in each.text())
    dialog.pages.setCurrentIndex(1)
    QTest.keyClick(tick, Qt.Key.Key_Space)
    assert settings.verdict_first
    assert window.actions_["verdict_first"].isChecked()
    window.actions_["verdict_first"].trigger()
    assert not tick.isChecked()
    assert not Settings().verdict_first


def test_problems_of_the_file_are_shown(actions, settings):
    settings.file.write_text('[keys]\nnext_slice = ["R"]\nfull_screen = ["Tab"]\nfly = ["Y"]\n')
    dialog = SettingsDialog(actions.parent(), Settings(), actions)
    text = "\n".join(each.text() for each in dialog.findChildren(QLabel))
    assert "R is the key of “Reset window, zoom and pan”" in text
    assert "Tab cannot be the key of “Full screen”" in text
    assert "no action “fly”" in text
    assert actions.keys("next_slice") == (".",)


# Keys


def test_a_free_key_is_given_and_comes_back(actions, page):
    find(page, "next slice")
    press(page, "Change key…")
    field = page.findChild(KeyField)
    QTest.keyClick(field, Qt.Key.Key_Y, CTRL_SHIFT)
    assert any("free" in each.text() for each in page.findChild(KeyDialog).findChildren(QLabel))
    press(page.findChild(KeyDialog), "Use it")
    assert actions.keys("next_slice") == ("Ctrl+Shift+Y",)
    assert "Ctrl+Shift+Y" in actions["next_slice"].toolTip()
    assert Settings().keys == {"next_slice": ("Ctrl+Shift+Y",)}
    press(page, "Default key")
    assert Settings().keys == {}


def test_a_key_of_another_is_taken_knowingly(actions, page):
    find(page, "next slice")
    press(page, "Change key…")
    dialog = page.findChild(KeyDialog)
    QTest.keyClick(dialog.findChild(KeyField), Qt.Key.Key_R)
    words = "\n".join(each.text() for each in dialog.findChildren(QLabel))
    assert "key of “Reset window, zoom and pan”, which would lose it" in words
    press(dialog, "Take it from there")
    assert actions.keys("next_slice") == ("R",)
    assert actions.keys("reset_view") == ()
    assert keys.assign_keys(actions, Settings().keys) == ()
    assert actions.keys("next_slice") == ("R",)
    press(page, "All defaults")
    assert Settings().keys == {}
    assert actions.keys("reset_view") == ("R",)


def test_a_fixed_key_is_refused(page):
    find(page, "next slice")
    press(page, "Add key…")
    dialog = page.findChild(KeyDialog)
    QTest.keyClick(dialog.findChild(KeyField), Qt.Key.Key_Up)
    use = next(each for each in dialog.findChildren(QPushButton) if each.text() == "Use it")
    assert not use.isEnabled()
    assert any("cannot be given" in each.text() for each in dialog.findChildren(QLabel))


def test_two_actions_may_change_places(actions):
    swap = {"mirror": ("F",), "fit": ("H",)}
    assert keys.assign_keys(actions, swap) == ()
    assert keys.find_changed_keys(actions) == swap
    keys.restore_keys(actions)
    assert keys.find_changed_keys(actions) == {}


def test_the_table_writes_keys_as_qt_does(actions):
    own = {entry.name: list(entry.keys) for entry in TABLE}
    assert keys.assign_keys(actions, own) == ()
    assert keys.find_changed_keys(actions) == {}


def test_space_presses_a_button_that_has_the_focus(qtbot, window):
    qtbot.waitUntil(window.isActiveWindow)
    pressed = []
    made = next(each for each in window.start_page.findChildren(QPushButton) if each.isVisible())
    made.clicked.disconnect()
    made.clicked.connect(lambda: pressed.append(1))
    made.setFocus()
    QTest.keyClick(window.windowHandle(), Qt.Key.Key_Space)
    assert pressed == [1]
    assert window.actions_.keys("cine") == ("Space",)


# The sheet


def test_the_sheet_has_every_key_as_it_is_now(actions):
    actions.set_keys("full_screen", ("Ctrl+Shift+Y",))
    shown = KeySheet(actions.parent(), actions)
    text = shown.findChild(QTextBrowser).toPlainText()
    assert "Full screen\nCtrl+Shift+Y" in text
    assert "F11" not in text
    assert {"F1 or ?", "M", "P", "Ctrl+O"} <= set(text.split("\n"))
    assert "Wheel or left-drag" in text


def test_the_sheet_is_printed_on_whole_pages(actions, tmp_path):
    file = tmp_path / "keys.pdf"
    key_sheet.save_pdf(key_sheet.group_shortcuts(actions), file)
    content = file.read_bytes()
    assert content.startswith(b"%PDF")
    assert 1 <= content.count(b"/Type /Page\n") <= 3
