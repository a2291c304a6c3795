"""The folds of a cross-validation: how far each is, and what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from tumorviewer.desktop.training.run_store import RunState, TrainingRun
from tumorviewer.desktop.widgets import controls
from tumorviewer.desktop.widgets.controls import make_heading
from tumorviewer.desktop.widgets.pages import TextTable, make_facts
from tumorviewer.language import later, number, percent, tr

_WAITS, _TRAINS, _STOPPED = later("waits"), later("is being trained"), later("stopped")
_JUDGED = later("judged")


class Folds(QWidget):
    """A row for each fold, and the choice of the one whose curves are shown."""

    turned = Signal()
    """Another fold is chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.table = TextTable(tr("The folds"))
        self.choice = controls.ComboBox()
        self.choice.setMaximumWidth(320)
        self.choice.activated.connect(lambda _: self.turned.emit())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(make_heading(tr("The folds")))
        column.addWidget(self.table)
        column.addWidget(make_facts((tr("Curves of"), self.choice)))

    def show_run(self, run: TrainingRun) -> None:
        """Show the folds of a run; none before it was begun."""
        folds = run.folds()
        self.setVisible(bool(folds))
        current = find_running_fold(folds)
        is_running = run.state is RunState.RUNNING
        rows = [_row(at, fold, is_running and at == current) for at, fold in enumerate(folds)]
        self.table.show_rows(_headings(), rows)
        if self.choice.count() != len(folds) + 1:
            with QSignalBlocker(self.choice):
                self.choice.clear()
                self.choice.addItem(tr("the fold that was trained last"))
                self.choice.addItems([describe_folds(at) for at in range(len(folds))])

    def shown(self, run: TrainingRun) -> TrainingRun | None:
        """The fold whose curves are wanted; None before a cross-validation was begun."""
        folds = run.folds()
        chosen = self.choice.currentIndex() - 1
        at = chosen if 0 <= chosen < len(folds) else find_running_fold(folds)
        return folds[at] if folds else None


def find_running_fold(folds: Sequence[TrainingRun]) -> int:
    """The number of the first fold that is not judged yet, or of the last."""
    open_ = (at for at, fold in enumerate(folds) if fold.figures() is None)
    return next(open_, max(len(folds) - 1, 0))


def describe_folds(number: int) -> str:
    """The name of a fold, counted as the trainer's report counts."""
    return tr("Fold {number}", number=number)


def tabulate_folds(found: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Name, items and figures with their intervals of each judged fold."""
    return [
        (describe_folds(at), str(one["n"]), *(_with_interval(one, name) for name in _FIGURES))
        for at, one in enumerate(found)
    ]


def list_fold_headings() -> tuple[str, ...]:
    """The headings of what :func:`tabulate_folds` gives."""
    return ("", tr("Items"), *(tr(words) for words in _FIGURES.values()))


_FIGURES = {
    "accuracy": later("Accuracy"),
    "macro_f1": later("F1"),
    "log_loss": later("Log loss, nats"),
}


def _headings() -> tuple[str, ...]:
    return ("", tr("State"), tr("Epochs"), *(tr(words) for words in _FIGURES.values()))


def _row(at: int, fold: TrainingRun, is_at_work: bool) -> tuple[str, ...]:
    epochs = len(fold.log())
    found: dict[str, Any] = next(iter((fold.figures() or {}).values()), {})
    state = _TRAINS if is_at_work else _STOPPED if epochs else _WAITS
    figures = (_written(found, name) for name in _FIGURES)
    return (describe_folds(at), tr(_JUDGED if found else state), str(epochs or ""), *figures)


def _written(found: dict[str, Any], name: str) -> str:
    if found.get(name) is None:
        return ""
    return number(found[name], ".3f") if name == "log_loss" else percent(found[name], 1)


def _with_interval(found: dict[str, Any], name: str) -> str:
    ends = [_written({name: end}, name) for end in found["intervals"][name]]
    return tr("{value} ({low} to {high})", value=_written(found, name), low=ends[0], high=ends[1])
