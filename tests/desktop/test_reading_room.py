"""Worklist, tabs, verdicts and coming back, as their user meets them; the worker is played."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from tests.desktop.parts import LABELS
from tests.desktop.test_window import visible_text
from tests.records.made import slice_file
from tumorviewer.records import Records


@pytest.fixture
def study(tmp_path):
    """Makes a DICOM folder: a study of one series."""

    def make(number: int, patient: str = "", count: int = 5, date: str = "20250301") -> Path:
        uid = f"1.2.{number}"
        folder = tmp_path / "studies" / str(number)
        for index in range(count):
            slice_file(
                folder / f"{index}.dcm", index, PatientName=f"Doe^{patient or number}",
                PatientID=patient or f"P{number}", StudyDate=date,
                StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.4",
            )  # fmt: skip
        return folder

    return make


@pytest.fixture
def room(qtbot, window, client, monkeypatch):
    """The reading room of a window whose records are open."""
    monkeypatch.setattr("tumorviewer.desktop.reading_room._labels", lambda _: LABELS)
    client.ready()
    window.room.start()
    qtbot.waitUntil(lambda: window.room.clerk.is_open, timeout=20_000)
    pump(qtbot, window.room)
    yield window.room
    window.room.close_records()


def rows(room) -> list[list[str]]:
    model = room.worklist.model
    return [
        [model.index(row, column).data() for column in range(model.columnCount())]
        for row in range(model.rowCount())
    ]


def open_and_wait(qtbot, window, path: Path) -> None:
    before = len(window.room.register.entries())
    window.open([path])
    qtbot.waitUntil(lambda: len(window.room.register.entries()) > before, timeout=10_000)
    qtbot.waitUntil(lambda: window.viewer.state.is_complete)
    qtbot.waitUntil(lambda: window.room.casebook.case is not None, timeout=10_000)


def answered(qtbot, window, client) -> None:
    client.answer()
    qtbot.waitUntil(lambda: window.assessment.has_answer)


def pump(qtbot, room) -> None:
    """Wait until the records have nothing to do, not even what follows from what they answered."""
    for _ in range(3):
        done: list[object] = []
        room.clerk.ask(lambda _: None, done.append)
        qtbot.waitUntil(lambda done=done: bool(done), timeout=10_000)


def test_empty_worklist_says_what_to_do(qtbot, window, room):
    pump(qtbot, room)
    QTest.keyClick(window, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
    text = visible_text(room.worklist)
    assert "The worklist is empty" in text
    assert "Drop a folder of studies here" in text


def test_what_is_opened_is_entered_answered_and_found_again(qtbot, window, room, client, study):
    open_and_wait(qtbot, window, study(1))
    answered(qtbot, window, client)
    pump(qtbot, room)
    room.show_worklist()
    assert rows(room)[0][:4] == ["Analysed", "Doe 1", "Brain · MR", "2025-03-01"]
    assert rows(room)[0][4:7] == ["Glioma", "98.0 %", "21"]
    QTest.keyClicks(room.worklist.filters.words, "nobody")
    qtbot.waitUntil(lambda: "No study fits" in visible_text(room.worklist))
    QTest.mouseClick(room.worklist.message.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(rows(room)) == 1)
    actions = [entry.action for entry in room.clerk._records.trail.entries()]
    assert {"added", "opened", "asked", "answered", "answer shown"} <= set(actions)


def test_enter_opens_and_tabs_go_between_studies_where_one_was(qtbot, window, room, client, study):
    open_and_wait(qtbot, window, study(1))
    window.viewer.set_slice(4)
    open_and_wait(qtbot, window, study(2))
    assert [room.tabs.tabText(at) for at in range(room.tabs.count())] == [
        "Worklist", "Doe 1", "Doe 2",
    ]  # fmt: skip
    QTest.keyClick(window, Qt.Key.Key_Tab, Qt.KeyboardModifier.ControlModifier)
    assert room.shows_worklist
    QTest.keyClick(window, Qt.Key.Key_Tab, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window.viewer.slice() == 4)
    window.actions_["close_all"].trigger()
    qtbot.waitUntil(lambda: room.shows_worklist)
    room.worklist.table.choose([0])
    QTest.keyClick(room.worklist.table, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(window.reading.library.studies) == 1, timeout=10_000)
    qtbot.waitUntil(lambda: not room.shows_worklist)


def test_verdict_is_given_signed_and_corrected(qtbot, window, room, client, study):
    open_and_wait(qtbot, window, study(1))
    answered(qtbot, window, client)
    panel = window.assessment.verdict
    QTest.keyClick(window, Qt.Key.Key_V)
    assert window.focusWidget() is panel.form.classes
    QTest.keyClicks(panel.form.classes, "Mening")
    QTest.keyClicks(panel.form.comment, "Dural tail.")
    QTest.mouseClick(panel.form.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(panel.said.isVisible)
    assert "differs from the model" in visible_text(panel)
    pump(qtbot, room)
    assert rows(room)[0][0] == "Disagrees"
    QTest.mouseClick(panel.said.sign, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Signed by" in visible_text(panel))
    pump(qtbot, room)
    assert rows(room)[0][0] == "Signed · disagrees"
    QTest.mouseClick(panel.said.correct, Qt.MouseButton.LeftButton)
    QTest.keyClicks(panel.form.classes, "Glioma")
    QTest.mouseClick(panel.form.sign, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Glioma" in visible_text(panel.said))
    QTest.mouseClick(panel.history._header, Qt.MouseButton.LeftButton)
    assert panel.history.text().count("Meningioma") == 2
    assert "Dural tail." in panel.history.text()
    assert not room.clerk._records.trail.verify()


def test_answer_is_kept_back_until_the_verdict(qtbot, window, room, client, study):
    window.actions_["verdict_first"].trigger()
    open_and_wait(qtbot, window, study(1))
    client.answer()
    pump(qtbot, room)
    assert "after your verdict" in visible_text(window.assessment)
    assert "Glioma" not in visible_text(window.assessment)
    assert not window.assessment.has_answer
    assert rows(room)[0][4:7] == ["after your verdict", "", ""]
    panel = window.assessment.verdict
    QTest.keyClicks(panel.form.classes, "Glioma")
    QTest.mouseClick(panel.form.sign, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.assessment.has_answer)
    (verdict,) = room.casebook.case.history
    assert verdict.before_answer
    assert verdict.signed


def test_records_that_cannot_be_used_leave_the_rest_working(
    qtbot, window, client, study, monkeypatch, tmp_path
):
    with Records() as records:
        database = records._database.url.database
    Path(database).write_bytes(b"no database")
    Path(database).chmod(0o600)
    folder = Path(database).parent
    (folder / "opening.lock").unlink()
    (folder / "opening.lock").mkdir()  # nobody can open them now
    client.ready()
    window.room.start()
    qtbot.waitUntil(lambda: window.room.clerk.problem is not None, timeout=20_000)
    window.open([study(1)])
    qtbot.waitUntil(lambda: len(client.requests) == 1, timeout=10_000)
    answered(qtbot, window, client)
    window.room.show_worklist()
    assert "The worklist cannot be used" in visible_text(window.room.worklist)
    (folder / "opening.lock").rmdir()
    QTest.mouseClick(window.room.worklist.message.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.room.clerk.is_open, timeout=20_000)
    assert "damaged" in window.room.worklist.notice.text()
    window.room.close_records()
