"""From read studies to a model in use, as the reader meets it; the trainer is played."""

from __future__ import annotations

import json
import shutil

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit

from tests.desktop.shell.test_accessible import nameless, not_reached
from tests.desktop.shell.test_window import visible_text
from tumorviewer.analysis.messages import Analyse
from tumorviewer.desktop.training import job as jobs
from tumorviewer.desktop.training.closing import ClosingDialog
from tumorviewer.desktop.training.run_store import RunState, RunStore
from tumorviewer.models import promotion
from tumorviewer.models.catalogue import Catalogue

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


def click(button) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def send(qtbot, window, workspace) -> None:
    """All read studies by keys alone; they are audited."""
    QTest.keyClick(window, Qt.Key.Key_T, CTRL | SHIFT)
    qtbot.waitUntil(workspace.new.write.isVisible)
    QTest.keyClick(workspace.new.write, Qt.Key.Key_Space)
    qtbot.waitUntil(workspace.data.open.isVisible)


def prepare(qtbot, workspace) -> None:
    qtbot.waitUntil(workspace.data.prepare.isEnabled)
    click(workspace.data.prepare)
    qtbot.waitUntil(workspace.settings.start.isVisible)


def test_an_empty_workspace_says_what_to_do_and_is_reached_by_keys(qtbot, window, room):
    QTest.keyClick(window, Qt.Key.Key_T, CTRL)
    workspace = room.training.workspace
    assert "There is nothing to train on yet" in visible_text(workspace)
    assert [room.tabs.tabText(at) for at in range(room.tabs.count())] == ["Worklist", "Training"]
    assert nameless(window) == []
    assert not_reached(window) == []
    QTest.keyClick(window, Qt.Key.Key_T, CTRL | SHIFT)
    qtbot.waitUntil(lambda: "None of the studies has a verdict" in visible_text(workspace))
    assert not workspace.new.write.isEnabled()
    click(workspace.new.give_up)
    assert "There is nothing to train on yet" in visible_text(workspace)


def test_chosen_studies_leave_and_are_audited(qtbot, window, read_studies, room, workspace):
    room.show_worklist()
    qtbot.waitUntil(lambda: room.worklist.model.rowCount() == 5)
    QTest.keyClick(room.worklist.table, Qt.Key.Key_A, CTRL)
    QTest.keyClick(window, Qt.Key.Key_T, CTRL | SHIFT)
    page = workspace.new
    qtbot.waitUntil(page.write.isVisible)
    assert "2 studies · 2 patients" in visible_text(page)
    assert "1 study without a verdict stays behind." in visible_text(page)
    assert "2 studies that are not signed stay behind." in visible_text(page)
    click(page.signed_only)
    assert "4 studies · 4 patients" in visible_text(page)
    page.name.setText("")
    QTest.keyClicks(page.name, "Ward 3!")
    assert page.place.text().endswith("ward-3")
    click(page.write)
    qtbot.waitUntil(workspace.data.open.isVisible)
    table = RunStore().place("ward-3") / "dataset.csv"
    labels = [line.split(",")[1] for line in table.read_text().splitlines()[1:]]
    assert sorted(labels) == ["glioma", "glioma", "notumor", "notumor"]
    assert "Doe" not in table.read_text()
    assert "its figures will be uncertain" in visible_text(workspace.data)
    assert RunStore().root.stat().st_mode & 0o077 == 0


def test_studies_of_one_class_must_be_joined(
    qtbot, window, read_studies, room, workspace, tmp_path
):
    workspace.add_folder(tmp_path / "studies")
    room.show_worklist()
    qtbot.waitUntil(lambda: room.worklist.model.rowCount() == 5)
    entries = [one for one in room.worklist.model.entries if one.verdict_class == "glioma"]
    room.training.send(entries)
    page = workspace.new
    assert "All of them are of one class" in visible_text(page)
    assert not page.write.isEnabled()
    page.join.setFocus()
    QTest.keyClick(page.join, Qt.Key.Key_Down)
    assert page.also() == (tmp_path / "studies",)
    click(page.write)
    qtbot.waitUntil(lambda: len(RunStore().sets()) == 2)
    (joined,) = (one for one in RunStore().sets() if one.also)
    assert joined.arguments()[1:] == ["--also", str(tmp_path / "studies")]


