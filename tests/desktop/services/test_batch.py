"""The batch as its user meets it where something goes wrong; the worker is played."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from tests.desktop.parts import pump
from tests.desktop.shell import test_reading_room
from tests.desktop.shell.test_reading_room import bundle_card, rows
from tests.desktop.shell.test_window import drop, mime, visible_text
from tumorviewer.analysis.messages import Failed
from tumorviewer.errors import InputError
from tumorviewer.records import Records

room, study = test_reading_room.room, test_reading_room.study


@pytest.fixture
def card(monkeypatch):
    """What the model's card says; an error once it is put there."""
    answers = [bundle_card()]

    def read(_folder):
        if isinstance(answers[0], InputError):
            raise answers[0]
        return answers[0]

    monkeypatch.setattr("tumorviewer.desktop.services.study_analysis.bundle.read_card", read)
    return answers


@pytest.fixture
def three(qtbot, window, room, client, study, card):
    """Three studies dropped on the worklist; the model was asked about the newest."""
    for number in (1, 2, 3):
        study(number, count=2 + number, date=f"2025030{number}")
    room.show_worklist()
    drop(window, mime(study(1, count=3).parent))
    asked(qtbot, client, 1)
    return room


def asked(qtbot, client, count: int) -> None:
    qtbot.waitUntil(lambda: len(client.requests) == count)


def test_reasons_of_what_was_refused_are_shown_and_stay(qtbot, three, client):
    source = client.last.volume.source
    client.fail(f"{source}: The slices are blank.")
    asked(qtbot, client, 2)
    assert "could not be analysed" in three.worklist.batch.text()
    assert "Not analysed:\nThe slices are blank." in visible_text(three.worklist)
    client.answer()
    asked(qtbot, client, 3)
    client.answer()
    qtbot.waitUntil(three.worklist.batch.isHidden)
    pump(qtbot, three)
    assert [row[4] for row in rows(three)] == ["Not analysed", "Glioma", "Glioma"]
    model = three.worklist.model
    tip = model.index(0, 4).data(Qt.ItemDataRole.ToolTipRole)
    assert "The slices are blank." in tip
    assert source not in tip
    with Records() as records:
        assert records.worklist.waiting("0123456789abcdef" * 4) == []


def test_a_fault_of_the_worker_is_not_held_against_the_volume(qtbot, three, client):
    client.tell(Failed(1, "The analysis failed unexpectedly.", "MemoryError at x.py:1"))
    asked(qtbot, client, 2)
    client.answer()
    asked(qtbot, client, 3)
    client.answer()
    qtbot.waitUntil(three.worklist.batch.isHidden)
    assert "failed unexpectedly" in visible_text(three.worklist)
    pump(qtbot, three)
    assert rows(three)[0][:1] + rows(three)[0][4:5] == ["New", ""]
    with Records() as records:
        (left,) = records.worklist.waiting("0123456789abcdef" * 4)
        assert left.date == "2025-03-03"


def test_a_model_that_is_removed_stops_the_batch_until_it_is_back(qtbot, three, client, card):
    gone = InputError("model", "The model has gone.", "Import it again.")
    known, card[0] = card[0], gone
    client.fail("The model has gone. Import it again.")
    qtbot.waitUntil(lambda: "Paused" in three.worklist.batch.text())
    assert "The model has gone. Import it again." in visible_text(three.worklist)
    card[0] = known
    QTest.mouseClick(three.worklist.batch.pause, Qt.MouseButton.LeftButton)
    for number in (2, 3, 4):
        asked(qtbot, client, number)
        client.answer()
    qtbot.waitUntil(three.worklist.batch.isHidden)
    pump(qtbot, three)
    assert [row[0] for row in rows(three)] == ["Analysed"] * 3


def test_two_windows_share_one_batch(qtbot, window, room, client, study, card):
    for number in (1, 2, 3):
        study(number, count=2 + number, date=f"2025030{number}")
    with Records() as other:
        room.show_worklist()
        with other.queue.judging(3), other.queue.judging(1), other.queue.judging(2):
            drop(window, mime(study(1, count=3).parent))
            qtbot.waitUntil(lambda: other.queue.wanted().studies == {1, 2, 3})
            newest, second, _ = other.worklist.find()
            pump(qtbot, room)
            assert not client.requests
        asked(qtbot, client, 1)
        with other.queue.judging(second.id):
            client.answer()
            asked(qtbot, client, 2)
            assert len(client.last.volume.array) == 3
            assert newest.id not in other.queue.wanted().studies
            client.answer()
            qtbot.waitUntil(lambda: other.queue.wanted().studies == {second.id})
        asked(qtbot, client, 3)
        client.answer()
        qtbot.waitUntil(room.worklist.batch.isHidden)
        assert other.queue.wanted().studies == frozenset()
