"""Figures to pages: an evaluation's, and that of a run from what stands in its folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from trainer.data.material import PreparedData
from trainer.evaluation import mistake_gallery, performance_curves
from trainer.evaluation.evaluate import LEAKY
from trainer.evaluation.predictions import Predictions
from trainer.reports import html, plots
from trainer.runs.run_context import BUNDLE, FIGURES, PREDICTIONS
from trainer.tools.atomic_files import write_text
from trainer.training.loop import LOG
from tumorviewer.analysis.methods import DEFAULT_METHOD, METHODS
from tumorviewer.models import bundle

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAGE = "report.html"
TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_precision": "Precision",
    "macro_recall": "Sensitivity (recall)",
    "macro_specificity": "Specificity",
    "macro_f1": "F1",
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "log_loss": "Log loss, nats",
    "brier": "Brier score",
    "ece": "Calibration error (ECE)",
    "adaptive_ece": "Calibration error, adaptive",
}
"""Of the figures of ``evaluate --json``, in the order in which they are shown."""
PER_CLASS = {
    "precision": "Precision",
    "recall": "Sensitivity",
    "specificity": "Specificity",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
}


class ReportChart(NamedTuple):
    """A picture and what it shows."""

    svg: Markup
    caption: str


def render_evaluation(
    result: dict[str, Any], judged: Predictions, folder: Path, device: str
) -> str:
    """The page of ``evaluate``: what a bundle is worth on labelled data."""
    model, seen = result["model"], result["overlap"]
    warnings = [seen["words"]] if seen["share"] else []
    facts = {
        "Model": f"{model['name']} {model['version']}",
        "Weights, SHA-256": model["sha256"],
        "Data": result["data"]["name"],
        "Grouped by": result["data"]["grouped_by"],
        "Seen in training": seen["words"],
    }
    return _page(
        f"{model['name']} on {result['data']['name']}",
        facts,
        warnings,
        {"": result} if not seen["is_leaky"] else {LEAKY: result},
        _of_predictions(judged, result),
        mistake_gallery.choose_worst_mistakes(judged, lambda _fold: folder, device),
    )


def write_run_report(folder: Path, material: PreparedData, device: str = "cpu") -> Path:
    """Write ``report.html`` of a finished fit or cross-validation into its folder.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    figures: dict[str, Any] = json.loads((folder / FIGURES).read_text("utf-8"))["figures"]
    shown, worst = list(_learning(folder)), []
    if (table := folder / PREDICTIONS).is_file():
        judged = Predictions.read(table, material)
        shown = _of_predictions(judged, next(iter(figures.values()))) + shown
        worst = mistake_gallery.choose_worst_mistakes(judged, partial(_bundle_of, folder), device)
    facts = {
        "Data": material.dataset.root.name,
        "Items": str(len(material.dataset.items)),
        "Grouped by": material.grouped_by,
    }
    if (folder / BUNDLE).is_dir():
        card = bundle.read_card(folder / BUNDLE)
        facts = {"Model": f"{card.name} {card.version}"} | facts
        facts |= {"Weights, SHA-256": card.weights.sha256, "Chosen": card.training["selection"]}
    page = _page(f"Run {folder.resolve().name}", facts, [], figures, shown, worst)
    write_text(folder / PAGE, page)
    return folder / PAGE


def _bundle_of(folder: Path, fold: int) -> Path:
    of_fold = folder / f"fold-{fold}" / BUNDLE
    return of_fold if of_fold.is_dir() else folder / BUNDLE


def _page(
    title: str,
    facts: dict[str, str],
    warnings: Sequence[str],
    figures: dict[str, dict[str, Any]],
    shown: Sequence[ReportChart],
    worst: Sequence[mistake_gallery.ShownMistake],
) -> str:
    name, found = next(iter(figures.items()), ("", None))
    return html.render_page(
        "evaluation.html",
        title=title,
        facts=facts,
        warnings=warnings,
        name=name,
        leaky=name == LEAKY,
        figures=found,
        parts=_parts(found or {}),
        titles=TITLES,
        per_class=PER_CLASS,
        charts=shown,
        mistakes=worst,
        method=METHODS[DEFAULT_METHOD].title,
    )


def _parts(figures: dict[str, Any]) -> dict[str, dict[str, Any]]:
    folds = {f"Fold {number}": one for number, one in enumerate(figures.get("folds", ()))}
    return {"By source": figures.get("sources", {}), "By fold": folds}


def _of_predictions(judged: Predictions, figures: dict[str, Any]) -> list[ReportChart]:
    given = judged.probabilities, judged.labels, judged.groups
    of_classes = performance_curves.compute_class_curves(*given, judged.classes)
    bins = performance_curves.compute_reliability(*given)
    return [
        _chart(
            partial(plots.plot_confusion, figures=figures),
            "Confusion matrix: items, shaded by their share of the true class.",
        ),
        _chart(
            partial(plots.plot_roc, curves=of_classes, figures=figures),
            "ROC, each class against the rest, from probabilities, with 95 % bands of sensitivity.",
            legend=len(of_classes) + 1,
        ),
        _chart(
            partial(plots.plot_precision_recall, curves=of_classes, figures=figures),
            "Precision and recall, each class against the rest, with 95 % bands of precision.",
            legend=len(of_classes) + 1,
        ),
        _chart(
            partial(plots.plot_reliability, bins=bins, figures=figures),
            "Reliability: on the diagonal a probability means what it says. Bars: share of items. "
            f"Open: fewer than {plots.FEW} items.",
        ),
    ]


def _learning(folder: Path) -> Iterator[ReportChart]:
    paths = [
        path for path in (folder / LOG, *sorted(folder.glob(f"fold-*/{LOG}"))) if path.is_file()
    ]
    logs = [[json.loads(line) for line in path.read_text().splitlines()] for path in paths]
    each = "" if len(logs) < 2 else " A line for each fold."
    if any(logs):
        words = "Learning: the training loss is the optimised one, with smoothing and augmentation."
        yield _chart(partial(plots.plot_loss, logs=logs), words + each)
    if any("accuracy" in entry for log in logs for entry in log):
        words = "Learning: the validation part after each epoch."
        yield _chart(partial(plots.plot_validation, logs=logs), words + each)


def _chart(draw: Callable[[Axes], None], caption: str, legend: int = 0) -> ReportChart:
    return ReportChart(
        html.export_svg(html.draw_figure(draw, height_mm=75 + 4.5 * legend)), caption
    )
