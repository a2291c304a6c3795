"""How far the model of a run may be trusted: measured on what the run held out."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from tumorviewer.desktop.assessment import reliability
from tumorviewer.desktop.training.following import ProcessFollower
from tumorviewer.desktop.training.run_store import TrainingRun
from tumorviewer.desktop.widgets.controls import ProgressRow, make_button, make_heading, make_label
from tumorviewer.desktop.widgets.pages import Sentences, make_row, name_stage
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.models.trust_measures import Trust


class TrustPart(QWidget):
    """What was measured, in words; or a button that has the trainer measure it."""

    measured = Signal()
    """The card of the run's model says more now."""

    def __init__(self) -> None:
        super().__init__()
        self._run: TrainingRun | None = None
        self._follower = ProcessFollower(self)
        self._follower.said.connect(self._hear)
        self._follower.ended.connect(self._ended)
        self._words, self._missing, self._error = (
            Sentences(""), Sentences("warning"), make_label("", "error")
        )  # fmt: skip
        self.measure = make_button(tr("Measure it"))
        self.measure.clicked.connect(self._start)
        self.progress = ProgressRow(tr("the measurement"))
        self.progress.cancelled.connect(self._follower.stop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(make_heading(tr("How far it may be trusted")))
        for part in (self._words, self._missing, self._error, self.progress):
            column.addWidget(part)
        column.addLayout(make_row(self.measure))

    def show_trust(self, run: TrainingRun, trust: Trust | None) -> None:
        """Turn to a finished run, and to what its model's card says."""
        self._run = run
        self._words.show_texts(list(reliability.describe_reliability(trust)) if trust else [])
        self._missing.show_texts([] if trust else [_not_measured()])
        self._say(None)
        self.progress.hide()
        self._follower.follow(run.measuring)
        self.measure.setVisible(trust is None and not self._follower.is_following)

    def close_part(self) -> None:
        """The measurement goes on without the window."""
        self._follower.follow(None)

    def _start(self) -> None:
        assert self._run is not None
        run = self._run
        try:
            arguments = ["trust", str(run.folder), *run.data.arguments(), "--progress", "json"]
            self._follower.start(run.measuring, arguments)
        except InputError as error:
            self._say(error)
            return
        self._say(None)
        self.measure.hide()
        self.progress.show_progress(tr("The measurement begins…"))

    def _hear(self, line: dict[str, Any]) -> None:
        if "done" in line and self._follower.job is not None and self._follower.job.is_running():
            self.progress.show_progress(name_stage(line["stage"]), line["done"], line["total"])

    def _ended(self) -> None:
        assert self._follower.job is not None
        self.progress.hide()
        problem = self._follower.job.problem()
        self._say(problem)
        self.measure.setVisible(problem is not None)
        if problem is None:
            self.measured.emit()

    def _say(self, error: InputError | None) -> None:
        self._error.setText(error.message if error else "")
        self._error.setVisible(error is not None)


def _not_measured() -> str:
    return tr(
        "It is not measured yet. Without it the model names a class for every image, whatever that "
        "shows, and the gate stays closed to it."
    )
