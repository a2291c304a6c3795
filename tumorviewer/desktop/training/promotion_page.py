"""Compare a model with the one in use, promote it past the gate, and roll back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from tumorviewer.desktop.training.following import ProcessFollower
from tumorviewer.desktop.training.promoting import Candidate, PromotionController, Standing
from tumorviewer.desktop.training.run_page import describe_stage
from tumorviewer.desktop.training.run_store import DataSet, RunState, RunStore, TrainingRun
from tumorviewer.desktop.widgets import controls, pages
from tumorviewer.desktop.widgets.controls import ProgressRow, make_button, make_heading, make_label
from tumorviewer.desktop.widgets.pages import (
    Page,
    Sentences,
    TextTable,
    make_facts,
    make_remarks,
    make_row,
)
from tumorviewer.errors import InputError
from tumorviewer.language import later, moment, number, percent, tr
from tumorviewer.models import evidence
from tumorviewer.models.journal import PROMOTE, Change

_FIGURES = {
    "accuracy": later("Accuracy"),
    "macro_f1": later("F1"),
    "roc_auc": later("ROC AUC"),
    "log_loss": later("Log loss, nats"),
}


class PromotionPage(Page):
    """About one candidate, or none."""

    promoted = Signal(Change)
    """A :class:`Change`: another model is in use now."""

    def __init__(self, store: RunStore) -> None:
        super().__init__(tr("Compare and promote"))
        self._store = store
        self._run: TrainingRun | None = None
        self._standing: Standing | None = None
        self._candidates: list[Candidate] = []
        self._tests: list[tuple[str, list[str]]] = []
        self.promoter = PromotionController(self)
        self.promoter.stood.connect(self._stood)
        self.promoter.changed.connect(self._changed)
        self.promoter.failed.connect(self._failed)
        self._follower = ProcessFollower(self)
        self._follower.said.connect(self._hear)
        self._follower.ended.connect(self._compared)
        self.current, self.error, self.done = (
            make_label(),
            make_label("", "error"),
            make_label("", "secondary"),
        )
        self._make_comparison()
        self._make_gate()
        self._lay_out()

    def _make_comparison(self) -> None:
        self.candidate, self.test = controls.ComboBox(), controls.ComboBox()
        self.candidate.activated.connect(lambda _: self._look())
        self.compare = make_button(tr("Compare"), "primary")
        self.compare.clicked.connect(self._compare)
        self.open = make_button(tr("Open the comparison's report"))
        self.open.clicked.connect(self._open_report)
        self.progress = ProgressRow(tr("the comparison"))
        self.progress.cancelled.connect(self._follower.stop)
        self.no_test = make_label(_no_test(), "secondary")
        self.no_model = make_label(_no_model(), "warning")
        self.words = make_label()
        self.figures = TextTable(tr("Figures of both models"))

    def _make_gate(self) -> None:
        self.objections = Sentences("warning")
        self._gate = make_label("", "secondary")
        self.promote = make_button(tr("Promote"), "primary")
        self.promote.clicked.connect(lambda: self._promote(""))
        self.reason = QLineEdit()
        self.reason.setPlaceholderText(tr("Why it is promoted all the same"))
        self.reason.setAccessibleName(tr("Reason of the override"))
        self.reason.setMinimumWidth(320)
        self.reason.textChanged.connect(self._offer_override)
        self.override = make_button(tr("Promote all the same"))
        self.override.clicked.connect(lambda: self._promote(self.reason.text()))
        self.roll_back = make_button(tr("Roll back to the model before"))
        self.roll_back.clicked.connect(self._roll_back)
        self.journal = make_remarks(tr("Journal of the models in use"))

    def _lay_out(self) -> None:
        self._override_row = QWidget()
        self._override_row.hide()
        override = make_row(self.reason, self.override)
        override.setContentsMargins(0, 0, 0, 0)
        self._override_row.setLayout(override)
        self.add(make_label(tr("Compare and promote"), "title"), self.no_model, self._form())
        self.add(self.no_test)
        self.add(
            make_row(self.compare, self.open), self.progress, self.error, self.words, self.figures
        )
        self.add(make_heading(tr("Gate")), self._gate, self.objections, make_row(self.promote))
        self.add(self._override_row, self.done, make_heading(tr("Journal")), self.journal)
        self.add(make_row(self.roll_back))
        self.end()

    def _form(self) -> QWidget:
        for shown in (self.candidate, self.test):
            shown.setMaximumWidth(520)
        return make_facts(
            (tr("In use"), self.current),
            (tr("Candidate"), self.candidate),
            (tr("Compared on"), self.test),
        )

    def show_run(self, run: TrainingRun | None) -> None:
        """Turn to the model of a run, if it is finished; any other may be chosen."""
        is_crossval = run is not None and run.is_crossval
        is_candidate = run is not None and run.state is RunState.DONE and not is_crossval
        self._run = run if is_candidate else None
        self.no_model.setVisible(is_crossval)
        self.done.hide()
        self.reason.clear()
        self._say(None)
        self._candidates.clear()
        self.candidate.clear()
        self._offer_candidates(self._standing.models if self._standing else ())
        self._offer_tests()
        self._look()

    def close_page(self) -> bool:
        """False if a change of the models does not end in time."""
        self._follower.follow(None)
        return self.promoter.close()

    def chosen(self) -> Candidate | None:
        """The candidate."""
        at = self.candidate.currentIndex()
        return self._candidates[at] if 0 <= at < len(self._candidates) else None

    def _look(self) -> None:
        candidate = self.chosen()
        for part in (self.promote, self.compare, self.roll_back):
            part.setEnabled(False)  # until it is known how things stand
        self._follower.follow(candidate.comparing if candidate else None)
        self.promoter.look(candidate)
        self._show_comparison()

    def _stood(self, standing: Standing) -> None:
        self._standing = standing
        self.current.setText(standing.title)
        self.journal.setPlainText("\n".join(map(describe_change, reversed(standing.history))))
        self.journal.setPlaceholderText(tr("No model was promoted yet."))
        self.roll_back.setEnabled(bool(standing.history))
        had_candidate = self.chosen() is not None
        self._offer_candidates(standing.models)
        if self.chosen() is not None and not had_candidate:
            self._look()  # what stands against it is not known yet
            return
        self._choose_locked(standing)
        self._show_gate(standing)

    def _offer_candidates(self, models: Sequence[tuple[str, Path]]) -> None:
        """The run's own model first; what is chosen stays so."""
        chosen = self.chosen()
        self._candidates = [] if self._run is None else [_of_run(self._run)]
        for title, folder in models:
            work = self._store.root / "comparisons" / folder.name
            self._candidates.append(Candidate(f"{title} · {folder.name}", folder, work))
        self.candidate.clear()
        self.candidate.addItems([one.title for one in self._candidates])
        if chosen in self._candidates:
            self.candidate.setCurrentIndex(self._candidates.index(chosen))

    def _offer_tests(self) -> None:
        before = self.test.currentText()
        self._tests = [one for data in self._store.sets() for one in _tests(data, self._run)]
        self.test.clear()
        for title, _ in self._tests:
            self.test.addItem(title)
        self.test.setCurrentIndex(max(0, self.test.findText(before)))
        self.no_test.setVisible(not self._tests)

    def _choose_locked(self, standing: Standing) -> None:
        if standing.locked is not None:
            at = self.test.findText(standing.locked.name)
            self.test.setCurrentIndex(at if at >= 0 else self.test.currentIndex())

    def _show_gate(self, standing: Standing) -> None:
        candidate = self.chosen()
        is_open = candidate is not None and not standing.is_in_use and not standing.objections
        self._gate.setText(_gate_words(candidate, standing))
        self.objections.show_texts(standing.objections)
        self.promote.setEnabled(is_open)
        self._override_row.setVisible(bool(standing.objections))
        self._offer_override()
        can_compare = candidate is not None and not standing.is_in_use and bool(self._tests)
        self.compare.setEnabled(can_compare and not self._follower.is_following)

    def _offer_override(self) -> None:
        self.override.setEnabled(bool(self.reason.text().strip()))

    # The comparison

    def _compare(self) -> None:
        candidate, standing = self.chosen(), self._standing
        if candidate is None or standing is None or standing.current is None:
            reason = tr("There is no model in use to compare with.")
            self._say(InputError("", reason, tr("Promote one with a reason.")))
            return
        arguments = ["compare", str(candidate.folder), standing.current.name]
        arguments += self._tests[self.test.currentIndex()][1]
        arguments += ["--out", str(candidate.comparison), "--report", str(candidate.report)]
        for data in candidate.training:
            arguments += ["--candidate-training", str(data)]
        candidate.comparison.unlink(missing_ok=True)
        try:
            self._follower.start(candidate.comparing, [*arguments, "--progress", "json"])
        except InputError as error:
            self._say(error)
            return
        self._say(None)
        self._show_comparison()
        self.compare.setEnabled(False)
        self.progress.show_progress(tr("The comparison begins…"))

    def _hear(self, line: dict[str, Any]) -> None:
        if "done" in line and self._follower.job is not None and self._follower.job.is_running():
            self.progress.show_progress(describe_stage(line), line["done"], line["total"])

    def _compared(self) -> None:
        assert self._follower.job is not None
        self.progress.hide()
        self._say(self._follower.job.problem())
        self._look()

    def _show_comparison(self) -> None:
        candidate = self.chosen()
        self.progress.setVisible(self._follower.is_following)
        found = _read(candidate)
        for part in (self.words, self.figures, self.open):
            part.setVisible(found is not None)
        if found is not None:
            self.words.setText(
                evidence.describe_comparison(found) if "seen" in found else found["words"]
            )
            self.figures.show_rows(
                _headings(found),
                [_figure_row(key, words, found) for key, words in _FIGURES.items()],
            )

    def _open_report(self) -> None:
        if (candidate := self.chosen()) is not None:
            pages.show_file(candidate.report, self)

    # Promotion

    def _promote(self, override: str) -> None:
        if (candidate := self.chosen()) is not None:
            self._wait()
            self.promoter.promote(candidate, override)

    def _roll_back(self) -> None:
        self._wait()
        self.promoter.roll_back()

    def _wait(self) -> None:
        self._say(None)
        for part in (self.promote, self.override, self.roll_back):
            part.setEnabled(False)

    def _changed(self, change: Change) -> None:
        self.reason.clear()
        self.done.setText(tr("{model} is in use now.", model=str(change.after)))
        self.done.show()
        self.promoted.emit(change)
        self.promoter.look(self.chosen())

    def _failed(self, error: InputError) -> None:
        self._say(error)
        self.roll_back.setEnabled(True)
        self._offer_override()

    def _say(self, error: InputError | None) -> None:
        self.error.setText(error.message if error else "")
        self.error.setVisible(error is not None)


