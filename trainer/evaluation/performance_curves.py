"""Curves of a classifier: ROC, precision-recall and reliability, with bands over groups.

Shapes: N items, K classes, L distinct scores, G points of :data:`GRID`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation import bootstrap
from trainer.evaluation.bootstrap import Floats, Integers

BINS = 15
"""Of a reliability diagram and of the calibration errors."""
GRID = np.linspace(0, 1, 101)
"""Where a curve's band is computed."""


class Ranking:
    """One class against the rest, sorted once, so that a curve costs two cumulative sums."""

    def __init__(self, scores_N: Floats, positive_N: NDArray[np.bool_]) -> None:
        self._level = np.unique(-scores_N, return_inverse=True)[1]
        self._levels = int(self._level.max()) + 1
        self._positive = positive_N

    def counts(self, weight_N: Floats) -> tuple[Floats, Floats]:
        """True and false positives, ``(L,)``, at each threshold from the highest score down."""
        of_positive = np.where(self._positive, weight_N, 0.0)
        true = np.bincount(self._level, of_positive, self._levels)
        false = np.bincount(self._level, weight_N - of_positive, self._levels)
        return np.cumsum(true), np.cumsum(false)

    def roc(self, weight_N: Floats) -> tuple[Floats, Floats]:
        """False and true positive rate, ``(L + 1,)`` from (0, 0) to (1, 1); NaN without both."""
        true, false = self.counts(weight_N)
        with np.errstate(invalid="ignore"):
            return np.append(0.0, false / false[-1]), np.append(0.0, true / true[-1])

    def precision_recall(self, weight_N: Floats) -> tuple[Floats, Floats]:
        """Recall and precision, ``(L + 1,)`` by rising recall; precision is 1 before any answer."""
        true, false = self.counts(weight_N)
        answered = true + false
        precision = np.divide(true, answered, out=np.ones_like(true), where=answered > 0)
        with np.errstate(invalid="ignore"):
            return np.append(0.0, true / true[-1]), np.append(1.0, precision)

    def auc(self, weight_N: Floats) -> float:
        """Area under the ROC curve; ties count half; NaN without both kinds."""
        return float(np.trapezoid(*self.roc(weight_N)[::-1]))

    def average_precision(self, weight_N: Floats) -> float:
        """Mean precision, weighted by the steps in recall; NaN without positives."""
        recall, precision = self.precision_recall(weight_N)
        return float(np.diff(recall) @ precision[1:])


def compute_class_curves(
    probabilities_NK: Floats, labels_N: Integers, groups_N: Integers, classes: tuple[str, ...]
) -> dict[str, dict[str, dict[str, list[float]]]]:
    """ROC and precision-recall curve of each class against the rest.

    Returns
    -------
    dict
        By class, then ``roc`` (x: 1 − specificity, y: sensitivity) and ``precision_recall`` (x:
        recall, y: precision), each with ``x`` and ``y`` at the curve's corners and the 95 % band
        ``low``, ``high`` over ``grid``. Classes without both kinds of items are left out.
    """
    found = {}
    for index, name in enumerate(classes):
        positive = labels_N == index
        if 0 < positive.sum() < len(positive):
            ranking = Ranking(probabilities_NK[:, index], positive)
            found[name] = {
                "roc": _banded(ranking.roc, np.interp, groups_N),
                "precision_recall": _banded(ranking.precision_recall, _reached, groups_N),
            }
    return found


def _reached(recall_G: Floats, recall_L: Floats, precision_L: Floats) -> Floats:
    """Precision at the highest threshold that reaches a recall."""
    return np.asarray(precision_L[np.searchsorted(recall_L, recall_G - 1e-12)])


def _banded(
    curve: Callable[[Floats], tuple[Floats, Floats]],
    at: Callable[[Floats, Floats, Floats], Floats],
    groups_N: Integers,
) -> dict[str, list[float]]:
    x, y = curve(np.ones(len(groups_N)))
    drawn = np.stack([at(GRID, *curve(weight)) for weight in bootstrap.draw_resamples(groups_N)])
    low, high = np.nanpercentile(drawn[~np.isnan(drawn).any(1)], (2.5, 97.5), axis=0)
    corner = np.ones(len(x), np.bool_)
    corner[1:-1] = (np.diff(x, 2) != 0) | (np.diff(y, 2) != 0)
    shown = {"x": x[corner], "y": y[corner], "grid": GRID, "low": low, "high": high}
    return {name: np.round(values, 6).tolist() for name, values in shown.items()}


def compute_reliability(
    probabilities_NK: Floats, labels_N: Integers, groups_N: Integers
) -> list[dict[str, Any]]:
    """Accuracy by confidence, the probability of the predicted class, in 15 equal bins.

    Returns
    -------
    list of dict
        For each bin that holds items its ends ``from`` and ``to``, ``n``, mean ``confidence``,
        ``accuracy`` and the latter's ``interval``.
    """
    confidence, right = probabilities_NK.max(1), probabilities_NK.argmax(1) == labels_N
    bins = split_equal_width(confidence)
    drawn = [
        (np.bincount(bins, weight * right, BINS), np.bincount(bins, weight, BINS))
        for weight in bootstrap.draw_resamples(groups_N)
    ]
    hits, of = np.array(drawn).transpose(1, 0, 2)
    with np.errstate(invalid="ignore"):
        accuracy = hits / of
    return [
        {
            "from": round(one / BINS, 6),
            "to": round((one + 1) / BINS, 6),
            "n": int((bins == one).sum()),
            "confidence": bootstrap.round_metric(confidence[bins == one].mean()),
            "accuracy": bootstrap.round_metric(right[bins == one].mean()),
            "interval": bootstrap.compute_interval(accuracy[:, one]),
        }
        for one in np.unique(bins)
    ]


def split_equal_width(confidence_N: Floats) -> Integers:
    """Bins ``(N,)`` of equal width (Guo et al., ICML 2017)."""
    return np.minimum((confidence_N * BINS).astype(np.int64), BINS - 1)


def split_equal_mass(confidence_N: Floats) -> Integers:
    """Bins ``(N,)`` that hold as many items each, but for ties (Nixon et al., CVPRW 2019)."""
    ends = np.quantile(confidence_N, np.arange(1, BINS) / BINS)
    return np.searchsorted(ends, confidence_N, side="right").astype(np.int64)
