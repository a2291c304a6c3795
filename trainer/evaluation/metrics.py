"""Figures of a classifier from probabilities, with intervals by bootstrap over groups.

Shapes: N items, K classes. Every function takes item weights, so that a bootstrap resample is a
vector of weights and not a copy of the data.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trainer.evaluation import bootstrap, performance_curves
from trainer.evaluation.bootstrap import Floats, Integers
from trainer.evaluation.performance_curves import BINS, Ranking


def log_softmax(logits_NK: Floats) -> Floats:
    """Logarithms of probabilities."""
    shifted = logits_NK - logits_NK.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


def apply_softmax(logits_NK: Floats) -> Floats:
    """Probabilities."""
    return np.exp(log_softmax(logits_NK))


def compute_log_loss(logits_NK: Floats, labels_N: Integers) -> float:
    """Mean negative log likelihood, nats."""
    return float(-log_softmax(logits_NK)[np.arange(len(labels_N)), labels_N].mean())


def compute_macro_f1(predicted_N: Integers, labels_N: Integers, classes: int) -> float:
    """Mean of the classes' F1."""
    matrix = count_confusion(predicted_N, labels_N, classes, np.ones(len(labels_N)))
    return float(np.nanmean(_per_class(matrix)["f1"]))


def count_confusion(
    predicted_N: Integers, labels_N: Integers, classes: int, weight_N: Floats
) -> Floats:
    """``(K, K)``: rows are true classes, columns predicted ones."""
    counts = np.bincount(labels_N * classes + predicted_N, weight_N, classes * classes)
    return np.asarray(counts.reshape(classes, classes), np.float64)


def _per_class(matrix_KK: Floats) -> dict[str, Floats]:
    true = np.diag(matrix_KK)
    actual, predicted, total = matrix_KK.sum(1), matrix_KK.sum(0), matrix_KK.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = true / actual
        precision = np.where(predicted > 0, true / predicted, 0.0)
        negatives = total - actual
        specificity = (negatives - (predicted - true)) / negatives
        f1 = 2 * true / (actual + predicted)
    f1[actual == 0] = np.nan
    precision[actual == 0] = np.nan
    return {"precision": precision, "recall": recall, "specificity": specificity, "f1": f1}


class Scorer:
    """All figures of one set of predictions, for any weights of its items."""

    def __init__(self, probabilities_NK: Floats, labels_N: Integers) -> None:
        n, self._classes = probabilities_NK.shape
        self._labels = labels_N
        self._predicted = probabilities_NK.argmax(1)
        confidence = probabilities_NK.max(1)
        self._bins = {
            "ece": performance_curves.split_equal_width(confidence),
            "adaptive_ece": performance_curves.split_equal_mass(confidence),
        }
        self._gap = (self._predicted == labels_N) - confidence
        truth = np.eye(self._classes)[labels_N]
        self._brier = ((probabilities_NK - truth) ** 2).sum(1)
        smallest = np.finfo(np.float64).tiny
        self._loss = -np.log(np.maximum(probabilities_NK[np.arange(n), labels_N], smallest))
        self._rankings = [
            Ranking(probabilities_NK[:, one], labels_N == one) for one in range(self._classes)
        ]

    def matrix(self, weight_N: Floats) -> Floats:
        """The confusion matrix."""
        return count_confusion(self._predicted, self._labels, self._classes, weight_N)

    def per_class(self, weight_N: Floats) -> dict[str, Floats]:
        """``(K,)`` of each figure; recall is sensitivity, and areas are of one against the rest."""
        return _per_class(self.matrix(weight_N)) | {
            "roc_auc": np.array([one.auc(weight_N) for one in self._rankings]),
            "average_precision": np.array(
                [one.average_precision(weight_N) for one in self._rankings]
            ),
        }

    def overall(self, weight_N: Floats) -> dict[str, float]:
        """Scalars; macro figures are means over the classes that occur."""
        per_class = self.per_class(weight_N)
        total = weight_N.sum()
        accuracy = ((self._predicted == self._labels) * weight_N).sum() / total
        return {
            "accuracy": float(accuracy),
            "balanced_accuracy": _mean(per_class["recall"]),
            "macro_precision": _mean(per_class["precision"]),
            "macro_recall": _mean(per_class["recall"]),
            "macro_specificity": _mean(per_class["specificity"]),
            "macro_f1": _mean(per_class["f1"]),
            "roc_auc": _mean(per_class["roc_auc"]),
            "average_precision": _mean(per_class["average_precision"]),
            **self.of_probabilities(weight_N),
        }

    def of_probabilities(self, weight_N: Floats) -> dict[str, float]:
        """Those scalars that ask how true the probabilities are, and not only their order."""
        total = weight_N.sum()
        gaps = {
            name: np.bincount(bins, weight_N * self._gap, BINS) for name, bins in self._bins.items()
        }
        return {
            "log_loss": float((self._loss * weight_N).sum() / total),
            **{name: float(np.abs(gap).sum() / total) for name, gap in gaps.items()},
            "brier": float((self._brier * weight_N).sum() / total),
        }


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def compute_metrics(
    probabilities_NK: Floats,
    labels_N: Integers,
    groups_N: Integers,
    classes: tuple[str, ...],
    resamples: int = bootstrap.RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Every figure of ``evaluate --json``, each with a 95 % interval.

    Parameters
    ----------
    probabilities_NK
        As the reader sees them, after the temperature.
    groups_N
        Patients, or near-duplicate groups: what the bootstrap draws.
    """
    scorer = Scorer(probabilities_NK, labels_N)
    ones = np.ones(len(labels_N))
    overall, per_class = scorer.overall(ones), scorer.per_class(ones)
    drawn_overall, drawn_per_class = _bootstrap(scorer, groups_N, resamples, seed)
    counts = np.bincount(labels_N, minlength=len(classes))
    return {
        "n": len(labels_N),
        "groups": len(np.unique(groups_N)),
        **{name: bootstrap.round_metric(value) for name, value in overall.items()},
        "intervals": {
            name: bootstrap.compute_interval(values) for name, values in drawn_overall.items()
        },
        "confusion": {
            "classes": list(classes),
            "matrix": scorer.matrix(ones).astype(int).tolist(),
            "rows": "true class",
        },
        "per_class": {
            name: {
                "n": int(counts[index]),
                **{
                    figure: bootstrap.round_metric(values[index])
                    for figure, values in per_class.items()
                },
                "intervals": {
                    figure: bootstrap.compute_interval(values[:, index])
                    for figure, values in drawn_per_class.items()
                },
            }
            for index, name in enumerate(classes)
        },
        "interval": f"95 %, percentiles of {resamples} bootstrap resamples of groups",
    }


def _bootstrap(
    scorer: Scorer, groups_N: Integers, resamples: int, seed: int
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    overall: list[dict[str, float]] = []
    per_class: list[dict[str, Floats]] = []
    for weight in bootstrap.draw_resamples(groups_N, resamples, seed):
        overall.append(scorer.overall(weight))
        per_class.append(scorer.per_class(weight))
    return (
        {name: np.array([one[name] for one in overall]) for name in overall[0]},
        {name: np.stack([one[name] for one in per_class]) for name in per_class[0]},
    )
