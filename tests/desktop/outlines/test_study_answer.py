"""The answer for a study and its outlines, as a reader meets them; the worker is played."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from tests.desktop.parts import (
    LABELS,
    FakeClient,
    Source,
    finding,
    head,
    model_folder,
    series,
    study,
)
from tests.desktop.shell.test_window import drop, mime, visible_text
from tumorviewer.analysis.finding import ModelIdentity
from tumorviewer.analysis.messages import Analyse, AnswerStudy, Explain
from tumorviewer.analysis.whole_study.study_answer import (
    StudyAnswer,
    StudyCandidate,
    pack_mask,
)
from tumorviewer.desktop.outlines.outline_layer import Outline
from tumorviewer.imaging.reslice import Plane, cut_planes
from tumorviewer.study.types import Opened, Volume

SCAN = Path("/scans/one")


@pytest.fixture
def inference(qapp):
    from tumorviewer.desktop.services.inference import InferenceController

    return InferenceController(FakeClient, model_folder, model_folder)


@pytest.fixture
def source() -> Source:
    return Source(head())


@pytest.fixture
def asked(qtbot, window, client, on_disk, source):
    """A window whose shown series is answered, and whose study is asked about."""
    client.ready()
    on_disk[SCAN] = Opened((study(series(source)),), ())
    drop(window, mime(SCAN))
    qtbot.waitUntil(lambda: len(client.requests) == 1)
    assert isinstance(client.last, Analyse)
    client.answer(replace(finding(source.volume), saliency=None))
    qtbot.waitUntil(lambda: len(client.requests) == 2)
    return window


def candidate(
    volume: Volume, where: tuple[slice, slice, slice], kinds: tuple[str, ...]
) -> StudyCandidate:
    mask = np.zeros(volume.array.shape, np.bool_)
    mask[where] = True
    places = np.argwhere(mask)
    slices = tuple(int(index) for index in np.unique(places[:, 0]))
    middle = tuple(float(mm) for mm in (volume.affine[:3, :3] @ places.mean(0)))
    return StudyCandidate(
        0.9, {"glioma": 0.9, "meningioma": 0.06, "pituitary": 0.04}, kinds, 12.3, (34.0, 21.0),
        middle, slices, slices[0], pack_mask(mask), volume.array.shape,
    )  # fmt: skip


def answer_with(request: AnswerStudy, **changed) -> StudyAnswer:
    volume = request.volume
    first = candidate(volume, np.s_[2:4, 10:30, 12:40], ("glioma",))
    second = candidate(volume, np.s_[6:8, 40:50, 40:52], ("meningioma", "glioma"))
    made = StudyAnswer(
        "folder", "kind", ("glioma",), "It is outlined in two slices.", request.read,
        ("T1 + contrast",), (first, second), (), (ModelIdentity("finder", "1", "f" * 64),),
        tuple(LABELS.items()), "notumor",
    )  # fmt: skip
    return replace(made, **changed)


def test_the_study_is_asked_about_before_its_maps_are_made(asked, client) -> None:
    assert isinstance(client.last, AnswerStudy)
    assert client.last.read.sequence == "T1 + contrast"
    assert "Looking for a tumour" in visible_text(asked.assessment.study)
    client.answer(answer_with(client.last))
    assert isinstance(client.last, Explain)


def test_the_headline_and_each_candidate_are_said_with_their_measures(asked, client) -> None:
    client.answer(answer_with(client.last))
    text = visible_text(asked.assessment.study)
    assert "Glioma" in text
    assert "It is outlined in two slices." in text
    rows = asked.assessment.study.candidates
    lines = [
        rows.item(row).text().replace("\N{NO-BREAK SPACE}", " ") for row in range(rows.count())
    ]
    assert lines[0].startswith("1 Glioma\n12.3 ml, 34 × 21 mm, slices 3–4")
    assert lines[1].startswith("2 Meningioma or glioma")


def test_what_is_said_slice_by_slice_is_folded_under_the_answer(asked, client) -> None:
    assert asked.assessment.answer.isVisible()
    client.answer(answer_with(client.last))
    assert not asked.assessment.answer.isVisible()
    QTest.mouseClick(asked.assessment.unfold, Qt.MouseButton.LeftButton)
    assert asked.assessment.answer.isVisible()
    assert "94.0 %" in visible_text(asked.assessment.answer)


def test_the_wheel_over_a_list_scrolls_and_chooses_nothing(qtbot, asked, client) -> None:
    box = asked.assessment.verdict.form.classes
    before = box.currentIndex()
    place = QPointF(box.rect().center())
    turned = QWheelEvent(
        place, QPointF(box.mapToGlobal(place.toPoint())), QPoint(), QPoint(0, -120),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    box.setFocus()
    QApplication.sendEvent(box, turned)
    assert box.currentIndex() == before
    assert not turned.isAccepted()


def test_a_click_on_a_candidate_goes_there(asked, client) -> None:
    client.answer(answer_with(client.last))
    rows = asked.assessment.study.candidates
    place = rows.visualItemRect(rows.item(1)).center()
    QTest.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert asked.viewer.slice() in (6, 7)
    QTest.keyClick(asked.viewer.image, Qt.Key.Key_K, Qt.KeyboardModifier.ShiftModifier)
    assert asked.viewer.slice() in (2, 3)


def test_outlines_are_drawn_where_they_lie_and_can_be_hidden(qtbot, asked, client) -> None:
    client.answer(answer_with(client.last))
    asked.viewer.set_slice(2)
    image = asked.viewer.image
    with_outline = image.grab().toImage()
    QTest.keyClick(image, Qt.Key.Key_O, Qt.KeyboardModifier.ShiftModifier)
    without = image.grab().toImage()
    assert with_outline != without
    asked.viewer.set_slice(5)
    assert not any(not path.isEmpty() for path in traced(asked))
    asked.viewer.set_slice(7)
    assert [path.isEmpty() for path in traced(asked)] == [True, False]


def test_names_of_neighbours_are_written_below_each_other(monkeypatch, asked, client) -> None:
    places: list[QRectF] = []
    monkeypatch.setattr(
        "tumorviewer.desktop.outlines.outline_layer.draw_text",
        lambda _, rect, *rest: places.append(rect),
    )
    volume = client.last.volume
    beside = tuple(
        candidate(volume, np.s_[4:5, top : top + 3, 20:30], ("glioma",)) for top in (20, 24, 28)
    )
    client.answer(answer_with(client.last, candidates=beside))
    asked.viewer.set_slice(4)
    places.clear()
    asked.viewer.image.grab()
    assert len(places) == 9
    for at, one in enumerate(places):
        assert not any(one.intersects(other) for other in places[at + 1 :])


def traced(window):
    state = window.viewer.image.state
    return window._study.layer.trace(state.stack, state.index)


def test_outlines_are_traced_in_the_planes_of_another_grid(window) -> None:
    fine = replace(head(), frame_of_reference="1.2.9")
    coarse = replace(fine, array=head(5, 32).array, affine=np.diag([2.0, 2.0, 2.0, 1.0]))
    mask = np.zeros(fine.array.shape, np.bool_)
    mask[2:4, 10:30, 12:40] = True
    layer = window._study.layer
    layer.show_outlines(fine, [Outline(mask, ("1 Glioma",))])
    planes = cut_planes(coarse, Plane.OWN)
    assert planes is not None
    (around,) = (path.boundingRect() for path in layer.trace(planes, 1))  # 2 mm from the first
    assert (around.left(), around.top()) == pytest.approx((12 / 2, 10 / 2), abs=1)
    assert (around.right(), around.bottom()) == pytest.approx((40 / 2, 30 / 2), abs=1)
    assert all(path.isEmpty() for path in layer.trace(planes, 3))


def test_no_tumour_found_and_what_cannot_be_said_have_no_candidates(asked, client) -> None:
    client.answer(answer_with(client.last, answer="no_tumour", named_classes=(), candidates=()))
    assert "No tumour found" in visible_text(asked.assessment.study)
    assert not asked.assessment.study.candidates.isVisible()
    assert not asked.actions_["next_candidate"].isEnabled()


def test_doubts_stand_under_a_headline_without_emphasis(qtbot, asked, client) -> None:
    client.answer(answer_with(client.last, doubts=("It looks like nothing it was trained on.",)))
    part = asked.assessment.study
    qtbot.waitUntil(lambda: "nothing it was trained on" in visible_text(part))
    (headline,) = (label for label in part.findChildren(QLabel) if label.text() == "Glioma")
    assert headline.property("role") == "muted"


def test_a_question_that_failed_can_be_asked_again(qtbot, asked, client) -> None:
    client.fail("The memory is full.")
    assert "The memory is full." in visible_text(asked.assessment.study)


@pytest.fixture
def mask_window(qtbot, window, client, on_disk):
    client.ready()
    labels = np.zeros((9, 64, 64), np.uint8)
    labels[3:5, 10:20, 10:20] = 2
    volume = replace(head(), array=labels)
    on_disk[SCAN] = Opened((study(series(Source(volume))),), ())
    drop(window, mime(SCAN))
    qtbot.waitUntil(lambda: window.viewer.state.is_complete)
    return window


def test_a_mask_is_listed_and_not_judged(qtbot, mask_window, client) -> None:
    part = mask_window.assessment.mask_part
    qtbot.waitUntil(lambda: "0.2 ml" in visible_text(part))
    assert "Label 2" in visible_text(part)
    assert not client.requests
