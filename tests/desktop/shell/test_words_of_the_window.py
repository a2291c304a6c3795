"""Every word of the window is one that a translator was given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QLocale, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QComboBox, QDialogButtonBox, QTabBar, QTableView, QTreeView, QWidget

from tests.desktop.parts import WORKS, series, study
from tumorviewer import language
from tumorviewer.desktop.shell import status
from tumorviewer.desktop.shell.actions import SUBMENU
from tumorviewer.desktop.shell.key_sheet import KeySheet
from tumorviewer.desktop.shell.palette import Palette, find_matching_entries
from tumorviewer.desktop.shell.settings_dialog import SettingsDialog
from tumorviewer.desktop.widgets.qt_words import QtWords
from tumorviewer.study.types import Opened, Refused

SCAN = Path("/scans/one")
SAID = "§"
NOT_OURS = re.compile(
    r"(.* – )?TumorViewer|Close( Tab)?|Cancel|Save|Scroll (Left|Right)|English|Türkçe"
    r"|Doe\^Jane|T1 post contrast|<span>/scans/one</span>|one|light-se|sha256 \w+|cpu .*"
    r"|Two slices are blank.*|The mean over the slices.*|((Ctrl|Alt|Shift)\+)*[\w.,]+|"
    r"CUDA .*|.* \d+(\.\d+)+.*",
    re.DOTALL,
)
"""What comes from files, models, Qt and the test's own finding."""


class Marking:
    """A language in which every text that is looked up says so."""

    def gettext(self, text: str) -> str:
        return text.replace(SUBMENU, SUBMENU + SAID) if SUBMENU in text else SAID + text

    def ngettext(self, one: str, many: str, count: int) -> str:
        return SAID + (one if count == 1 else many)


@pytest.fixture(autouse=True)
def _marking(monkeypatch):
    monkeypatch.setattr(language, "_catalogue", lambda _language: Marking())


def texts(each: QWidget) -> Iterator[str]:
    yield from (each.accessibleName(), each.accessibleDescription(), each.toolTip())
    yield each.windowTitle() if each.isWindow() else ""
    for name in ("text", "placeholderText", "title"):
        if callable(getattr(each, name, None)) and not isinstance(each, QTabBar):
            yield getattr(each, name)()
    if isinstance(each, QComboBox):
        yield from map(each.itemText, range(each.count()))
    if isinstance(each, QTabBar):
        yield from map(each.tabText, range(each.count()))
    if isinstance(each, (QTreeView, QTableView)):
        yield from cells(each)


def cells(view: QTreeView | QTableView) -> Iterator[str]:
    model = view.model()
    for column in range(model.columnCount()):
        yield str(model.headerData(column, Qt.Orientation.Horizontal) or "")
        yield from (str(model.index(row, column).data() or "") for row in range(model.rowCount()))


def unmarked(top: QWidget) -> set[str]:
    """Words of a window that were never looked up."""
    found = {text for each in (top, *top.findChildren(QWidget)) for text in texts(each)}
    found |= {text for each in top.findChildren(QAction) for text in (each.text(), each.toolTip())}
    worded = (text for text in found if re.search("[A-Za-z]{3}", text) and SAID not in text)
    return {text for text in worded if not NOT_OURS.fullmatch(text)}


def test_the_window_at_each_stage(qtbot, window, client, on_disk):
    assert unmarked(window) == set()
    window.actions_["worklist"].trigger()
    assert unmarked(window) == set()
    on_disk[SCAN] = Opened((study(series()),), (Refused("other", f"{SAID}cut short"),))
    window.open([SCAN])
    qtbot.waitUntil(lambda: len(client.requests) == 1)
    client.ready()
    client.answer()
    qtbot.waitUntil(lambda: window.assessment.has_answer)
    assert unmarked(window) == set()


@pytest.mark.parametrize("page", ["training", "site"])
def test_the_pages_beside_studies(window, page):
    window.actions_[page].trigger()
    assert unmarked(window) == set()


def test_the_windows_beside_it(window, settings):
    for made in (
        Palette(window, window.actions_),
        SettingsDialog(window, settings, window.actions_),
        KeySheet(window, window.actions_),
        status.make_about_dialog(window),
        status.make_self_test_dialog(window, WORKS, ""),
    ):
        assert unmarked(made) == set()


def test_the_search_can_fail(qtbot):
    plain = QWidget()
    qtbot.addWidget(plain)
    plain.setToolTip("nobody looked this up")
    assert unmarked(plain) == {"nobody looked this up"}


def test_qt_speaks_turkish_and_keys_are_called_what_stands_on_them(qtbot, qapp):
    words = QtWords(QLocale("tr"), qapp)
    assert qapp.installTranslator(words)
    try:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        qtbot.addWidget(buttons)
        assert buttons.buttons()[0].text() == "Kapat"
        native = QKeySequence.SequenceFormat.NativeText
        assert QKeySequence("Ctrl+Shift+Del").toString(native) == "Ctrl+Shift+Del"
        assert QKeySequence("Up").toString(native) == "Yukarı"
    finally:
        qapp.removeTranslator(words)


def test_turkish_capitals_are_found_by_small_letters(monkeypatch):
    from tumorviewer.desktop.shell.actions import TABLE

    monkeypatch.undo()
    monkeypatch.setattr(language, "current_language", lambda: "tr")
    assert find_matching_entries("iş lis", TABLE)[0].name == "worklist"
    assert {entry.top_menu for entry in find_matching_entries("işaret sil", TABLE)} == {"Marks"}
