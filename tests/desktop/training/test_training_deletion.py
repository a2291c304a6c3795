"""Data sets and runs that are deleted in the window; the trainer is played."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

from tests.desktop.shell.test_accessible import nameless
from tests.desktop.shell.test_window import visible_text
from tests.desktop.training.test_training_tab import click, prepare, send
from tumorviewer.desktop.training import deleting
from tumorviewer.desktop.training.run_store import RunStore
from tumorviewer.models import comparison
from tumorviewer.models.catalogue import Catalogue
from tumorviewer.records import Records


@pytest.fixture(autouse=True)
def trash(tmp_path, monkeypatch):
    folder = tmp_path / "xdg"
    folder.mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    return folder / "Trash" / "files"


def asked(qtbot, workspace) -> QMessageBox:
    """The question, as soon as it is there."""
    boxes = workspace.findChildren
    qtbot.waitUntil(lambda: any(one.isVisible() for one in boxes(QMessageBox)))
    return next(one for one in boxes(QMessageBox) if one.isVisible())


def answer(box: QMessageBox, text: str) -> None:
    click(next(one for one in box.buttons() if one.text().replace("&", "") == text))


def noted(qtbot, workspace) -> list[dict]:
    """What the audit trail says of deletions, the last first."""
    found: list[list[dict]] = []
    workspace._executor.ask(
        lambda records: [one.details for one in records.trail.entries() if one.action == "deleted"],
        found.append,
    )
    qtbot.waitUntil(lambda: bool(found))
    return found[0]


def trained(qtbot, window, workspace) -> None:
    send(qtbot, window, workspace)
    prepare(qtbot, workspace)
    click(workspace.settings.start)
    qtbot.waitUntil(lambda: "The run is finished" in workspace.run.state.text())


def test_a_run_goes_to_the_trash_by_keys_and_its_model_in_use_stays(
    qtbot,
    window,
    read_studies,
    room,
    workspace,
    trash,
):
    trained(qtbot, window, workspace)
    workspace.steps.setCurrentWidget(workspace.promotion)
    page = workspace.promotion
    qtbot.waitUntil(lambda: page.reason.isVisible())
    QTest.keyClicks(page.reason, "For the test.")
    click(page.override)
    qtbot.waitUntil(lambda: "is in use now" in visible_text(page))
    (run,) = RunStore().sets()[0].runs()
    tree = workspace.list.tree
    tree.setFocus()
    QTest.keyClick(tree, Qt.Key.Key_Delete)
    box = asked(qtbot, workspace)
    assert "Run 001 on" in box.text()
    assert (
        "To be deleted: its settings, checkpoints, figures, report and model; "
        in box.informativeText()
    )
    assert "kB" in box.informativeText()
    assert "Models that were promoted, their journal, and the records" in box.informativeText()
    assert nameless(box) == []
    QTest.keyClick(box, Qt.Key.Key_Escape)
    assert run.folder.is_dir()
    QTest.keyClick(tree, Qt.Key.Key_Delete)
    answer(asked(qtbot, workspace), "Delete")
    qtbot.waitUntil(lambda: "is in the trash." in workspace.notice.text())
    assert not run.folder.exists()
    assert (trash / "001" / "bundle" / "card.json").is_file()
    assert Catalogue().find("random").is_dir()
    assert workspace.steps.currentWidget() is workspace.data
    (entry,) = noted(qtbot, workspace)
    assert (entry["what"], entry["run"], entry["trash"]) == ("training run", "001", True)
    with Records() as records:
        assert records.trail.verify() == []


def test_a_data_set_leaves_with_its_pictures_and_without_a_trash_it_is_gone(
    qtbot,
    window,
    read_studies,
    room,
    workspace,
    monkeypatch,
):
    monkeypatch.setattr(deleting, "_to_trash", lambda _: False)
    send(qtbot, window, workspace)
    (data,) = RunStore().sets()
    pictures = RunStore().pictures(data)
    assert pictures is not None
    assert any(pictures.rglob("*.png"))
    click(workspace.list.delete)
    box = asked(qtbot, workspace)
    assert (
        "To be deleted: the pictures that were written for it, its audit; " in box.informativeText()
    )
    answer(box, "Delete")
    qtbot.waitUntil(lambda: "is deleted." in workspace.notice.text())
    assert RunStore().sets() == ()
    assert not pictures.exists()
    assert "There is nothing to train on yet" in visible_text(workspace)
    (entry,) = noted(qtbot, workspace)
    assert (entry["what"], entry["trash"]) == ("training data", False)
    assert "run" not in entry


def test_a_folder_of_the_users_own_stays(qtbot, window, room, workspace, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "picture.png").write_bytes(b"mine")
    room.training.enter()
    workspace.add_folder(own)
    qtbot.waitUntil(workspace.data.open.isVisible)
    click(workspace.list.delete)
    box = asked(qtbot, workspace)
    assert f"The pictures stay, as they are your own: {own}" in box.informativeText()
    answer(box, "Delete")
    qtbot.waitUntil(lambda: RunStore().sets() == ())
    assert (own / "picture.png").read_bytes() == b"mine"


def test_what_runs_or_is_joined_stays_and_what_to_do_is_said(
    qtbot,
    window,
    read_studies,
    room,
    workspace,
    played,
):
    send(qtbot, window, workspace)
    (data,) = RunStore().sets()
    other = RunStore().add("joined", played, (data.data,))
    workspace.list_again()
    click(workspace.list.delete)
    assert "Its pictures are also part of joined. Delete that first." in workspace.notice.text()
    deleting.check_deletable(deleting.DeletableFolder(other), RunStore())
    workspace.list.tree.setCurrentItem(
        next(one for one in workspace.list._items() if one.text(0) == data.name)
    )
    prepare(qtbot, workspace)
    (played / "hold").touch()
    click(workspace.settings.start)
    qtbot.waitUntil(lambda: "1 of 3 epochs" in workspace.run.stage.text())
    click(workspace.list.delete)
    assert "It is being trained, measured or compared. Pause it" in workspace.notice.text()
    assert not any(one.isVisible() for one in workspace.findChildren(QMessageBox))
    (run,) = data.runs()
    assert json.loads((run.folder / "arguments.json").read_text())
    (played / "hold").unlink()
    qtbot.waitUntil(lambda: "The run is finished" in workspace.run.state.text())


def test_the_loss_of_the_locked_test_set_is_said(tmp_path, monkeypatch):
    pictures = RunStore().place("kept")
    pictures.mkdir(parents=True)
    data = RunStore().add("kept", pictures)
    item = deleting.DeletableFolder(data)
    assert not any("locked" in one for one in deleting.describe_deletion(item, RunStore(), 0))
    locked = comparison.TestSet("kept", "1" * 64, 60, 40)
    monkeypatch.setattr(deleting.promotion, "find_locked_test_set", lambda _: locked)
    assert any(
        "It is the locked test set" in one
        for one in deleting.describe_deletion(item, RunStore(), 0)
    )
