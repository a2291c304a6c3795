"""Worklist, tabs, verdicts and coming back, as their user meets them; the worker is played."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QPushButton

from tests.desktop.parts import LABELS, pump
from tests.desktop.shell.test_window import drop, mime, visible_text
from tests.records.made import slice_file
from tumorviewer.desktop.assessment.signing import SigningDialog
from tumorviewer.desktop.services.settings import Settings
from tumorviewer.desktop.viewer.layouts import LAYOUTS
from tumorviewer.errors import InputError
from tumorviewer.models import bundle
from tumorviewer.records import Records
from tumorviewer.resources import resource_path


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
def room(opened_room):
    return opened_room


def rows(room) -> list[list[str]]:
    model = room.worklist.model
    return [
        [model.index(row, column).data() for column in range(model.columnCount())]
        for row in range(model.rowCount())
    ]


def open_and_wait(qtbot, window, path: Path) -> None:
    before = len(window.room.register.entries())
    window.open([path])
    qtbot.waitUntil(lambda: len(window.room.register.entries()) > before)
    qtbot.waitUntil(lambda: window.viewer.state.is_complete)
    qtbot.waitUntil(lambda: window.room.verdicts.case is not None)


def answered(qtbot, window, client) -> None:
    client.answer()
    qtbot.waitUntil(lambda: window.assessment.has_answer)


def sign(qtbot, window, button, reader: str = "") -> str:
    """Press the button and confirm, by another name if asked to; answers what was shown."""
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.findChild(SigningDialog) is not None)
    dialog = window.findChild(SigningDialog)
    if reader:
        dialog.reader.clear()
        QTest.keyClicks(dialog.reader, reader)
    shown = visible_text(dialog)
    QTest.mouseClick(dialog.sign, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.findChild(SigningDialog) is None)
    return shown


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
    actions = [entry.action for entry in room.executor._records.trail.entries()]
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
    qtbot.waitUntil(lambda: len(window.reading.library.studies) == 1)
    qtbot.waitUntil(lambda: not room.shows_worklist)


def test_a_tab_comes_back_with_its_layout_link_window_and_slice(qtbot, window, room, client, study):
    def turn_to(tab: int, slice_index: int) -> None:
        at = room.tabs.tabRect(tab).center()
        QTest.mouseClick(room.tabs, Qt.MouseButton.LeftButton, pos=at)
        qtbot.waitUntil(lambda: window.viewer.state.is_complete and not room.shows_worklist)
        qtbot.waitUntil(lambda: window.viewer.slice() == slice_index)

    open_and_wait(qtbot, window, study(1))
    image = window.viewer.image
    QTest.keyClick(image, Qt.Key.Key_L)
    QTest.keyClick(image, Qt.Key.Key_3)
    QTest.keyClick(image, Qt.Key.Key_End)
    QTest.mousePress(image, Qt.MouseButton.RightButton, pos=image.rect().center())
    QTest.mouseMove(image, image.rect().center() + QPoint(25, 10))
    QTest.mouseRelease(image, Qt.MouseButton.RightButton, pos=image.rect().center())
    chosen = window.viewer.state.window
    assert window.viewer.state.is_window_chosen
    open_and_wait(qtbot, window, study(2))
    QTest.keyClick(image, Qt.Key.Key_L)
    QTest.keyClick(image, Qt.Key.Key_6)
    assert window.viewer.state.window != chosen
    turn_to(1, 4)
    viewer = window.viewer
    assert (viewer.shown_layout, viewer.panes.link.is_on) == (LAYOUTS["image_only"], False)
    assert viewer.state.window == chosen
    assert not window.actions_["link"].isChecked()
    turn_to(2, 2)
    assert (viewer.shown_layout, viewer.panes.link.is_on) == (LAYOUTS["grid_1x2"], True)
    assert window.actions_["link"].isChecked()
    assert not viewer.state.is_window_chosen


def test_verdict_is_given_signed_and_corrected(qtbot, window, room, client, study):
    open_and_wait(qtbot, window, study(1))
    answered(qtbot, window, client)
    panel = window.assessment.verdict
    QTest.keyClick(window, Qt.Key.Key_V)
    assert window.focusWidget() is panel.form.classes
    QTest.keyClicks(panel.form.classes, "M")
    QTest.keyClicks(panel.form.comment, "Dural tail.")
    QTest.mouseClick(panel.form.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(panel.said.isVisible)
    assert window.focusWidget() is window.viewer.image
    assert "differs from the model" in visible_text(panel)
    pump(qtbot, room)
    assert rows(room)[0][0] == "Disagrees"
    sign(qtbot, window, panel.said.sign, "Dr. Ada")
    qtbot.waitUntil(lambda: "Signed by" in visible_text(panel))
    pump(qtbot, room)
    assert rows(room)[0][0] == "Signed · disagrees"
    QTest.mouseClick(panel.said.correct, Qt.MouseButton.LeftButton)
    qtbot.wait(QApplication.keyboardInputInterval())
    QTest.keyClicks(panel.form.classes, "G")
    sign(qtbot, window, panel.form.sign)
    qtbot.waitUntil(lambda: "Glioma" in visible_text(panel.said))
    QTest.mouseClick(panel.history._header, Qt.MouseButton.LeftButton)
    assert panel.history.text().count("Meningioma") == 2
    assert "Dural tail." in panel.history.text()
    assert not room.executor._records.trail.verify()


def test_a_signature_names_its_reader_and_is_taken_back_only_by_another_verdict(
    qtbot, window, room, client, study, settings
):
    open_and_wait(qtbot, window, study(1))
    panel = window.assessment.verdict
    QTest.keyClicks(panel.form.classes, "M")
    QTest.keyClicks(panel.form.comment, "Dural tail.")
    QTest.mouseClick(panel.form.sign, Qt.MouseButton.LeftButton)
    dialog = window.findChild(SigningDialog)
    assert not dialog.sign.isEnabled()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    pump(qtbot, room)
    assert room.verdicts.case.history == ()
    qtbot.waitUntil(lambda: window.findChild(SigningDialog) is None)
    shown = sign(qtbot, window, panel.form.sign, "Dr. Ada")
    for part in ("Doe 1", "Meningioma", "Dural tail.", "taken back only by another verdict"):
        assert part in shown
    qtbot.waitUntil(lambda: "Signed by Dr. Ada" in visible_text(panel))
    assert Settings()["reader"] == "Dr. Ada"
    QTest.mouseClick(panel.said.correct, Qt.MouseButton.LeftButton)
    QTest.mouseClick(panel.form.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Not signed · by Dr. Ada" in visible_text(panel))
    taken_back, signed = room.verdicts.case.history
    assert (taken_back.corrects, taken_back.signed) == (signed.id, False)
    assert (signed.signed, signed.reader) == (True, "Dr. Ada")
    sign(qtbot, window, panel.said.sign)
    qtbot.waitUntil(lambda: len(room.verdicts.case.history) == 3)
    assert room.verdicts.case.current.reader == "Dr. Ada"
    settings.choose("reader", "Dr. Bo")
    QTest.mouseClick(panel.said.correct, Qt.MouseButton.LeftButton)
    sign(qtbot, window, panel.form.sign)
    qtbot.waitUntil(lambda: "Signed by Dr. Bo" in visible_text(panel))


def test_the_verdict_folds_and_its_key_unfolds_it(qtbot, window, room, client, study):
    open_and_wait(qtbot, window, study(1))
    panel = window.assessment.verdict
    tall = panel.height()
    QTest.mouseClick(panel.fold, Qt.MouseButton.LeftButton)
    assert not panel.form.isVisible()
    qtbot.waitUntil(lambda: panel.height() < tall / 2)
    QTest.keyClick(window, Qt.Key.Key_V)
    assert panel.form.isVisible()
    assert window.focusWidget() is panel.form.classes


def test_hidden_patients_have_no_comment_and_no_reader(qtbot, window, room, client, study):
    open_and_wait(qtbot, window, study(1))
    panel = window.assessment.verdict
    QTest.keyClicks(panel.form.classes, "M")
    QTest.keyClicks(panel.form.comment, "Seen with Mrs Doe.")
    window.actions_["hide_patient"].trigger()
    assert not panel.form.comment.isVisible()
    window.actions_["hide_patient"].trigger()
    assert panel.form.comment.isVisible()
    sign(qtbot, window, panel.form.sign, "Dr. Ada")
    qtbot.waitUntil(panel.said.isVisible)
    window.actions_["hide_patient"].trigger()
    assert "Mrs Doe" not in visible_text(panel)
    assert "Ada" not in visible_text(panel)
    assert "Meningioma" in visible_text(panel)


def test_a_verdict_from_before_the_answer_is_compared_with_it(qtbot, window, room, client, study):
    open_and_wait(qtbot, window, study(1))
    panel = window.assessment.verdict
    QTest.keyClicks(panel.form.classes, "M")
    sign(qtbot, window, panel.form.sign, "Dr. Ada")
    qtbot.waitUntil(panel.said.isVisible)
    assert "differs" not in visible_text(panel)
    answered(qtbot, window, client)
    qtbot.waitUntil(lambda: "differs" in visible_text(panel))
    assert room.verdicts.case.current.before_answer


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
    QTest.keyClicks(panel.form.classes, "G")
    sign(qtbot, window, panel.form.sign, "Dr. Ada")
    qtbot.waitUntil(lambda: window.assessment.has_answer)
    (verdict,) = room.verdicts.case.history
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
    qtbot.waitUntil(lambda: window.room.executor.problem is not None)
    window.open([study(1)])
    qtbot.waitUntil(lambda: len(client.requests) == 1)
    answered(qtbot, window, client)
    window.room.show_worklist()
    assert "The worklist cannot be used" in visible_text(window.room.worklist)
    window.actions_["verdict_first"].trigger()
    window.open([study(2)])
    qtbot.waitUntil(lambda: len(client.requests) == 2)
    client.answer()
    assert not window.assessment.has_answer
    assert "Your verdict cannot be written" in visible_text(window.assessment)
    button = next(
        b for b in window.assessment.findChildren(QPushButton) if "without it" in b.text()
    )
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert window.assessment.has_answer
    assert not window.actions_["verdict_first"].isChecked()
    window.room.show_worklist()
    (folder / "opening.lock").rmdir()
    QTest.mouseClick(window.room.worklist.message.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.room.executor.is_open)
    assert "damaged" in window.room.worklist.notice.text()
    window.room.close_records()


def test_files_that_go_or_change_are_said_where_they_are_asked_for(
    qtbot, window, room, client, study
):
    folder = study(1, count=1)
    more = study(1, count=2).parent / "more"
    for index in range(2):
        slice_file(more / f"{index}.dcm", index, PatientName="Doe^1", PatientID="P1",
                   StudyInstanceUID="1.2.1", SeriesInstanceUID="1.2.1.5")  # fmt: skip
    open_and_wait(qtbot, window, folder.parent)
    first, second = window.reading.shown.study.series
    for path in more.iterdir():
        path.write_bytes(path.read_bytes() + b"\0\0")
    window.reading.show_series(second if second.uid.endswith("5") else first)
    qtbot.waitUntil(lambda: "changed since it was opened" in visible_text(window))
    pump(qtbot, room)
    assert rows(room)[0][0] == "New · files changed"
    window.actions_["close_all"].trigger()
    for path in (*folder.iterdir(), *more.iterdir()):
        path.unlink()
    qtbot.waitUntil(lambda: room.shows_worklist)
    room.worklist.table.choose([0])
    QTest.keyClick(room.worklist.table, Qt.Key.Key_Return)
    qtbot.waitUntil(room.worklist.notice.isVisible)
    assert "0.dcm" in room.worklist.notice.text()
    assert room.shows_worklist
    pump(qtbot, room)
    assert rows(room)[0][0] == "New · files gone"


def test_open_folder_opens_on_the_worklist_too(qtbot, window, room, client, study, monkeypatch):
    folder = study(1)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    room.show_worklist()
    keys = window.actions_["open_folder"].shortcut()
    QTest.keySequence(window, keys)
    qtbot.waitUntil(lambda: window.reading.shown is not None)
    assert not room.shows_worklist


def test_what_the_records_refuse_is_said_where_the_reader_is(qtbot, window, room, client, study):
    open_and_wait(qtbot, window, study(1))
    room.executor.ask(lambda _: _refuse())
    qtbot.waitUntil(lambda: "The disk is full." in window.status.currentMessage())
    room.show_worklist()
    assert "The disk is full." in visible_text(room.worklist)


def _refuse() -> None:
    raise InputError("records", "The disk is full.")


def test_other_studies_of_the_patient_are_named(qtbot, window, room, client, study):
    open_and_wait(qtbot, window, study(1, "Jane", date="20240101"))
    open_and_wait(qtbot, window, study(2, "Jane"))
    qtbot.waitUntil(lambda: "2024-01-01 · New" in visible_text(room.priors))
    window.actions_["close_all"].trigger()


def test_a_dropped_folder_is_judged_in_order_paused_and_gone_on_with(
    qtbot, window, room, client, study, monkeypatch
):
    """The reader's own question goes first, and no answer is given to another volume."""
    card = bundle_card()
    monkeypatch.setattr(
        "tumorviewer.desktop.services.study_analysis.bundle.read_card", lambda _: card
    )
    oldest, *_ = [study(n, count=2 + n, date=f"2025030{n}") for n in (1, 2, 3)]
    room.show_worklist()
    drop(window, mime(oldest.parent))
    qtbot.waitUntil(lambda: len(client.requests) == 1)
    assert len(client.last.volume.array) == 5  # the newest first
    assert "Analysing study 1 of 3" in visible_text(room.worklist) + room.worklist.batch.text()
    client.answer()
    qtbot.waitUntil(lambda: len(client.requests) == 2)
    QTest.mouseClick(room.worklist.batch.pause, Qt.MouseButton.LeftButton)
    assert room.worklist.batch.text().startswith("Paused")
    assert client.cancelled == [2]
    pump(qtbot, room)
    assert [row[0] for row in rows(room)] == ["Analysed", "New", "New"]
    QTest.mouseClick(room.worklist.batch.pause, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(client.requests) == 3)
    assert len(client.last.volume.array) == 4
    window.open([oldest])  # the reader wants it now
    qtbot.waitUntil(lambda: len(client.requests) == 4)
    assert 3 in client.cancelled
    assert len(client.last.volume.array) == 3
    client.answer()
    qtbot.waitUntil(lambda: len(client.requests) == 5)
    client.answer()
    qtbot.waitUntil(room.worklist.batch.isHidden)
    pump(qtbot, room)
    assert [row[0] for row in rows(room)] == ["Analysed"] * 3
    found = room.executor._records
    for entry in found.worklist.find():
        (answer,) = found.findings.of(entry.id)
        assert len(answer.document["slices"]) == 2 + int(entry.date[-1])
    assert found.session.kept("batch") is None


