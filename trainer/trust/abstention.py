"""When no single class is named: selective classification (Geifman and El-Yaniv, NeurIPS 2017).

Shape: N items.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation.bootstrap import Floats
from trainer.trust import intervals
from trainer.trust.held_out import HeldOut
from trainer.trust.prediction_sets import compute_threshold
from tumorviewer.models.trust_measures import Abstention, JointNaming

SHARE = 0.5
RULE = (
    "A class is named if its probability is at least so high that, among held-out pictures with "
    "such a probability, the model errs at most half as often as among all of them"
)
TOGETHER = 0.9
"""Promise of the classes that are named together, of the cases for which none is named alone."""
FEWEST = 10
"""Such cases from which it can be made."""
_CURVE = 20


def measure_abstention(held: HeldOut) -> Abstention | None:
    """The operating point, and what it is worth on groups that it was not chosen on; None if there
    is none, as a sure answer is wrong as often as any other."""
    right, sure = held.right, held.probabilities.max(1)
    of_true = held.probabilities[np.arange(len(right)), held.labels]
    answered, together = np.empty(len(right), np.bool_), np.empty(len(right))
    for others, own in intervals.leave_groups_out(held.groups):
        point = find_least_probability(sure[others], right[others])
        answered[own] = sure[own] >= point
        together[own] = compute_threshold(of_true[others][sure[others] < point], TOGETHER)
    if not answered.any():
        return None
    shares, errors = compute_risk_and_coverage(sure, right)
    point = find_least_probability(held.applied.max(1), right)
    return Abstention(
        rule=RULE,
        least=point,
        answered=intervals.average_with_interval(answered, held.groups),
        accuracy=intervals.average_with_interval(right, held.groups, answered),
        accuracy_of_all=intervals.average_with_interval(right, held.groups),
        together=_together(held, point, ~answered, together),
        curve_answered=shares,
        curve_error=errors,
    )


def _together(
    held: HeldOut, point: float, unsure_N: NDArray[np.bool_], least_N: Floats
) -> JointNaming | None:
    """Of the items for which no class is named, by the thresholds that others' groups gave."""
    rows = np.arange(len(unsure_N))
    of_true = held.applied[rows, held.labels][held.applied.max(1) < point]
    if min(unsure_N.sum(), len(of_true)) < FEWEST:
        return None
    sets_NK = held.probabilities >= least_N[:, None]
    np.put_along_axis(sets_NK, np.argsort(-held.probabilities, 1)[:, :2], True, 1)
    return JointNaming(
        compute_threshold(of_true, TOGETHER),
        intervals.average_with_interval(sets_NK[rows, held.labels], held.groups, unsure_N),
        intervals.average_with_interval(sets_NK.sum(1), held.groups, unsure_N),
    )


def find_least_probability(sure_N: Floats, right_N: NDArray[np.bool_]) -> float:
    """The least probability above which the error is at most :data:`SHARE` of that of all.

    The largest share of answers is taken for which this holds; 0 if there is no error at all.
    """
    order = np.argsort(-sure_N, kind="stable")
    wrong = np.cumsum(~right_N[order])
    errors = wrong / np.arange(1, len(order) + 1)
    last = np.append(np.diff(sure_N[order]) != 0, True)
    allowed = np.flatnonzero(last & (errors <= SHARE * errors[-1]))
    if not wrong[-1]:
        return 0.0
    return float(sure_N[order][allowed[-1]]) if len(allowed) else 1.0


def compute_risk_and_coverage(
    sure_N: Floats, right_N: NDArray[np.bool_]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Shares of the items, the surest first, and the share of errors among them."""
    wrong = np.cumsum(~right_N[np.argsort(-sure_N, kind="stable")])
    counts = np.unique(np.ceil(np.linspace(0, len(wrong), _CURVE + 1)[1:]).astype(np.int64))
    shares, errors = counts / len(wrong), wrong[counts - 1] / counts
    return tuple(np.round(shares, 4).tolist()), tuple(np.round(errors, 4).tolist())