def test_a_run_is_set_up_trained_paused_and_gone_on_with(
    qtbot, window, read_studies, room, workspace, played
):
    send(qtbot, window, workspace)
    prepare(qtbot, workspace)
    form = workspace.settings.form
    assert form.fields["card.labels"].value() == {"glioma": "Glioma", "notumor": "No tumour"}
    assert form.fields["model.initial_weights"].value() == "catalogue:head-mr-4"
    assert form.fields["preprocessing.size"].value() == 160
    epochs = form.fields["training.epochs"].input
    assert isinstance(epochs, QLineEdit)
    epochs.selectAll()
    QTest.keyClicks(epochs, "many")
    click(workspace.settings.start)
    assert "It must be a whole number, not many." in visible_text(workspace.settings)
    epochs.selectAll()
    QTest.keyClicks(epochs, "3")
    click(workspace.settings.look)
    qtbot.waitUntil(workspace.settings.split.isVisible)
    (played / "hold").touch()
    click(workspace.settings.start)
    run = workspace.run
    qtbot.waitUntil(lambda: "1 of 3 epochs" in run.stage.text())
    assert run.curves.losses.accessibleDescription() == (
        "Training loss 1.000 after epoch 1, Validation log loss 0.900 after epoch 1"
    )
    click(run.pause)
    qtbot.waitUntil(run.go_on.isVisible)
    assert "Finished: 1." in run.state.text()
    assert not run.error.isVisible()
    (played / "hold").unlink()
    click(run.go_on)
    qtbot.waitUntil(lambda: "The run is finished" in run.state.text())
    (data,) = RunStore().sets()
    (made,) = data.runs()
    arguments = json.loads((made.folder / "arguments.json").read_text())
    assert "--config" in arguments  # gone on with as it was begun
    assert made.choices()["training.epochs"] == 3
    workspace.steps.setCurrentWidget(workspace.result)
    text = visible_text(workspace.result)
    assert "Judged on 3 items in 3 groups." in text
    assert workspace.result.confusion.item(1, 1).text() == "1"


def test_folds_are_trained_judged_paused_and_gone_on_with(
    qtbot, window, read_studies, room, workspace, played
):
    send(qtbot, window, workspace)
    prepare(qtbot, workspace)
    settings, run = workspace.settings, workspace.run
    validation = settings.form.fields["split.validation"].input
    assert not validation.isReadOnly()
    settings.protocol.box.setFocus()
    QTest.keyClick(settings.protocol.box, Qt.Key.Key_Down)
    assert "It leaves no single model" in visible_text(settings)
    assert validation.isReadOnly()
    click(settings.look)
    qtbot.waitUntil(settings.split.isVisible)
    assert "So it is for fold 0" in visible_text(settings)
    (played / "hold").touch()
    click(settings.start)
    qtbot.waitUntil(lambda: "1 of 3 epochs" in run.stage.text())
    assert run.stage.text().startswith("Fold 0 · ")
    assert run.stage.text().endswith("1 fold follows")
    assert [run.folds.table.item(at, 1).text() for at in (0, 1)] == ["is being trained", "waits"]
    click(run.pause)
    qtbot.waitUntil(run.go_on.isVisible)
    assert "Folds that are judged are kept." in run.state.text()
    assert run.folds.table.item(0, 1).text() == "stopped"
    (played / "hold").unlink()
    click(run.go_on)
    qtbot.waitUntil(lambda: "cross-validation is finished" in run.state.text())
    assert [run.folds.table.item(at, 3).text() for at in (0, 1)] == ["90.0 %", "90.0 %"]
    run.folds.choice.setFocus()
    QTest.keyClick(run.folds.choice, Qt.Key.Key_Down)
    assert run.folds.choice.currentText() == "Fold 0"
    assert "after epoch 3" in run.curves.losses.accessibleDescription()
    (made,) = RunStore().sets()[0].runs()
    arguments = json.loads((made.folder / "arguments.json").read_text())
    assert arguments[0] == "crossval"
    assert "--config" in arguments
    shown = [item.text(0) for item in workspace.list._items()]
    assert shown[1] == "Folds 001 · trained"


