"""Without a mouse and without eyes: every part has a name, and Tab comes to all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMainWindow, QWidget

from tests.desktop.parts import WORKS, series, study
from tumorviewer.desktop.shell import status
from tumorviewer.desktop.shell.actions import Actions
from tumorviewer.desktop.shell.key_sheet import KeySheet
from tumorviewer.desktop.shell.keys_page import KeyDialog
from tumorviewer.desktop.shell.palette import Palette
from tumorviewer.desktop.shell.settings_dialog import SettingsDialog
from tumorviewer.study.types import Opened

SCAN = Path("/scans/one")


def focusable(top: QWidget, policy: Qt.FocusPolicy) -> list[QWidget]:
    """The parts of a window that can have the focus now."""
    return [
        each
        for each in top.findChildren(QWidget)
        if each.focusPolicy() & policy
        and each.window() is top
        and each.isVisible()
        and each.isEnabled()
        and each.focusProxy() is None
    ]


def nameless(top: QWidget) -> list[str]:
    """Kinds of parts that a screen reader would have no word for."""
    found = []
    for each in focusable(top, Qt.FocusPolicy.TabFocus):
        interface = QAccessible.queryAccessibleInterface(each)
        if interface is None or not interface.text(QAccessible.Text.Name).strip():
            found.append(f"{type(each).__name__} in {type(each.parentWidget()).__name__}")
    return found


def not_reached(top: QWidget) -> list[str]:
    """Kinds of parts that Tab never comes to."""
    wanted = focusable(top, Qt.FocusPolicy.TabFocus)
    assert wanted
    wanted[0].setFocus()
    seen: set[QWidget] = set()
    while (now := QApplication.focusWidget()) is not None and now not in seen:
        seen.add(now)
        QTest.keyClick(now, Qt.Key.Key_Tab)
    return [f"{type(each).__name__} {each.accessibleName()}" for each in wanted if each not in seen]


def check(qtbot, top: QWidget) -> None:
    top.activateWindow()
    qtbot.waitUntil(top.isActiveWindow)
    assert nameless(top) == []
    assert not_reached(top) == []


def test_the_window_at_each_stage(qtbot, window, client, on_disk):
    check(qtbot, window)
    window.actions_["worklist"].trigger()
    check(qtbot, window)
    on_disk[SCAN] = Opened((study(series()),), ())
    window.open([SCAN])
    qtbot.waitUntil(lambda: len(client.requests) == 1)
    client.ready()
    check(qtbot, window)
    client.answer()
    check(qtbot, window)


@pytest.mark.parametrize("page", ["training", "site"])
def test_the_pages_beside_studies(qtbot, window, page):
    window.actions_[page].trigger()
    check(qtbot, window)


@pytest.mark.parametrize("which", ["palette", "keys", "key", "sheet", "test", "about"])
def test_the_windows_beside_it(qtbot, settings, which):
    window = QMainWindow()
    qtbot.addWidget(window)
    window.resize(1366, 768)
    window.show()
    actions = Actions(window)
    made = {
        "palette": lambda: Palette(window, actions),
        "keys": lambda: SettingsDialog(window, settings, actions),
        "key": lambda: KeyDialog(window, actions, "fit"),
        "sheet": lambda: KeySheet(window, actions),
        "test": lambda: status.make_self_test_dialog(window, WORKS, ""),
        "about": lambda: status.make_about_dialog(window),
    }[which]()
    made.show()
    pages = made.pages.count() if which == "keys" else 1
    for page in range(pages):
        if which == "keys":
            made.pages.setCurrentIndex(page)
        check(qtbot, made)


def test_the_walk_can_fail(qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    hidden = QWidget(window)
    hidden.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    window.show()
    assert nameless(window) == ["QWidget in QMainWindow"]
