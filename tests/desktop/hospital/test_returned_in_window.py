"""What comes back from archives is shown on the series that it refers to, and withheld with the
answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from tests.desktop.shell.test_window import visible_text
from tests.reports.made import clean_series, content, verdict
from tumorviewer.pacs.dimse import _receivable
from tumorviewer.reports.writing import write_report

OUTLINED = (1, 4)
"""Slices of the outline of :func:`tests.reports.made.content`."""


@pytest.fixture
def came(tmp_path) -> Path:
    """A study with a report and a segmentation beside its images."""
    result = content(clean_series(tmp_path / "study", "downwards", 7))
    result = replace(result, verdict=verdict())
    written = write_report(result, tmp_path / "study" / "results", "one", ("sr", "seg"))
    assert not written.refused
    return tmp_path / "study"


def test_outlines_lie_where_they_were_drawn_and_the_verdict_is_told(
    qtbot, window, opened_room, client, came
):
    window.open([came])
    part = window.returned.part
    qtbot.waitUntil(lambda: "Found in the archive" in visible_text(part))
    assert "Glioma" in visible_text(part)
    assert "verified by Reader, 2026-11-30" in visible_text(part)
    stack = window.viewer.state.stack
    drawn = [
        not all(path.isEmpty() for path in window._study.layer.trace(stack, index))
        for index in range(7)
    ]
    assert drawn == [index in OUTLINED for index in range(7)]
    window.reading.close_all()
    qtbot.waitUntil(lambda: not visible_text(part))


def test_results_of_archives_are_withheld_with_the_answer(qtbot, window, opened_room, client, came):
    window.actions_["verdict_first"].trigger()
    window.open([came])
    qtbot.waitUntil(lambda: window.returned._results.reports != ())
    qtbot.waitUntil(lambda: window.room.verdicts.case is not None)
    assert visible_text(window.returned.part) == ""
    assert window._study.layer._outlines == []


def test_every_kind_that_leaves_can_be_fetched_again(tmp_path):
    result = content(clean_series(tmp_path / "study", "upwards", 7))
    kinds = ("pdf", "sc", "sr", "pm", "seg", "pr", "ko")
    assert not write_report(result, tmp_path / "out", "one", kinds).refused
    written = {pydicom.dcmread(path).SOPClassUID for path in (tmp_path / "out").glob("*.dcm")}
    assert written <= {context.abstract_syntax for context in _receivable()}
