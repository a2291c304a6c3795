"""The settings of a run, and the split that they make."""

from __future__ import annotations

from functools import reduce
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from tumorviewer.desktop.training.following import TrainerQuery
from tumorviewer.desktop.training.run_store import (
    VALIDATION,
    EvaluationProtocol,
    RunState,
    TrainingRun,
    as_arguments,
)
from tumorviewer.desktop.training.settings_form import SettingsForm, read_options
from tumorviewer.desktop.widgets import controls
from tumorviewer.desktop.widgets.controls import ProgressRow, make_button, make_label
from tumorviewer.desktop.widgets.pages import Page, TextTable, make_facts, make_row
from tumorviewer.errors import InputError
from tumorviewer.language import later, tr

_PARTS = (
    ("train", later("To train on")),
    ("validation", later("To choose and judge by")),
    ("test", later("To judge by")),
)
EVERYTHING = {VALIDATION: "none"}
"""Settings that keep nothing back."""


class SettingsPage(Page):
    """The trainer is asked for its settings when they are first needed."""

    start_wanted = Signal()
    again_wanted = Signal()
    """Another run with these settings is wanted."""

    def __init__(self) -> None:
        super().__init__(tr("Configuration"))
        self._run: TrainingRun | None = None
        self._asks_for_everything = False
        self._about_settings, self._about_split = TrainerQuery(self), TrainerQuery(self)
        self._about_settings.answered.connect(self._make_form)
        self._about_settings.refused.connect(self._cannot_make)
        self._about_split.answered.connect(self._show_split)
        self._about_split.refused.connect(self._refuse_split)
        self.protocol = ProtocolChoice()
        self.protocol.changed.connect(self._turn_protocol)
        self.form = SettingsForm()
        self.form.changed.connect(self._edited)
        self.waiting = ProgressRow(tr("the question to the trainer"))
        self.waiting.cancelled.connect(self._give_up)
        self.note, self.error = make_label("", "secondary"), make_label("", "error")
        self.split, self._split_note = TextTable(tr("Split")), make_label("", "small")
        self._make_buttons()
        self.add(make_label(tr("Configuration"), "title"), self.note)
        self.add(make_row(self.start, self.look, self.everything, self.again, self.retry))
        self.add(self.waiting, self.error)
        self.add(self.split, self._split_note, self.protocol, self.form)
        self.end()

    def _make_buttons(self) -> None:
        self.start = make_button(tr("Start the training"), "primary")
        self.start.clicked.connect(self._start)
        self.look = make_button(tr("Show the split"))
        self.look.clicked.connect(self._ask_split)
        self.everything = make_button(tr("Train on everything"))
        self.everything.clicked.connect(self._keep_nothing_back)
        self.again = make_button(tr("Another run with these settings"))
        self.again.clicked.connect(self.again_wanted)
        self.retry = make_button(tr("Try again"))
        self.retry.clicked.connect(self._ask_settings)

    def show_run(self, run: TrainingRun) -> None:
        """Turn to a run; the settings of one that was started cannot be changed."""
        self._run = run
        self._about_split.close()
        self._say("")
        self._hide_split()
        if self.form.fields:
            self._fill()
        elif not self._about_settings.is_asking:
            self._ask_settings()
        if run.state is RunState.FAILED and (problem := run.fit.problem()) is not None:
            self._refuse(problem)

    def close_page(self) -> None:
        self._about_settings.close()
        self._about_split.close()

    def keep(self) -> bool:
        """Keep what is written with the run; False if something is no value, which is said."""
        assert self._run is not None
        try:
            self._run.choose(self.form.choices(), self.protocol.value())
        except InputError as error:
            self._say(f"{error.source}: {error.message}")
            return False
        self._say("")
        return True

    def _refuse(self, error: InputError) -> None:
        """Say why the trainer does not take it so, and find out whether it would take all data."""
        self._say(error.message)
        assert self._run is not None
        everything = self._run.choices() | EVERYTHING
        if self._run.is_crossval or everything != self._run.choices():
            self._ask_for(as_arguments(everything), everything=True)

    def _ask_settings(self) -> None:
        self.retry.hide()
        self._say("")
        for part in (self.start, self.look, self.again):
            part.hide()
        self.waiting.show_progress(tr("The trainer is asked for its settings…"))
        self._about_settings.ask(["config", "--json"])

    def _give_up(self) -> None:
        self._about_split.close()
        self._end_asking()
        if self._about_settings.is_asking:
            self._about_settings.close()
            self.retry.show()

    def _make_form(self, said: dict[str, Any]) -> None:
        self.waiting.hide()
        self.form.make(read_options(said))
        if self._run is not None:
            self._fill()

    def _cannot_make(self, error: InputError) -> None:
        self.waiting.hide()
        self._say(error.message)
        self.retry.show()

    def _fill(self) -> None:
        assert self._run is not None
        is_draft = self._run.state in (RunState.DRAFT, RunState.FAILED)
        self.retry.hide()
        self.form.show_values(self._run.choices())
        self.protocol.set_value(self._run.protocol)
        self._offer_fields()
        self.note.setText(
            tr("These are the trainer's own settings, and what they mean in its words.")
            if is_draft
            else tr("This run was started: its settings stay. Another run can have others.")
        )
        for part in (self.start, self.look):
            part.setVisible(is_draft)
        self.again.setVisible(not is_draft)

    def _turn_protocol(self) -> None:
        self._offer_fields()
        self._edited()

    def _offer_fields(self) -> None:
        """What is kept back is no choice where every fold is."""
        assert self._run is not None
        is_draft = self._run.state in (RunState.DRAFT, RunState.FAILED)
        self.protocol.box.setEnabled(is_draft)
        self.form.set_editable(is_draft)
        if VALIDATION in self.form.fields and self.protocol.value() is EvaluationProtocol.FOLDS:
            self.form.fields[VALIDATION].set_editable(False)

    def _edited(self) -> None:
        self._hide_split()
        self._say("")

    def _hide_split(self) -> None:
        for part in (self.everything, self.split, self._split_note):
            part.hide()

    def _start(self) -> None:
        self._about_split.close()
        self._end_asking()
        if self.keep():
            self.start_wanted.emit()

    def _ask_split(self) -> None:
        if not self.keep():
            return
        self._hide_split()
        self.look.setEnabled(False)
        assert self._run is not None
        self._ask_for(self._run.settings())

    def _ask_for(self, settings: list[str], *, everything: bool = False) -> None:
        assert self._run is not None
        self._asks_for_everything = everything
        self.waiting.show_progress(tr("The trainer divides the data…"))
        self._about_split.ask(
            ["split", *self._run.data.arguments(), *settings, "--progress", "none"]
        )

    def _show_split(self, found: dict[str, Any]) -> None:
        self._end_asking()
        if self._asks_for_everything:
            self.everything.show()
            return
        classes = list(found["train"]["classes"])
        self.split.show_rows(
            (tr("Part"), tr("Items"), tr("Groups"), *classes),
            [
                (tr(words), *_counts(found[part], classes))
                for part, words in _PARTS
                if found[part]["items"]
            ],
        )
        words = tr("Grouped by {how}.", how=_grouping(found["grouped_by"]))
        if self.protocol.value() is EvaluationProtocol.FOLDS:
            words = tr("So it is for fold 0; the other folds are kept back in turn.") + " " + words
        self._split_note.setText(words)
        self.split.show()
        self._split_note.show()

    def _refuse_split(self, error: InputError) -> None:
        self._end_asking()
        if not self._asks_for_everything:
            self._refuse(error)

    def _end_asking(self) -> None:
        self.waiting.hide()
        self.look.setEnabled(True)

    def _keep_nothing_back(self) -> None:
        self.protocol.set_value(EvaluationProtocol.SPLIT)
        for name, value in EVERYTHING.items():
            self.form.fields[name].set_value(value)
        self._edited()
        self.note.setText(
            tr(
                "Nothing is kept back: the run will have no figures. Only a comparison on other "
                "data can say what the model is worth."
            )
        )
        self.start.setFocus()

    def _say(self, text: str) -> None:
        self.error.setText(text)
        self.error.setVisible(bool(text))


