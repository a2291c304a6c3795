"""A study is found in an archive, fetched and opened, as its reader does it."""

from __future__ import annotations

import threading

import pydicom
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from tests.desktop.hospital.archive_server import ArchiveServer
from tests.desktop.hospital.test_archives_window import cells, press
from tests.desktop.shell.test_window import visible_text
from tests.reports.made import clean_series
from tumorviewer.desktop.hospital.fetch_dialog import FetchDialog
from tumorviewer.pacs.addresses import AddressBook
from tumorviewer.resources import home_path

COUNT = 5


@pytest.fixture
def archive(tmp_path):
    """An archive that has one study, and is on the list."""
    with ArchiveServer() as running:
        for path in sorted(clean_series(tmp_path / "there", "upwards", COUNT).glob("*.dcm")):
            dataset = pydicom.dcmread(path)
            dataset.PatientID = "PID-77"
            running.keep(dataset)
        AddressBook().add(running.address)
        yield running


@pytest.fixture
def dialog(qtbot, window, opened_room, archive):
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(window, Qt.Key.Key_F, keys)
    (made,) = window.findChildren(FetchDialog)
    qtbot.waitUntil(lambda: made.archive.count() == 1)
    return made


def test_a_study_is_found_fetched_and_opened(qtbot, window, dialog):
    QTest.keyClicks(dialog.patient_id, "PID-77")
    QTest.keyClick(dialog.patient_id, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(cells(dialog.table)) == 1)
    assert cells(dialog.table)[0][1:5] == ["Öztürk Ayşe", "PID-77", "MR", str(COUNT)]
    press(dialog.fetch)
    qtbot.waitUntil(lambda: window.reading.snapshot.volume is not None)
    assert len(window.reading.snapshot.volume.array) == COUNT
    assert len(list(home_path("fetched").rglob("*.dcm"))) == COUNT
    assert not [one for one in window.findChildren(FetchDialog) if one.isVisible()]


def test_an_empty_answer_says_what_could_be_tried(qtbot, dialog):
    QTest.keyClicks(dialog.accession, "nothing")
    press(dialog.search)
    qtbot.waitUntil(lambda: "no such study" in visible_text(dialog))
    assert "wider range of dates" in visible_text(dialog)
    assert not dialog.fetch.isEnabled()


def test_what_cannot_be_asked_is_said(qtbot, dialog):
    press(dialog.search)
    qtbot.waitUntil(lambda: "It asks for everything." in visible_text(dialog))
    QTest.keyClicks(dialog.earliest, "1.2.2026")
    press(dialog.search)
    assert "A date is written as YYYY-MM-DD." in visible_text(dialog)


def test_a_cancelled_transfer_opens_nothing(qtbot, window, dialog, archive):
    began, goes_on = threading.Event(), threading.Event()
    archive.before_object = lambda: (began.set(), goes_on.wait(60))
    QTest.keyClicks(dialog.patient_id, "PID-77")
    press(dialog.search)
    qtbot.waitUntil(lambda: len(cells(dialog.table)) == 1)
    press(dialog.fetch)
    qtbot.waitUntil(began.is_set)
    press(dialog.progress._button)
    assert "Cancelled." in visible_text(dialog)
    goes_on.set()
    qtbot.waitUntil(lambda: window.hospital.fetching._jobs._executor.wait(0))
    assert window.reading.library.studies == []
    assert len(list(home_path("fetched").rglob("*.dcm"))) < COUNT
