"""A run while it trains: start, pause, go on, live curves, time left, and what the trainer says."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QProgressBar

from tumorviewer.desktop.training import fold_table
from tumorviewer.desktop.training.curves import Curves
from tumorviewer.desktop.training.fold_table import Folds
from tumorviewer.desktop.training.following import ProcessFollower
from tumorviewer.desktop.training.run_store import RunState, TrainingRun
from tumorviewer.desktop.widgets.controls import make_button, make_heading, make_label
from tumorviewer.desktop.widgets.pages import Page, make_remarks, make_row, name_stage
from tumorviewer.errors import InputError
from tumorviewer.language import capital, duration, later, tr, trn

_STATES = {
    RunState.DRAFT: later("The run is not started yet."),
    RunState.RUNNING: later("The network is being trained. You can close the window meanwhile."),
    RunState.PAUSED: later("The run is paused. It goes on after its last finished epoch."),
    RunState.DONE: later("The run is finished."),
    RunState.FAILED: later("The run did not begin to train."),
}
_OF_FOLDS = {
    RunState.RUNNING: later("Each fold is trained in turn. You can close the window meanwhile."),
    RunState.PAUSED: later("The cross-validation is paused. Folds that are judged are kept."),
    RunState.DONE: later("The cross-validation is finished."),
}
"""What differs for a cross-validation."""


class RunPage(Page):
    """Turns to a run, which may have been started by a window of before."""

    changed = Signal()
    """The run has another state."""
    settings_wanted = Signal()

    def __init__(self) -> None:
        super().__init__(tr("Training"))
        self._run: TrainingRun | None = None
        self._epochs = 1
        """That a network is trained for at most."""
        self._follower = ProcessFollower(self)
        self._follower.said.connect(self._hear)
        self._follower.ended.connect(self._ended)
        self.state, self.error = make_label("", "subtitle"), make_label("", "error")
        self.stage = make_label("", "secondary")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(tr("Progress of the training"))
        self.curves = Curves()
        self.curves.setMinimumHeight(260)
        self.folds = Folds()
        self.folds.turned.connect(self._draw)
        self.remarks = make_remarks(tr("What the trainer says"))
        self._make_buttons()
        self.add(make_label(tr("Training"), "title"), self.state, self.error)
        self.add(self.stage, self._bar, make_row(self.start, self.go_on, self.pause, self.settings))
        self.add(
            self.folds,
            make_heading(tr("Curves")),
            self.curves,
            make_heading(tr("What the trainer says")),
        )
        self.add(self.remarks)
        self.end()

    def _make_buttons(self) -> None:
        self.start = make_button(tr("Start the training"), "primary")
        self.start.clicked.connect(self.begin)
        self.go_on = make_button(tr("Go on"), "primary")
        self.go_on.clicked.connect(self.begin)
        self.pause = make_button(tr("Pause"))
        self.pause.setToolTip(
            tr("Stop at the last checkpoint; the epoch that is under way is trained again later")
        )
        self.pause.clicked.connect(self._pause)
        self.settings = make_button(tr("Change the settings"))
        self.settings.clicked.connect(self.settings_wanted)

    def show_run(self, run: TrainingRun) -> None:
        """Turn to a run."""
        if self._run != run:
            self._run = run
            self._clear()
            self._follower.follow(run.fit)
            self._say(None if self._follower.is_following else run.fit.problem())
        self._show_state()

    def close_page(self) -> None:
        self._follower.follow(None)

    def begin(self) -> None:
        """Start the run, or go on with it."""
        assert self._run is not None
        self._clear()
        try:
            self._follower.start(self._run.fit, self._run.arguments())
        except InputError as error:
            self._say(error)
            return
        self._show_state()
        self.changed.emit()

    def _clear(self) -> None:
        assert self._run is not None
        self._say(None)
        self.remarks.clear()
        self.stage.setText(tr("The trainer starts…"))
        self._bar.setRange(0, 0)
        self._epochs = 1
        self._draw()

    def _pause(self) -> None:
        self._follower.stop()
        self.pause.setEnabled(False)
        self.stage.setText(tr("It stops…"))

    def _hear(self, line: dict[str, Any]) -> None:
        if "text" in line:
            self.remarks.appendPlainText(str(line["text"]))
            return
        if line.get("stage") == "epoch":
            self._epochs = line["total"]
        if line.get("stage") in ("epoch", "fold"):
            self._draw()
        self._bar.setRange(0, line["total"])
        self._bar.setValue(line["done"])
        if not self._follower.is_stopping:
            self.stage.setText(self._stage_words(line))

    def _stage_words(self, line: dict[str, Any]) -> str:
        assert self._run is not None
        of_run = self._run.folds()
        if not of_run:
            return describe_stage(line)
        at = line["done"] if line["stage"] == "fold" else fold_table.find_running_fold(of_run)
        said = [fold_table.describe_folds(at)] + (
            [describe_stage(line)] if line["stage"] != "fold" else []
        )
        if after := len(of_run) - 1 - at:
            said.append(trn("{count} fold follows", "{count} folds follow", after))
        return " · ".join(said)

    def _draw(self) -> None:
        """From the run's own log, which also knows the epochs before it was gone on with."""
        assert self._run is not None
        shown = self.folds.shown(self._run) if self._run.is_crossval else self._run
        log = shown.log() if shown is not None else []
        self.curves.show_epochs(log, max(self._epochs, len(log)))
        self.folds.show_run(self._run)

    def _ended(self) -> None:
        assert self._run is not None
        self._show_state()
        self._draw()
        self._say(self._run.fit.problem())
        self.changed.emit()

    def _show_state(self) -> None:
        assert self._run is not None
        state = self._run.state
        words = _STATES | _OF_FOLDS if self._run.is_crossval else _STATES
        text = tr(words[state])
        if state is RunState.PAUSED and (log := self._run.log()):
            text += " " + tr("Finished: {count}.", count=log[-1]["epoch"])
        self.state.setText(text)
        self.start.setVisible(state in (RunState.DRAFT, RunState.FAILED))
        self.settings.setVisible(state in (RunState.DRAFT, RunState.FAILED))
        self.go_on.setVisible(state is RunState.PAUSED)
        self.pause.setVisible(state is RunState.RUNNING)
        self.pause.setEnabled(not self._follower.is_stopping)
        for part in (self.stage, self._bar):
            part.setVisible(state is RunState.RUNNING)

    def _say(self, error: InputError | None) -> None:
        self.error.setText(error.message if error else "")
        self.error.setVisible(error is not None)


def describe_stage(line: dict[str, Any]) -> str:
    """``Epoch 3 of 60 · about 4 min left``."""
    done, total = line["done"], line["total"]
    if line["stage"] == "epoch":
        text = tr("{done} of {total} epochs are finished", done=done, total=total)
    else:
        text = tr("{stage}: {done} of {total}", stage=capital(name_stage(line["stage"])),
                  done=done, total=total)  # fmt: skip
    left = line.get("seconds_left")
    if left and done < total:
        text += " · " + tr("about {time} left", time=duration(left))
    return text