def bundle_card():
    card = bundle.read_card(resource_path("models") / "light")
    weights = replace(card.weights, sha256="0123456789abcdef" * 4)
    return replace(card, name="light-se", version="1.0", weights=weights, labels=LABELS, trust=None)


KILLED = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from tests.desktop.parts import LABELS, FakeClient, model_folder
from tumorviewer.desktop.shell import app, reading_room
from tumorviewer.desktop.services.inference import InferenceController
from tumorviewer.desktop.services.settings import Settings
from tumorviewer.desktop.shell.window import MainWindow
from tumorviewer.study.types import Window
reading_room._labels = lambda _: LABELS
application = app.make_application()
window = MainWindow(InferenceController(FakeClient, model_folder), Settings())
window.painted.connect(window.room.start)
def soon(when, what):
    timer = QTimer(window, interval=20)
    timer.timeout.connect(lambda: when() and (timer.stop(), what()))
    timer.start()
def has_case():
    return window.viewer.state.volume is not None and window.room.verdicts.case is not None
"""
FIRST = """
def turn():
    other = next(one for one in window.reading.library.studies if one.patient_id == "P1")
    window.reading.show_series(other.series[0])
    soon(has_case, write)
def write():
    window.viewer.set_slice(4)
    window.actions_["grid_1x2"].trigger()
    window.actions_["link"].trigger()
    window.viewer.set_window(Window(410, 333))
    form = window.assessment.verdict.form
    form.classes.setCurrentIndex(form.classes.findData("meningioma"))
    form.comment.setPlainText("Broad base, dural ta")
    soon(is_kept, lambda: window.room.executor.ask(lambda _: None, ready))