def test_a_finished_cross_validation_has_figures_and_no_model(
    qtbot, window, read_studies, room, workspace
):
    send(qtbot, window, workspace)
    prepare(qtbot, workspace)
    workspace.settings.protocol.box.setFocus()
    QTest.keyClick(workspace.settings.protocol.box, Qt.Key.Key_Down)
    click(workspace.settings.start)
    qtbot.waitUntil(lambda: "is finished" in workspace.run.state.text())
    workspace.steps.setCurrentWidget(workspace.result)
    page = workspace.result
    text = visible_text(page)
    assert "Cross-validation in 2 folds" in text
    assert "Judged on 3 items in 3 groups." in text
    assert page.figures.item(0, 2).text() == "80.0 % – 100.0 %"
    assert page.folds.item(1, 2).text() == "90.0 % (80.0 % to 100.0 %)"
    assert not page.compare.isVisible()
    workspace.steps.setCurrentWidget(workspace.promotion)
    promotion_page = workspace.promotion
    qtbot.waitUntil(promotion_page.no_model.isVisible)
    assert "train a run with one split" in visible_text(promotion_page)
    workspace.steps.setCurrentWidget(page)
    click(page.train)
    qtbot.waitUntil(workspace.settings.start.isVisible)
    assert "One model is trained." in visible_text(workspace.settings)
    click(workspace.settings.start)
    qtbot.waitUntil(lambda: "The run is finished" in workspace.run.state.text())
    _, made = RunStore().sets()[0].runs()
    assert made.bundle.is_dir()
    assert not made.is_crossval


def test_too_few_groups_are_said_and_everything_is_offered(
    qtbot, window, read_studies, room, workspace, played
):
    (played / "few").touch()
    send(qtbot, window, workspace)
    prepare(qtbot, workspace)
    click(workspace.settings.start)
    qtbot.waitUntil(lambda: "fewer than 5 folds" in visible_text(workspace.run))
    click(workspace.run.settings)
    qtbot.waitUntil(workspace.settings.everything.isVisible)
    assert "The class glioma has 2 groups, fewer than 5 folds." in visible_text(workspace.settings)
    click(workspace.settings.everything)
    click(workspace.settings.start)
    qtbot.waitUntil(lambda: "The run is finished" in workspace.run.state.text())


def test_a_training_goes_on_without_the_window_and_is_found_again(
    qtbot, window, read_studies, room, workspace, played, inference, settings
):
    from tumorviewer.desktop.shell.window import MainWindow

    send(qtbot, window, workspace)
    prepare(qtbot, workspace)
    (played / "hold").touch()
    click(workspace.settings.start)
    qtbot.waitUntil(lambda: "1 of 3 epochs" in workspace.run.stage.text())
    window.close()
    assert window.isVisible()
    dialog = window.findChild(ClosingDialog)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert window.isVisible()
    window.close()
    (dialog,) = (one for one in window.findChildren(ClosingDialog) if one.isVisible())
    click(dialog.go_on)
    qtbot.waitUntil(lambda: not window.isVisible())
    children = dict(jobs._running)
    jobs._running.clear()  # as in another process, which knows it by its lock alone
    (run,) = RunStore().running()
    other = MainWindow(inference, settings)
    qtbot.addWidget(other)
    other.show()
    other.room.start()
    assert other.room.tabs.tabText(1) == "Training"
    other.room.training.enter()
    found = other.room.training.workspace
    assert found.steps.currentWidget() is found.run
    qtbot.waitUntil(lambda: "1 of 3 epochs" in found.run.stage.text())
    other.close()
    click(other.findChild(ClosingDialog).stop)
    qtbot.waitUntil(lambda: not other.isVisible())
    assert run.state is RunState.PAUSED
    for child in children.values():
        child.wait(10)


