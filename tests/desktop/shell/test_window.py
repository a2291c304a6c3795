"""The window as its user meets it: drops, keys, answers, and what can go wrong."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAccessible, QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QScrollArea, QWidget

from tests.desktop.parts import Source, finding, head, series, study
from tumorviewer.analysis.finding import Saliency
from tumorviewer.analysis.messages import Analyse, Died, Explain, SelfTest
from tumorviewer.desktop.assessment.assessment_panel import RESEARCH_USE
from tumorviewer.desktop.viewer.layouts import BLENDED, IMAGE
from tumorviewer.study.types import Opened, Refused

SCAN = Path("/scans/one")
BROKEN = Refused("/scans/<i>broken</i>.dcm", "The file is cut short.", "Copy it again.")


def mime(*paths: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def drop(window: QWidget, data: QMimeData) -> QDragEnterEvent:
    copy, left, none = (
        Qt.DropAction.CopyAction,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    enter = QDragEnterEvent(QPoint(200, 200), copy, data, left, none)
    QApplication.sendEvent(window, enter)
    if enter.isAccepted():
        QApplication.sendEvent(window, QDropEvent(QPointF(200, 200), copy, data, left, none))
    return enter


@pytest.fixture
def opened(qtbot, window, client, on_disk):
    """The window on a study of two series, the worker ready, the first series being analysed."""
    on_disk[SCAN] = Opened(
        (study(series(), series(Source(), Source(head(5), "echo 2"), title="T2", uid="1.2.4")),),
        (BROKEN,),
    )
    client.ready()
    drop(window, mime(SCAN))
    qtbot.waitUntil(lambda: len(client.requests) == 1)
    return window


def visible_text(widget: QWidget) -> str:
    parts = (*widget.findChildren(QLabel), *widget.findChildren(QPushButton))
    return "\n".join(part.text() for part in parts if part.isVisible())


def test_starts_with_what_to_do(window):
    text = visible_text(window)
    assert "Drop a study here" in text
    assert "Open the demonstration study" in text
    assert RESEARCH_USE in text
    assert "starting" in window.status.text()


def test_drop_shows_the_study_and_then_the_answer(qtbot, opened, client):
    assert opened.focusWidget() is opened.viewer.image
    assert opened.study_panel.studies.model().rowCount() == 1
    assert opened.viewer.isVisible()
    assert opened.viewer.state.is_complete
    assert isinstance(client.last, Analyse)
    client.progress(3, 9)
    assert "Looking at slices" in visible_text(opened.assessment)
    client.answer()
    text = visible_text(opened.assessment)
    assert "Glioma" in text
    assert "94.0 %" in text
    assert "light-se" in text
    assert "0123456789ab" in text
    assert "blank and were not judged" in text
    assert RESEARCH_USE in text


def test_dragging_shows_where_to_let_go(window):
    data = mime(SCAN)  # Qt does not own it
    event = QDragEnterEvent(
        QPoint(9, 9),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(window, event)
    highlight = window.findChild(QWidget, "dropHighlight")
    assert highlight.isVisible()
    assert highlight.size() == window.size()


def test_only_local_files_are_accepted(window):
    data = QMimeData()
    data.setUrls([QUrl("https://example.org/scan.dcm")])
    assert not drop(window, data).isAccepted()


def test_what_must_be_known_of_a_volume_is_plain_text_to_copy(qtbot, window, client, on_disk):
    source = Source(replace(head(), notes=("Slice 2 could not be <b>decoded</b>.",), missing=(1,)))
    source.load = lambda progress=None: source.volume
    on_disk[SCAN] = Opened((study(series(source)),), ())
    drop(window, mime(SCAN))
    qtbot.waitUntil(lambda: len(client.requests) == 1)
    notes = window.study_panel.notes
    assert notes.isVisible()
    assert notes.text() == source.volume.notes[0]
    assert notes.textFormat() is Qt.TextFormat.PlainText
    assert notes.textInteractionFlags() & Qt.TextInteractionFlag.TextSelectableByMouse
    window.viewer.set_slice(1)
    assert window.viewer.state.absence() == "This slice could not be read."
    window.actions_["close_all"].trigger()
    assert not notes.isVisible()


def test_second_drop_adds(qtbot, opened, client, on_disk):
    on_disk[Path("/scans/two")] = Opened((study(series(uid="7.1"), uid="7"),), ())
    drop(opened, mime(Path("/scans/two")))
    qtbot.waitUntil(lambda: len(client.requests) == 2)
    assert opened.study_panel.studies.model().rowCount() == 2
    assert opened.reading.shown.series.uid == "7.1"


def test_same_drop_twice_is_there_once(qtbot, opened, client):
    drop(opened, mime(SCAN))
    qtbot.waitUntil(lambda: not opened.reading.opener.is_busy)
    assert opened.study_panel.studies.model().rowCount() == 1
    assert len(opened.reading.library.refused) == 1


def test_what_is_not_shown_is_listed_as_plain_text(opened):
    refused = opened.study_panel.refused
    assert "1 not shown" in visible_text(refused)
    QTest.mouseClick(refused._header, Qt.MouseButton.LeftButton)
    assert BROKEN.source in refused._text.toPlainText()
    assert BROKEN.remedy in refused._text.toPlainText()
    QTest.mouseClick(refused._copy, Qt.MouseButton.LeftButton)
    assert BROKEN.source in QGuiApplication.clipboard().text()


def test_nothing_shown_says_why_and_the_way_back(qtbot, window, on_disk):
    on_disk[SCAN] = Opened((), (BROKEN,))
    drop(window, mime(SCAN))
    qtbot.waitUntil(window.message_page.isVisible)
    assert BROKEN.reason in visible_text(window.message_page)
    QTest.mouseClick(window.message_page._back, Qt.MouseButton.LeftButton)
    assert window.start_page.isVisible()


def test_nothing_new_beside_an_open_study_opens_the_list_of_reasons(qtbot, opened, on_disk):
    on_disk[Path("/scans/bad")] = Opened((), (Refused("/scans/bad", "It is empty."),))
    drop(opened, mime(Path("/scans/bad")))
    qtbot.waitUntil(lambda: "It is empty." in opened.study_panel.refused._text.toPlainText())
    assert opened.viewer.isVisible()


def test_a_series_that_cannot_be_read_says_so_in_place_and_is_tried_again(
    qtbot, window, client, on_disk
):
    source = Source(error="Slice 3 is damaged.")
    on_disk[SCAN] = Opened((study(series(source)),), ())
    drop(window, mime(SCAN))
    qtbot.waitUntil(window.message_page.isVisible)
    assert "Slice 3 is damaged. Copy it again." in visible_text(window.message_page)
    source.error = ""
    QTest.mouseClick(window.message_page._retry, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(client.requests) == 1)
    assert window.viewer.isVisible()


def test_a_failed_analysis_says_so_in_place_and_is_tried_again(opened, client):
    client.fail(f"{client.last.volume.source}: All slices are blank.")
    assert opened.reading.inference.state.text == "All slices are blank."
    assert "All slices are blank." in visible_text(opened.assessment)
    assert "All slices are blank." in opened.viewer.map.message
    QTest.mouseClick(opened.assessment.message._button, Qt.MouseButton.LeftButton)
    assert len(client.requests) == 2
    client.answer()
    assert opened.assessment.has_answer


def test_escape_cancels_and_the_reader_may_ask_again(opened, client):
    QTest.keyClick(opened, Qt.Key.Key_Escape)
    assert client.cancelled == [1]
    assert "cancelled" in visible_text(opened.assessment)
    QTest.mouseClick(opened.assessment.message._button, Qt.MouseButton.LeftButton)
    assert len(client.requests) == 2


def test_a_worker_that_dies_is_restarted_once_with_the_study_still_open(opened, client):
    client.tell(Died("It ran out of memory."))
    assert len(client.requests) == 2
    client.ready()
    client.tell(Died("It ran out of memory."))
    assert len(client.requests) == 2
    assert opened.viewer.isVisible()
    assert "ran out of memory" in visible_text(opened.assessment)
    assert "still open" in visible_text(opened.assessment)
    QTest.mouseClick(opened.assessment.message._button, Qt.MouseButton.LeftButton)
    assert client.restarts == 1
    client.ready()
    client.answer()
    assert opened.assessment.has_answer


def test_a_machine_that_cannot_run_the_model_still_shows_images(qtbot, window, client, on_disk):
    on_disk[SCAN] = Opened((study(),), ())
    drop(window, mime(SCAN))
    qtbot.waitUntil(lambda: len(client.requests) == 1)
    client.ready(SelfTest(False, {}, "", ("torch cannot be used: ImportError: libc",)))
    assert "torch cannot be used" in visible_text(window.assessment)
    assert "self-test failed" in window.status.text()
    assert window.viewer.state.is_complete


def test_the_answer_turns_to_its_slice_only_for_a_reader_who_has_not_moved(opened, client):
    image = opened.viewer.image
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Up):
        QTest.keyClick(image, key)
    assert opened.viewer.slice() == 4
    client.answer(replace(finding(client.last.volume), key_slices=(6, 5)))
    assert opened.viewer.slice() == 4
    assert "Slice 7 decided the answer" in opened.status.currentMessage()


def test_the_answer_turns_to_its_slice(opened, client):
    client.answer(replace(finding(client.last.volume), key_slices=(6, 5)))
    assert opened.viewer.slice() == 6
    assert opened.status.currentMessage() == ""


def test_the_wheel_over_a_list_scrolls_the_panel_and_chooses_nothing(opened, client):
    client.answer()
    panel = opened.assessment
    combo = panel.maps._method
    area = next(each for each in panel.findChildren(QScrollArea) if each.isAncestorOf(combo))
    bar = area.verticalScrollBar()
    before, chosen = bar.value(), combo.currentIndex()
    at = combo.mapTo(opened, combo.rect().center())
    QTest.wheelEvent(opened.windowHandle(), at, QPoint(0, -120))
    assert combo.currentIndex() == chosen
    assert bar.value() > before


def test_a_window_of_ones_own_is_named(opened, client):
    box, image = opened.viewer._window_box, opened.viewer.image
    assert box.currentText()
    middle = image.rect().center()
    QTest.mousePress(image, Qt.MouseButton.RightButton, pos=middle)
    QTest.mouseMove(image, middle + QPoint(25, 10))
    QTest.mouseRelease(image, Qt.MouseButton.RightButton, pos=middle)
    assert (box.currentText(), box.placeholderText()) == ("", "Own window")
    blank = box.grab().toImage()
    box.setPlaceholderText("")
    assert box.grab().toImage() != blank


def test_another_method_asks_for_other_maps_only(opened, client):
    client.answer()
    combo = opened.assessment.maps._method
    combo.setCurrentIndex(combo.findData("eigencam"))
    combo.activated.emit(combo.currentIndex())
    assert isinstance(client.last, Explain)
    assert client.last.method == "eigencam"
    assert opened.assessment.has_answer
    client.answer(finding(client.last.volume, method="eigencam").saliency)
    assert not opened.assessment.maps._target.isEnabled()
    assert opened.reading.inference.state.finding.saliency.method == "eigencam"


def test_one_slice_more_is_explained_and_joins_the_others(opened, client):
    explain, button = opened.actions_["explain_slice"], opened.assessment.maps._explain_slice
    assert not explain.isEnabled()
    whole = finding(client.last.volume, method="scorecam")
    partly = replace(
        whole,
        saliency=part(whole.saliency, (4, 5)),
        slices=tuple(range(8)),
        slice_probabilities=whole.slice_probabilities[:8],
    )
    client.answer(partly)
    opened.viewer.set_slice(8)  # was not judged
    assert not explain.isEnabled()
    opened.viewer.set_slice(4)
    assert not button.isVisible()
    opened.viewer.set_slice(2)
    assert "Explain this slice" in opened.viewer.map.remark(2)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    asked = client.last
    assert (asked.method, asked.target, asked.slices) == ("scorecam", "glioma", (2,))
    assert not explain.isEnabled()
    client.answer(part(whole.saliency, (2,)))
    assert opened.reading.inference.state.finding.saliency.slices == (2, 4, 5)
    assert opened.viewer.slice() == 2
    assert opened.viewer.map.remark(2) == ""
    assert not button.isVisible()
    opened.viewer.set_slice(3)
    QTest.keyClick(opened, Qt.Key.Key_E)
    assert client.last.slices == (3,)
    client.fail("Not enough memory for this map.")
    assert opened.reading.inference.state.finding.saliency.slices == (2, 4, 5)
    assert explain.isEnabled()


def part(saliency: Saliency, slices: tuple[int, ...]) -> Saliency:
    """The maps of some slices of a saliency that has all."""
    chosen = list(slices)
    return replace(
        saliency,
        slices=slices,
        maps=saliency.maps[chosen],
        peaks=saliency.peaks[chosen],
        strength=saliency.strength[chosen],
        boxes=tuple(saliency.boxes[at] for at in chosen),
    )


def test_failed_maps_leave_the_answer(opened, client):
    client.answer()
    opened.reading.inference.explain("layercam", "meningioma")
    client.fail("Not enough memory for this map.")
    assert opened.assessment.has_answer
    assert "Not enough memory" in visible_text(opened.assessment)
    assert "94.0 %" in visible_text(opened.assessment)


def test_a_close_call_names_the_runner_up(opened, client):
    close = finding(client.last.volume)
    client.answer(replace(close, probabilities=np.array([0.45, 0.41, 0.1, 0.04])))
    assert "Not clear: Meningioma has 41.0 %" in visible_text(opened.assessment)


def test_deciding_slices_are_jumped_to(qtbot, opened, client):
    client.answer()
    assert opened.viewer.slice() == 4
    chip = next(
        each for each in opened.assessment.findChildren(QPushButton) if each.text() == "Slice 7"
    )
    QTest.mouseClick(chip, Qt.MouseButton.LeftButton)
    assert opened.viewer.slice() == 6
    assert "Slice 7: Glioma" in visible_text(opened.assessment)
    QTest.keyClick(opened, Qt.Key.Key_K)
    assert opened.viewer.slice() == 4


def test_keys(opened):
    viewer = opened.viewer
    QTest.keyClick(opened, Qt.Key.Key_Period)
    assert viewer.slice() == 5
    QTest.keyClick(opened, Qt.Key.Key_Comma)
    QTest.keyClick(opened, Qt.Key.Key_Comma)
    assert viewer.slice() == 3
    QTest.keyClick(opened, Qt.Key.Key_End, Qt.KeyboardModifier.ControlModifier)
    assert viewer.slice() == 8
    QTest.keyClick(opened, Qt.Key.Key_2)
    assert viewer.shown_layout is BLENDED
    QTest.keyClick(opened, Qt.Key.Key_M)
    assert viewer.shown_layout is IMAGE
    assert not opened.actions_["toggle_map"].isChecked()
    QTest.keyClick(opened, Qt.Key.Key_M)
    assert viewer.shown_layout is BLENDED
    before = viewer.opacity()
    QTest.keyClick(opened, Qt.Key.Key_Minus)
    assert viewer.opacity() == pytest.approx(before - 0.1)
    window_before = viewer.state.window
    QTest.keyClick(opened, Qt.Key.Key_W)
    assert viewer.state.window != window_before
    QTest.keyClick(opened, Qt.Key.Key_R)
    assert viewer.state.window == window_before


def test_one_key_hides_the_patient_everywhere(opened, request):
    opened.study_panel.refused.open()
    QAccessible.setActive(True)  # else Qt does not tell accessible items of a changed model
    request.addfinalizer(lambda: QAccessible.setActive(False))
    assert "Jane" in opened.windowTitle()
    QTest.keyClick(opened, Qt.Key.Key_P)
    assert "Jane" not in opened.windowTitle()
    assert not opened.viewer.state.patient_text_shown
    assert "Jane" not in accessible_text(opened.study_panel.studies)
    assert BROKEN.source not in opened.study_panel.refused._text.toPlainText()
    QTest.keyClick(opened, Qt.Key.Key_P)
    assert "Jane" in opened.windowTitle()
    assert "Jane" in accessible_text(opened.study_panel.studies)


def test_series_and_volumes_by_key(qtbot, opened, client):
    QTest.keyClick(opened, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: len(client.requests) == 2)
    assert opened.reading.shown.series.title == "T2"
    QTest.keyClick(opened, Qt.Key.Key_BracketRight)
    qtbot.waitUntil(lambda: len(client.requests) == 3)
    assert opened.reading.shown.volume == 1
    assert opened.viewer.state.count == 5
    assert opened.study_panel._volumes.isVisible()


def test_an_answer_for_another_series_is_dropped(qtbot, opened, client):
    QTest.keyClick(opened, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: len(client.requests) == 2)
    from tumorviewer.analysis.messages import Done

    client.tell(Done(1, finding(head())))
    assert not opened.assessment.has_answer


def test_a_known_answer_comes_back_without_asking(qtbot, opened, client):
    client.answer()
    QTest.keyClick(opened, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: len(client.requests) == 2)
    assert not opened.assessment.has_answer
    QTest.keyClick(opened, Qt.Key.Key_Up, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: opened.assessment.has_answer)
    assert len(client.requests) == 2


def test_loading_is_shown_and_can_be_cancelled(qtbot, window, client, on_disk):
    source, may_go_on = Source(head(50)), threading.Event()
    source.before_slice = lambda index: index != 30 or may_go_on.wait()
    on_disk[SCAN] = Opened((study(series(source)),), ())
    drop(window, mime(SCAN))
    qtbot.waitUntil(lambda: "Loading slice" in visible_text(window.status))
    assert not window.viewer.state.is_complete
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert "cancelled" in visible_text(window.message_page)
    may_go_on.set()
    assert client.requests == {}


def test_closing_ends_work_before_it_is_done(qtbot, window, client, on_disk):
    source, is_closing, begun = Source(head(50)), threading.Event(), []

    def before_slice(index: int) -> None:
        is_closing.wait()
        begun.append(index)
        time.sleep(0.05)

    source.before_slice = before_slice
    on_disk[SCAN] = Opened((study(series(source)),), ())
    drop(window, mime(SCAN))
    qtbot.waitUntil(lambda: source.loads == 1)
    is_closing.set()
    window.close()
    assert window.ended_cleanly
    assert len(begun) < 50
    assert client.is_closed


def test_closing_a_study_goes_back_to_the_start(opened, client):
    client.answer()
    opened.actions_["close_study"].trigger()
    assert opened.start_page.isVisible()
    assert opened.study_panel.studies.model().rowCount() == 0
    assert not opened.assessment.has_answer
    assert opened.windowTitle() == "TumorViewer"


def test_recent_studies_are_offered(qtbot, opened, client, settings, on_disk, tmp_path):
    folder = tmp_path / "brain & <b>more"
    folder.mkdir()
    on_disk[folder] = Opened((study(series(uid="5.1"), uid="5"),), ())
    opened.open([folder])
    qtbot.waitUntil(lambda: len(client.requests) == 2)
    assert settings.recent()[0].title == folder.name
    opened.actions_["close_all"].trigger()
    assert opened.start_page.isVisible()
    link = opened.start_page.findChildren(QPushButton)[-1]
    QTest.mouseClick(link, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(client.requests) == 3)


def test_thumbnails_are_made(qtbot, opened):
    from tumorviewer.desktop.worklist.study_list import _THUMBNAIL

    model = opened.study_panel.studies.model()
    rows = [model.index(row, 0, model.index(0, 0)) for row in range(2)]
    qtbot.waitUntil(lambda: all(row.data(_THUMBNAIL) is not None for row in rows))


def test_everything_that_takes_the_focus_has_a_name(opened, client):
    client.answer()
    opened.study_panel.refused.open()
    nameless = [
        each
        for each in opened.findChildren(QWidget)
        if each.isVisible()
        and each.focusPolicy() != Qt.FocusPolicy.NoFocus
        and not accessible_name(each)
    ]
    assert nameless == []


def test_the_focus_goes_round(opened, client):
    client.answer()
    opened.activateWindow()
    seen: list[QWidget] = []
    opened.study_panel.studies.setFocus()
    for _ in range(60):
        QTest.keyClick(opened.focusWidget() or opened, Qt.Key.Key_Tab)
        seen.append(opened.focusWidget())
    order = [seen.index(each) for each in (opened.viewer.image, opened.assessment.maps._method)]
    assert order == sorted(order)
    assert opened.study_panel.studies in seen


def accessible_name(widget: QWidget) -> str:
    return QAccessible.queryAccessibleInterface(widget).text(QAccessible.Text.Name)


def accessible_text(view) -> str:
    interface = QAccessible.queryAccessibleInterface(view)
    children = (interface.child(at) for at in range(interface.childCount()))
    return "\n".join(child.text(QAccessible.Text.Name) for child in children if child)


def test_closing_a_study_gives_its_pixels_back(qtbot, opened, client):
    client.answer()
    pixels = weakref.ref(opened.viewer.state.volume.array)
    opened.actions_["close_study"].trigger()
    client.requests.clear()
    qtbot.waitUntil(lambda: gc.collect() >= 0 and pixels() is None)