def is_kept():
    room = window.room
    return room.autosave._saved == room.document() and room.verdicts._unsaved is None
def ready(_):
    print("ready", flush=True)
window.open([Path(sys.argv[1]).parent])
soon(lambda: has_case() and len(window.room.register.entries()) == 2, turn)
window.show()
application.exec()
"""
SECOND = """
def say():
    shown, form = window.reading.shown, window.assessment.verdict.form
    print(sorted(study.patient_id for study in window.reading.library.studies))
    print(shown.study.patient_id, window.viewer.slice())
    print(form.draft().label, form.draft().comment)
    state = window.viewer.state
    print(window.viewer.shown_layout.title, window.viewer.panes.link.is_on, state.window.centre)
    print([one.source for one in window.reading.library.refused if one.is_error])
    print([entry.title for entry in window._settings.recent()])
    window.close()
soon(lambda: len(window.room.register.entries()) == 2 and has_case() and
     window.viewer.state.is_complete and window.viewer.slice() == 4, say)
QTimer.singleShot(200_000, say)
window.show()
application.exec()
"""


THIRD = """
window.show()
soon(lambda: window.room.autosave._state is not None, window.close)
application.exec()
print(len(window.reading.library.studies) + len(window.room._to_come))
"""


def start(program: str, *paths: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, paths)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_a_killed_window_comes_back_as_it_was(study):
    broken = study(1).parent / "3" / "broken.dcm"
    broken.parent.mkdir()
    broken.write_bytes(b"\0" * 128 + b"DICM" + b"broken")
    with start(KILLED + FIRST, study(1), study(2)) as first:
        assert first.stdout.readline() == "ready\n", first.stderr.read()
        first.kill()
    with start(KILLED + SECOND) as second:
        output, errors = second.communicate(timeout=240)
    lines = output.splitlines()
    assert lines == [
        "['P1', 'P2']",
        "P1 4",
        "meningioma Broad base, dural ta",
        "1 × 2 series False 410.0",
        str([str(broken)]),
        "['studies']",
    ], errors
    with start(KILLED + THIRD) as third:
        assert third.communicate(timeout=240)[0] == "0\n"  # it was closed by its user