def test_a_model_is_compared_promoted_asked_at_once_and_rolled_back(
    qtbot, window, read_studies, room, workspace, client, tmp_path
):
    send(qtbot, window, workspace)
    (tmp_path / "kept").mkdir()
    workspace.add_folder(tmp_path / "kept")
    (_, read) = RunStore().sets()
    RunStore().add("more", tmp_path / "more", (read.data,))
    workspace.list_again()
    workspace.list.tree.setCurrentItem(workspace.list.tree.topLevelItem(1))
    prepare(qtbot, workspace)
    click(workspace.settings.start)
    qtbot.waitUntil(lambda: "The run is finished" in workspace.run.state.text())
    before = promotion.find_model_in_use(Catalogue())
    workspace.steps.setCurrentWidget(workspace.result)
    assert "the gate stays closed to it" in visible_text(workspace.result)
    click(workspace.result.trust.measure)
    qtbot.waitUntil(lambda: "the gate stays closed" not in visible_text(workspace.result))
    workspace.steps.setCurrentWidget(workspace.promotion)
    page = workspace.promotion
    qtbot.waitUntil(lambda: "There is no comparison" in visible_text(page))
    assert not page.promote.isEnabled()
    assert not page.override.isEnabled()
    click(page.compare)
    qtbot.waitUntil(page.promote.isEnabled)
    assert "random 1 is better than head-mr-4 2.0.0. Accuracy 90.0 % against" in visible_text(page)
    said = json.loads(page.chosen().comparing.folder.joinpath("compare.job").read_text())
    trained_on = said["arguments"][said["arguments"].index("--candidate-training") :]
    assert trained_on[1] == str(tmp_path / "more")
    assert trained_on[3] == str(read.data)
    click(page.promote)
    qtbot.waitUntil(lambda: "random 1 is in use now." in visible_text(page))
    assert promotion.find_model_in_use(Catalogue()).name == "random"
    qtbot.waitUntil(lambda: "better · kept" in page.journal.toPlainText())
    qtbot.waitUntil(page.roll_back.isEnabled)
    click(page.roll_back)
    qtbot.waitUntil(lambda: str(before) in page.done.text())
    assert promotion.find_model_in_use(Catalogue()) == before
    qtbot.waitUntil(lambda: "rolled back" in page.journal.toPlainText())


def test_an_answer_of_the_model_of_before_is_called_so(qtbot, window, room, client):
    window.open_demonstration()
    qtbot.waitUntil(lambda: bool(client.requests))
    client.answer()
    qtbot.waitUntil(lambda: window.assessment.has_answer)
    room.training.promoted.emit()
    assert "the model that was in use before" in visible_text(window.assessment)
    window.reading.inference.explain("gradcam", "meningioma")
    assert isinstance(client.last, Analyse)  # no maps of one model for the answer of another
    client.answer()
    qtbot.waitUntil(lambda: "in use before" not in visible_text(window.assessment))


def test_an_override_needs_a_reason_which_is_kept(qtbot, window, room, workspace):
    room.training.enter()
    workspace._pages.setCurrentWidget(workspace.steps)
    workspace.steps.setCurrentWidget(workspace.promotion)
    page = workspace.promotion
    qtbot.waitUntil(page.reason.isVisible)
    assert not page.override.isEnabled()
    QTest.keyClicks(page.reason, "The old one was trained elsewhere.")
    click(page.override)
    qtbot.waitUntil(lambda: "is in use now." in visible_text(page))
    (change,) = promotion.read_history(Catalogue())
    assert change.override == "The old one was trained elsewhere."


def test_a_model_that_is_removed_while_in_use_is_said_and_another_can_be_chosen(
    qtbot, window, room, workspace, client, random_bundle, monkeypatch
):
    own = Catalogue().own
    own.mkdir(parents=True)
    shutil.copytree(random_bundle, own / "random")
    (own / "DEFAULT").write_text("random\n")
    from tumorviewer.desktop.shell import app

    monkeypatch.setattr(window.reading.inference, "find_model", app.find_default_model)
    shutil.rmtree(own / "random")
    window.open_demonstration()
    qtbot.waitUntil(lambda: "There is no model of that name" in visible_text(window))
    assert not np.isnan(window.viewer.slice())
    room.training.enter()
    workspace._pages.setCurrentWidget(workspace.steps)
    workspace.steps.setCurrentWidget(workspace.promotion)
    page = workspace.promotion
    qtbot.waitUntil(lambda: "random: There is no model of that name" in page.current.text())
    QTest.keyClicks(page.reason, "The one in use is gone.")
    click(page.override)
    qtbot.waitUntil(lambda: "is in use now." in visible_text(page))
    window.actions_["analyse"].trigger()
    assert client.last.model == app.find_default_model()
