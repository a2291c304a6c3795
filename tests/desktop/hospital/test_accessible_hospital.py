"""The windows of reports and archives without a mouse and without eyes, and in other languages."""

from __future__ import annotations

import pytest

from tests.desktop.shell.test_accessible import check
from tests.desktop.shell.test_words_of_the_window import Marking, unmarked
from tumorviewer import language

SHOWN = ("show_report", "show_fetching", "show_outbox", "show_archives")


@pytest.mark.parametrize("show", SHOWN)
def test_every_part_has_a_name_and_tab_comes_to_it(qtbot, window, opened_room, show):
    check(qtbot, getattr(window.hospital, show)())


@pytest.mark.parametrize("show", SHOWN)
def test_every_word_can_be_translated(window, monkeypatch, show):
    monkeypatch.setattr(language, "_catalogue", lambda _language: Marking())
    dialog = getattr(window.hospital, show)()
    assert unmarked(dialog) <= {"https://"}
