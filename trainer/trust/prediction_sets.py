"""Conformal prediction sets: what must be as probable as the true class usually is.

Shapes: N items, K classes.
"""

from __future__ import annotations

import numpy as np

from trainer.evaluation.bootstrap import Floats
from trainer.trust import intervals
from trainer.trust.held_out import HeldOut
from tumorviewer.models.trust_measures import CoverageLevel, PredictionSets

METHOD = "Least ambiguous set-valued classifier (Sadinle, Lei and Wasserman, JASA 2019)"
PROMISES = (0.9, 0.95, 0.99)


def measure_prediction_sets(held: HeldOut) -> PredictionSets:
    """Thresholds of the sets, and how well groups that they were not fitted on are covered.

    A class is in the set if it is at least as probable as the true class is in all but one of ten
    (twenty, hundred) held-out pictures. Of all sets that keep the promise these are the smallest on
    average. They may be empty: a model that is right more often than promised could keep it only
    by sets that say less than it knows. An empty set means that no class is as probable as usual;
    a higher promise, whose sets hold these, then has the answer.

    The thresholds are the same for all classes. Thresholds of its own would serve a difficult class
    better, which :attr:`Level.coverage_of_classes` shows; but held-out pictures of one class come
    from few groups, and on the models that we tried the promise was then missed by up to 14 points.
    """
    return PredictionSets(METHOD, tuple(_level(held, promise) for promise in PROMISES))


def compute_threshold(of_true_N: Floats, promise: float) -> float:
    """The largest probability that at least a share ``promise`` of the true classes reach,
    the next case counted as one that does not (Vovk et al., 2005)."""
    below = int(round((1 - promise) * (len(of_true_N) + 1), 9))
    return float(np.sort(of_true_N)[below - 1]) if below else 0.0


def _level(held: HeldOut, promise: float) -> CoverageLevel:
    labels, rows = held.labels, np.arange(len(held.labels))
    of_true_N = held.probabilities[rows, labels]
    least_N = np.empty(len(labels))
    for others, own in intervals.leave_groups_out(held.groups):
        least_N[own] = compute_threshold(of_true_N[others], promise)
    sets_NK = held.probabilities >= least_N[:, None]
    covered_N, size_N = sets_NK[rows, labels], sets_NK.sum(1)
    return CoverageLevel(
        promise=promise,
        least=compute_threshold(held.applied[rows, labels], promise),
        coverage=intervals.average_with_interval(covered_N, held.groups),
        size=intervals.average_with_interval(size_N, held.groups),
        empty=float((size_N == 0).mean()),
        single=float((size_N == 1).mean()),
        coverage_of_classes={
            name: float(covered_N[labels == one].mean())
            for one, name in enumerate(held.classes)
            if (labels == one).any()
        },
    )