def _grouping(how: str) -> str:
    """In the user's language: the trainer names one kind of group after another."""
    first, *others = (tr(one) for one in how.split(", and "))
    return reduce(lambda some, more: tr("{some}, and {more}", some=some, more=more), others, first)


def _counts(part: dict[str, Any], classes: list[str]) -> list[str]:
    of_classes = (part["classes"][name] for name in classes)
    return [f"{one:,}" for one in (part["items"], part["groups"], *of_classes)]


_WORDS = {
    EvaluationProtocol.SPLIT: (
        later("One split: a part is kept back"),
        later("One model is trained. It can be compared with the model in use, and promoted."),
    ),
    EvaluationProtocol.FOLDS: (
        later("Cross-validation: each grouped fold is kept back once"),
        later("A network is trained for each fold and judged on it, so that every item is judged "
              "once: the surer judgement of these settings. It leaves no single model; only that "
              "of a run with one split can be compared and promoted."),
    ),
}  # fmt: skip


class ProtocolChoice(QWidget):
    """How a run is judged, with what that means."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.box, self._meaning = controls.ComboBox(), make_label("", "small")
        self.box.setMaximumWidth(520)
        self.box.addItems([tr(title) for title, _ in _WORDS.values()])
        self.box.currentIndexChanged.connect(self._turn)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(make_facts((tr("Judged by"), self.box)))
        column.addWidget(self._meaning)
        self._turn()

    def value(self) -> EvaluationProtocol:
        return list(_WORDS)[self.box.currentIndex()]

    def set_value(self, protocol: EvaluationProtocol) -> None:
        self.box.setCurrentIndex(list(_WORDS).index(protocol))

    def _turn(self) -> None:
        meaning = tr(_WORDS[self.value()][1])
        self._meaning.setText(meaning)
        self.box.setAccessibleDescription(meaning)
        self.changed.emit()
