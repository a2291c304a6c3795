from __future__ import annotations

import numpy as np
import pytest
from sklearn import calibration
from sklearn import metrics as sk

from trainer.evaluation import performance_curves
from trainer.evaluation.metrics import apply_softmax
from trainer.evaluation.performance_curves import GRID, Ranking, compute_class_curves


@pytest.fixture(scope="module")
def sample():
    generator = np.random.default_rng(5)
    labels = generator.integers(0, 3, 200)
    p = np.round(apply_softmax(generator.normal(size=(200, 3)) + 1.5 * np.eye(3)[labels]), 2)
    return p, labels, generator.integers(0, 60, 200)


@pytest.mark.parametrize("seed", range(5))
def test_curves_and_areas_agree_with_scikit_learn_weights_and_ties_included(seed):
    generator = np.random.default_rng(seed)
    positive = generator.random(80) < 0.3
    scores = np.round(generator.normal(size=80) + positive, 1)
    weight = generator.integers(0, 3, 80).astype(float)
    ranking, kept = Ranking(scores, positive), weight > 0
    given = positive[kept], scores[kept]
    fpr, tpr, _ = sk.roc_curve(*given, sample_weight=weight[kept], drop_intermediate=False)
    x, y = ranking.roc(weight)
    assert np.allclose(np.interp(np.unique(fpr), x, y), np.interp(np.unique(fpr), fpr, tpr))
    assert {*zip(fpr.round(9), tpr.round(9), strict=True)} == {
        *zip(x.round(9), y.round(9), strict=True)
    }
    precision, recall, _ = sk.precision_recall_curve(*given, sample_weight=weight[kept])
    theirs = {*zip(recall.round(9), precision.round(9), strict=True)}
    assert {
        *zip(*(one.round(9) for one in ranking.precision_recall(weight)), strict=True)
    } == theirs
    assert ranking.auc(weight) == pytest.approx(
        sk.roc_auc_score(*given, sample_weight=weight[kept])
    )
    assert ranking.average_precision(weight) == pytest.approx(
        sk.average_precision_score(*given, sample_weight=weight[kept])
    )


def test_one_kind_of_items_has_no_area():
    ranking = Ranking(np.array([0.1, 0.2, 0.3]), np.ones(3, bool))
    assert np.isnan(ranking.auc(np.ones(3)))
    assert np.isnan(Ranking(np.array([0.1, 0.2]), np.zeros(2, bool)).average_precision(np.ones(2)))


def test_thinned_curves_enclose_the_same_area_within_their_bands(sample):
    p, labels, groups = sample
    for index, curve in enumerate(
        compute_class_curves(p, labels, groups, ("a", "b", "c")).values()
    ):
        roc = curve["roc"]
        expected = sk.roc_auc_score(labels == index, p[:, index])
        assert np.trapezoid(roc["y"], roc["x"]) == pytest.approx(expected, abs=1e-4)
        assert len(roc["x"]) < len(np.unique(p[:, index])) + 1
        at = np.interp(GRID, roc["x"], roc["y"])
        inside = (np.array(roc["low"]) <= at + 1e-6) & (at <= np.array(roc["high"]) + 1e-6)
        assert inside.mean() > 0.95
        assert set(curve["precision_recall"]) == {"x", "y", "grid", "low", "high"}


def test_a_class_without_items_has_no_curve(sample):
    p, labels, groups = sample
    known = labels < 2
    assert set(compute_class_curves(p[known], labels[known], groups[known], ("a", "b", "c"))) == {
        "a",
        "b",
    }


def test_reliability_agrees_with_scikit_learn(sample):
    p, labels, groups = sample
    p = 0.99 * p + 0.003  # no confidence at the end of a bin
    found = performance_curves.compute_reliability(p, labels, groups)
    confidence, right = p.max(1), p.argmax(1) == labels
    share, mean = calibration.calibration_curve(right, confidence, n_bins=performance_curves.BINS)
    assert [one["accuracy"] for one in found] == pytest.approx(share, abs=1e-6)
    assert [one["confidence"] for one in found] == pytest.approx(mean, abs=1e-6)
    assert sum(one["n"] for one in found) == len(p)
    for one in found:
        assert one["interval"][0] <= one["accuracy"] <= one["interval"][1]