def describe_change(change: Change) -> str:
    """A line of the journal."""
    before = str(change.before) if change.before else tr("nothing")
    what = tr("promoted") if change.action == PROMOTE else tr("rolled back")
    line = f"{moment(change.time)}  {change.user}  {what}  {before} → {change.after}"
    if change.override:
        return f"{line}  " + tr("override: {reason}", reason=change.override)
    if change.comparison:
        return f"{line}  {tr(change.comparison.verdict)} · {change.comparison.data.name}"
    return line


def _of_run(run: TrainingRun) -> Candidate:
    title = tr("Run {run} on {data}", run=run.name, data=run.data.name)
    return Candidate(title, run.bundle, run.folder, (run.data.data, *run.data.also))


def _tests(data: DataSet, run: TrainingRun | None) -> list[tuple[str, list[str]]]:
    """What of a data set no model of this run was trained on: title and arguments."""
    found = data.findings()
    if found and "test" in found.get("parts", {}):
        return [
            (tr("{data}, its test part", data=data.name), [*data.arguments(), "--split", "test"])
        ]
    if run is not None and run.data == data:
        return []
    return [(data.name, data.arguments())]


def _read(candidate: Candidate | None) -> dict[str, Any] | None:
    try:
        return dict(json.loads(candidate.comparison.read_text("utf-8"))) if candidate else None
    except (OSError, ValueError):
        return None


