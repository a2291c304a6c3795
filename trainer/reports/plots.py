"""The charts of a report, each drawn into given axes.

What is drawn is what ``evaluate`` and ``compare`` write as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.reports.html import COLOURS, FAINT, GRID, INK, format_estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Figures = Mapping[str, Any]
FEW = 10
"""Items in a bin of a reliability diagram below which its point is drawn open."""


def plot_confusion(axes: Axes, figures: Figures) -> None:
    """Counts, shaded by the share of the true class."""
    matrix = np.array(figures["confusion"]["matrix"])
    classes = figures["confusion"]["classes"]
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    for row, column in np.ndindex(matrix.shape):
        right = row == column
        colour = COLOURS[0] if right else COLOURS[1]
        axes.add_patch(_square(column, row, colour, 0.08 + 0.42 * share[row, column]))
        if matrix[row, column] or right:
            axes.text(column, row, str(matrix[row, column]), ha="center", va="center", size=9)
    last = len(classes) - 0.5
    axes.set(xlim=(-0.5, last), ylim=(last, -0.5), aspect="equal")
    axes.set_xticks(range(len(classes)), classes, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(classes)), classes)
    axes.set(xlabel="Predicted class", ylabel="True class")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _square(x: float, y: float, colour: str, alpha: float) -> Any:
    from matplotlib.patches import Rectangle

    shown = alpha if alpha > 0.08 else 0.03
    return Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, facecolor=colour, alpha=shown, lw=0)


def plot_roc(axes: Axes, curves: Figures, figures: Figures) -> None:
    """Sensitivity against 1 − specificity of each class, with its band and its area."""
    axes.plot((0, 1), (0, 1), color=GRID, linewidth=0.8)
    _curves(axes, curves, figures, "roc", "roc_auc")
    axes.set(xlabel="1 − specificity", ylabel="Sensitivity")
    _legend_below(axes, "class, AUC (95 % interval)")


def plot_precision_recall(axes: Axes, curves: Figures, figures: Figures) -> None:
    """Precision against recall of each class, with its band and the average precision."""
    _curves(axes, curves, figures, "precision_recall", "average_precision")
    axes.set(xlabel="Recall (sensitivity)", ylabel="Precision")
    _legend_below(axes, "class, average precision (95 % interval)")


def _curves(axes: Axes, curves: Figures, figures: Figures, kind: str, area: str) -> None:
    for (name, curve), colour in zip(curves.items(), _colours(), strict=False):
        one, of_class = curve[kind], figures["per_class"][name]
        label = f"{name}, {format_estimate(of_class[area], of_class['intervals'][area])}"
        axes.fill_between(one["grid"], one["low"], one["high"], color=colour, alpha=0.15, lw=0)
        axes.plot(one["x"], one["y"], color=colour, label=label)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")


def _legend_below(axes: Axes, title: str) -> None:
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), title=title, title_fontsize=7)


def _colours() -> tuple[str, ...]:
    return COLOURS * 3


def plot_reliability(axes: Axes, bins: Sequence[Figures], figures: Figures) -> None:
    """Accuracy by confidence with intervals, open where a bin holds few items; as bars the bins'
    shares of the items."""
    total, low = sum(one["n"] for one in bins), min(one["from"] for one in bins)
    axes.plot((low, 1), (low, 1), color=GRID, linewidth=0.8)
    for one in bins:
        width = one["to"] - one["from"]
        axes.bar(one["from"], one["n"] / total, width, align="edge", color=FAINT, alpha=0.2, lw=0)
        point = one["confidence"], one["accuracy"]
        full = one["n"] >= FEW
        axes.plot((point[0], point[0]), one["interval"], color=COLOURS[0], linewidth=1)
        axes.plot(*point, "o", ms=4, color=COLOURS[0], fillstyle="full" if full else "none")
    axes.set(xlim=(low - 0.02, 1.01), ylim=(-0.02, 1.02))
    axes.set(xlabel="Confidence (probability of the predicted class)", ylabel="Accuracy")
    error = format_estimate(figures["ece"], figures["intervals"]["ece"])
    axes.set_title(f"Expected calibration error {error}", loc="left", size=8)


def plot_loss(axes: Axes, logs: Sequence[Sequence[Figures]]) -> None:
    """Training loss and validation log loss by epoch, a thin line for each fold."""
    _by_epoch(axes, logs, (("loss", "training loss"), ("log_loss", "validation log loss")))
    axes.set(xlabel="Epoch", ylabel="Loss, nats", ylim=(0, None))


def plot_validation(axes: Axes, logs: Sequence[Sequence[Figures]]) -> None:
    """Accuracy and macro F1 on the validation part by epoch, a thin line for each fold."""
    _by_epoch(axes, logs, (("accuracy", "accuracy"), ("macro_f1", "macro F1")))
    axes.set(xlabel="Epoch", ylabel="On the validation part")


def _by_epoch(
    axes: Axes, logs: Sequence[Sequence[Figures]], shown: Iterable[tuple[str, str]]
) -> None:
    from matplotlib.ticker import MaxNLocator

    for (key, label), colour in zip(shown, COLOURS, strict=False):
        for number, log in enumerate(logs):
            known = [entry for entry in log if entry.get(key) is not None]
            axes.plot(
                [entry["epoch"] for entry in known],
                [entry[key] for entry in known],
                color=colour,
                linewidth=1.2 if len(logs) == 1 else 0.7,
                marker="o" if len(known) == 1 else "",
                label=label if number == 0 else None,
            )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y")
    axes.legend()


def plot_differences(axes: Axes, figures: Figures, titles: Mapping[str, str]) -> None:
    """Candidate less current in percentage points, with intervals."""
    shown = [name for name in titles if figures[name]["difference"] is not None]
    for row, name in enumerate(shown):
        axes.plot(100 * np.array(figures[name]["interval"]), (row, row), color=COLOURS[0])
        axes.plot(100 * figures[name]["difference"], row, "o", ms=4.5, color=COLOURS[0])
    axes.axvline(0, color=INK, linewidth=0.6)
    axes.set_yticks(range(len(shown)), [titles[name] for name in shown])
    axes.set(ylim=(len(shown) - 0.5, -0.5))
    axes.set(xlabel="Candidate − current, percentage points (right: candidate better)")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
