"""What a finished run is worth: figures with intervals, and which class is taken for which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QTableWidgetItem

from tumorviewer.desktop.training import fold_table
from tumorviewer.desktop.training.run_store import REPORT, TrainingRun
from tumorviewer.desktop.training.trust_part import TrustPart
from tumorviewer.desktop.widgets import pages, theme
from tumorviewer.desktop.widgets.controls import make_button, make_heading, make_label
from tumorviewer.desktop.widgets.pages import Page, Sentences, TextTable, make_row
from tumorviewer.errors import InputError
from tumorviewer.language import later, number, percent, tr, trn
from tumorviewer.models import bundle, evidence
from tumorviewer.models.card import ModelCard
from tumorviewer.models.comparison import FEW_GROUPS

_SHARES = {
    "accuracy": later("Accuracy"),
    "balanced_accuracy": later("Balanced accuracy"),
    "macro_recall": later("Sensitivity (recall)"),
    "macro_specificity": later("Specificity"),
    "macro_f1": later("F1"),
}
_NUMBERS = {
    "roc_auc": later("ROC AUC"),
    "log_loss": later("Log loss, nats"),
    "ece": later("Calibration error (ECE)"),
}


class ResultPage(Page):
    """Figures of a run."""

    comparison_wanted = Signal()
    model_wanted = Signal()
    """A run with one split and the settings of a cross-validation."""

    def __init__(self) -> None:
        super().__init__(tr("Result"))
        self._run: TrainingRun | None = None
        self._labels: Mapping[str, str] = {}
        self._model, self._of = make_label("", "title"), make_label("", "secondary")
        self._cautions = Sentences("warning")
        self.figures = TextTable(tr("Figures with 95 % intervals"))
        words = tr("Confusion matrix: your verdicts in rows, the model's answers in columns")
        self.confusion = TextTable(words)
        self.open = make_button(tr("Open the report"))
        self.open.clicked.connect(self._open_report)
        self.compare = make_button(tr("Compare it with the model in use"), "primary")
        self.compare.clicked.connect(self.comparison_wanted)
        self.train = make_button(tr("Train one model with these settings"), "primary")
        self.train.clicked.connect(self.model_wanted)
        self.folds, self._folds_heading = TextTable(tr("The folds")), make_heading(tr("The folds"))
        self.add(
            self._model, self._of, self._cautions, make_row(self.compare, self.train, self.open)
        )
        self.trust = TrustPart()
        self.trust.measured.connect(self._show_again)
        self.add(self.trust)
        self._figures = (
            make_heading(tr("Figures")), self.figures, make_heading(words), self.confusion
        )  # fmt: skip
        self.add(*self._figures[:2], self._folds_heading, self.folds, *self._figures[2:])
        self.end()

    def show_run(self, run: TrainingRun) -> None:
        """Turn to a finished run."""
        self._run = run
        self.open.setVisible((run.folder / REPORT).is_file())
        self.compare.setVisible(not run.is_crossval)
        for part in (self.train, self.folds, self._folds_heading):
            part.setVisible(run.is_crossval)
        self.trust.setVisible(False)
        if run.is_crossval:
            self._show_crossval(run)
        else:
            self._show_model(run)

    def close_page(self) -> None:
        self.trust.close_part()

    def _show_again(self) -> None:
        if self._run is not None:
            self.show_run(self._run)

    def _show_crossval(self, run: TrainingRun) -> None:
        found: dict[str, Any] = next(iter((run.figures() or {}).values()), {})
        title = trn("Cross-validation in {count} fold", "Cross-validation in {count} folds",
                    len(found["folds"]))  # fmt: skip
        self._model.setText(title)
        self._labels = run.choices().get("card.labels", {})
        self._show_figures(found, [_no_model(), *_near_duplicates(found)])
        self.folds.show_rows(
            fold_table.list_fold_headings(), fold_table.tabulate_folds(found["folds"])
        )

    def _show_model(self, run: TrainingRun) -> None:
        try:
            card = bundle.read_card(run.bundle)
        except InputError as error:
            self._model.setText(tr("The model of this run cannot be read"))
            self._show_figures({}, [error.message])
            return
        self.trust.show_trust(run, card.trust)
        self.trust.setVisible(bool(run.figures()))
        own = f"{card.name} {card.version}"
        self._model.setText(own if card.title == card.name else f"{card.title} · {own}")
        self._labels = card.labels
        found: dict[str, Any] = next(iter((run.figures() or {}).values()), {})
        cautions = [_selection(card)] if found else [_no_figures()]
        self._show_figures(found, cautions + _near_duplicates(found))

    def _show_figures(self, found: dict[str, Any], cautions: list[str]) -> None:
        if found and found["groups"] < FEW_GROUPS:
            cautions = [*cautions, tr("With so few groups the intervals are themselves uncertain.")]
        self._cautions.show_texts([one for one in cautions if one])
        self._of.setVisible(bool(found))
        for part in self._figures:
            part.setVisible(bool(found))
        if found:
            items = trn("{count} item", "{count} items", found["n"])
            groups = trn("{count} group", "{count} groups", found["groups"])
            self._of.setText(tr("Judged on {items} in {groups}.", items=items, groups=groups))
            headings = ("", tr("Figure"), tr("95 % interval"))
            self.figures.show_rows(headings, tabulate_metrics(found))
            self._show_confusion(found["confusion"])

    def _show_confusion(self, found: dict[str, Any]) -> None:
        classes = [tr(self._labels.get(name, name)) for name in found["classes"]]
        matrix = found["matrix"]
        rows = [(name, *map(str, counts)) for name, counts in zip(classes, matrix, strict=True)]
        self.confusion.show_rows(("", *classes), rows)
        for at, counts in enumerate(matrix):
            for column, count in enumerate(counts):
                item = self.confusion.item(at, column + 1)
                if item is not None:
                    _shade(item, count / max(sum(counts), 1))

    def _open_report(self) -> None:
        assert self._run is not None
        pages.show_file(self._run.folder / REPORT, self)


def tabulate_metrics(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, figure and interval of each that is known."""
    rows = []
    for names, write in ((_SHARES, _percent), (_NUMBERS, _plain)):
        for key, words in names.items():
            if found.get(key) is not None:
                ends = [write(end) for end in found["intervals"][key] if end is not None]
                rows.append((tr(words), write(found[key]), " – ".join(ends)))
    return rows


def _selection(card: ModelCard) -> str:
    if "split" in card.training:
        return evidence.describe_selection(card.training)
    return str(card.training.get("selection", ""))  # of a trainer of before


def _near_duplicates(found: dict[str, Any]) -> list[str]:
    if not found.get("twin_share"):
        return []
    return [
        tr("{share} of what it is judged by have a near-duplicate in what it was trained on.",
           share=percent(found["twin_share"], 1))
    ]  # fmt: skip


def _percent(value: float) -> str:
    return percent(value, 1)


def _plain(value: float) -> str:
    return number(value, ".3f")


def _shade(item: QTableWidgetItem, share: float) -> None:
    """The more of a class, the stronger."""
    colour = QColor(theme.current_colours().accent)
    colour.setAlphaF(0.6 * share)
    item.setBackground(colour)


def _no_model() -> str:
    return tr(
        "The figures are those of the settings: each item is judged by the network that was not "
        "trained on its fold. There is no single model that could be compared or promoted."
    )


def _no_figures() -> str:
    return tr(
        "There are no figures: nothing was kept back to judge the model by. Compare it with the "
        "model in use on data that neither has seen."
    )