def _figure_row(key: str, words: str, found: dict[str, Any]) -> tuple[str, ...]:
    one, is_share = found["figures"][key], key != "log_loss"
    values = (_written(one[side], is_share=is_share) for side in ("candidate", "current"))
    ends = [_change(end, is_share=is_share) for end in one["interval"]]
    interval = tr("{low} to {high}", low=ends[0], high=ends[1])
    return (tr(words), *values, _change(one["difference"], is_share=is_share), interval)


def _headings(found: dict[str, Any]) -> tuple[str, ...]:
    """The model that was in use when the comparison was made may be another one now."""
    names = (found[side]["name"] for side in ("candidate", "current"))
    return ("", *names, tr("Difference, points or nats"), tr("95 % interval"))


def _written(value: float | None, *, is_share: bool) -> str:
    if value is None:
        return tr("not known")
    return percent(value, 1) if is_share else number(value, ".3f")


def _change(value: float | None, *, is_share: bool) -> str:
    """A change with its sign; shares in percentage points."""
    if value is None:
        return tr("not known")
    text = number(100 * value, "+.1f") if is_share else number(value, "+.3f")
    return text.replace("-", "−")


def _gate_words(candidate: Candidate | None, standing: Standing) -> str:
    if candidate is None:
        return tr("There is no other model: finish a training, or import one.")
    if standing.is_in_use:
        return tr("The candidate is the model in use.")
    if standing.objections:
        return tr("The candidate does not pass:")
    return tr("The candidate may take the place of the model in use.")


def _no_model() -> str:
    return tr(
        "A cross-validation judges settings and leaves no single model. To compare and promote "
        "one, train a run with one split; below, other models can be chosen."
    )


def _no_test() -> str:
    return tr(
        "A comparison needs data that neither model was trained on: send other studies to training "
        "as a data set of their own, or add a folder that has a test part."
    )
