"""The report of what is read, as its reader meets it; the worker is played."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from tests.desktop.shell.test_window import visible_text
from tests.reports.made import clean_series
from tumorviewer.desktop.hospital.report_dialog import FORMAT_NAMES, ReportDialog
from tumorviewer.reports.writing import FORMATS
from tumorviewer.resources import resource_path


@pytest.fixture
def room(opened_room, inference):
    """A reading room whose model has a card."""
    inference.find_model = lambda: resource_path("models", "light")
    return opened_room


def open_study(qtbot, window, path: Path) -> None:
    window.open([path])
    qtbot.waitUntil(lambda: window.viewer.state.is_complete)
    qtbot.waitUntil(lambda: window.room.verdicts.case is not None)


def ask_for_report(qtbot, window) -> ReportDialog:
    QTest.keyClick(window, Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: bool(window.findChildren(ReportDialog)))
    return window.findChildren(ReportDialog)[-1]


def tick(dialog: ReportDialog, *names: str) -> None:
    for name, box in dialog.boxes.items():
        if box.isChecked() is not (name in names):
            QTest.keyClick(box, Qt.Key.Key_Space)


def save(qtbot, dialog: ReportDialog, folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    with qtbot.waitSignal(dialog._controller.written):
        QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)


def test_every_format_has_a_name():
    assert set(FORMAT_NAMES) == set(FORMATS)


def test_the_report_waits_for_the_answer_is_drawn_and_saved(
    qtbot, window, room, client, tmp_path, monkeypatch
):
    open_study(qtbot, window, clean_series(tmp_path / "in", "upwards", 5))
    dialog = ask_for_report(qtbot, window)
    assert "Waiting for the model's answer" in visible_text(dialog)
    assert not dialog.save.isEnabled()
    client.answer()
    qtbot.waitUntil(lambda: dialog.pages.count > 1)
    assert not list(tmp_path.rglob("*.pdf"))
    tick(dialog, "pdf", "sr", "seg", "png")
    save(qtbot, dialog, tmp_path / "out", monkeypatch)
    names = sorted(path.suffix for path in (tmp_path / "out").iterdir())
    assert names.count(".dcm") == 2
    assert names.count(".pdf") == 1
    (document,) = (tmp_path / "out").glob("*-sr.dcm")
    assert pydicom.dcmread(document).PatientName == "Öztürk^Ayşe"
    assert "files were written" in visible_text(dialog)
    assert "no outline" in visible_text(dialog).lower()


def test_pictures_go_into_no_archive_and_that_is_said(qtbot, window, room, client, tmp_path):
    path = tmp_path / "slice.png"
    Image.linear_gradient("L").save(path)
    open_study(qtbot, window, path)
    client.answer()
    dialog = ask_for_report(qtbot, window)
    qtbot.waitUntil(lambda: dialog.pages.count > 0)
    assert "The images are not DICOM" in visible_text(dialog)
    assert not dialog.boxes["sr"].isEnabled()
    assert dialog.boxes["pdf"].isEnabled()


def test_a_cancelled_report_is_not_drawn(qtbot, window, room, client, tmp_path):
    open_study(qtbot, window, clean_series(tmp_path / "in", "upwards", 5))
    dialog = ask_for_report(qtbot, window)
    QTest.mouseClick(dialog.progress._button, Qt.MouseButton.LeftButton)
    client.answer()
    qtbot.waitUntil(lambda: window.assessment.has_answer)
    assert dialog.pages.count == 0
    assert "Cancelled." in visible_text(dialog)


def test_an_answer_that_is_kept_back_is_not_reported(qtbot, window, room, client, tmp_path):
    window.actions_["verdict_first"].trigger()
    open_study(qtbot, window, clean_series(tmp_path / "in", "upwards", 5))
    client.answer()
    dialog = ask_for_report(qtbot, window)
    qtbot.waitUntil(lambda: "after your verdict" in visible_text(dialog))
    assert dialog.pages.count == 0
