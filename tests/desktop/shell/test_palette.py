"""The command palette: found by a few letters, run by Enter, refused with a reason."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QTreeWidget

from tumorviewer.desktop.shell.actions import TABLE
from tumorviewer.desktop.shell.palette import Palette, find_matching_entries


def names(query: str) -> list[str]:
    return [entry.name for entry in find_matching_entries(query, TABLE)]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("next slice", "next_slice"),
        ("slice next", "next_slice"),
        ("FULL", "full_screen"),
        ("opfo", "open_folder"),
        ("keyb", "shortcuts"),
        ("dark", "dark"),
    ],
)
def test_a_few_letters_find_an_action(query, first):
    assert names(query)[0] == first


def test_everything_is_there_in_order_until_something_is_typed():
    assert names("  ") == [entry.name for entry in TABLE]
    assert names("qqq") == []


@pytest.fixture
def palette(qtbot, window):
    qtbot.waitUntil(window.isActiveWindow)
    QTest.keyClick(
        window,
        Qt.Key.Key_P,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
    )
    made = window.findChild(Palette)
    qtbot.waitUntil(made.isVisible)
    return made


def test_enter_runs_what_was_chosen_by_keys(qtbot, window, palette):
    line = palette.findChild(QLineEdit)
    assert line.hasFocus()
    QTest.keyClicks(line, "colours")
    QTest.keyClick(line, Qt.Key.Key_Down)
    chosen = palette.findChild(QTreeWidget).currentItem().text(0)
    assert chosen.endswith("Dark colours")
    window.actions_["light"].trigger()
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert window.actions_["dark"].isChecked()
    qtbot.waitUntil(lambda: window.findChild(Palette) is None)


def test_what_cannot_be_done_now_says_why_and_is_not_run(window, palette):
    line, found = palette.findChild(QLineEdit), palette.findChild(QTreeWidget)
    QTest.keyClicks(line, "next slice")
    assert found.currentItem().text(0) == "Next slice – No series is shown."
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert palette.isVisible()


def test_keys_stand_beside_and_ticks_before(window, palette):
    found = palette.findChild(QTreeWidget)
    rows = [found.topLevelItem(at) for at in range(found.topLevelItemCount())]
    keys = {row.text(0): row.text(2) for row in rows}
    assert keys["Full screen"] == "F11"
    assert "✓ Dark colours" in keys


def test_escape_closes_it(qtbot, window, palette):
    QTest.keyClick(palette.findChild(QLineEdit), Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: window.findChild(Palette) is None)
