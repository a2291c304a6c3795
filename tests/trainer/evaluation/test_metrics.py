from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from trainer.evaluation import metrics
from trainer.evaluation.temperature_scaling import fit_temperature

CLASSES = ("a", "b", "c")


@pytest.fixture
def sample():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 300)
    logits = generator.normal(size=(300, 3)) + 1.5 * np.eye(3)[labels]
    probabilities = np.round(metrics.apply_softmax(logits), 2)  # with ties
    probabilities /= probabilities.sum(1, keepdims=True)
    return probabilities, labels, generator.integers(0, 80, 300)


def test_figures_agree_with_scikit_learn(sample):
    p, labels, groups = sample
    predicted = p.argmax(1)
    got = metrics.compute_metrics(p, labels, groups, CLASSES, resamples=20)
    precision, recall, f1, _ = sk.precision_recall_fscore_support(labels, predicted)
    expected = {
        "accuracy": sk.accuracy_score(labels, predicted),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, predicted),
        "macro_precision": precision.mean(),
        "macro_recall": recall.mean(),
        "macro_f1": f1.mean(),
        "roc_auc": sk.roc_auc_score(labels, p, multi_class="ovr"),
        "average_precision": np.mean(
            [sk.average_precision_score(labels == one, p[:, one]) for one in range(3)]
        ),
        "log_loss": sk.log_loss(labels, np.clip(p, np.finfo(float).tiny, 1)),
        "brier": ((p - np.eye(3)[labels]) ** 2).sum(1).mean(),
        "macro_specificity": np.mean(
            [sk.recall_score(labels != one, predicted != one) for one in range(3)]
        ),
    }
    assert {name: got[name] for name in expected} == pytest.approx(expected, abs=1e-5)
    assert got["confusion"]["matrix"] == sk.confusion_matrix(labels, predicted).tolist()
    assert (got["n"], got["groups"]) == (300, len(np.unique(groups)))
    assert got["per_class"]["b"]["recall"] == pytest.approx(recall[1], abs=1e-5)


def test_weights_are_worth_repeated_items(sample):
    p, labels, _ = sample
    times = np.random.default_rng(1).integers(0, 3, len(labels))
    weighted = metrics.Scorer(p, labels).overall(times.astype(float))
    repeated = metrics.Scorer(np.repeat(p, times, 0), np.repeat(labels, times))
    repeated = repeated.overall(np.ones(times.sum()))
    del weighted["adaptive_ece"], repeated["adaptive_ece"]  # bins of other items
    assert weighted == pytest.approx(repeated)


def test_calibration_error_of_a_known_case():
    p = np.tile([0.8, 0.2], (10, 1))
    labels = np.array([0] * 6 + [1] * 4)
    found = metrics.Scorer(p, labels).overall(np.ones(10))
    assert found["ece"] == found["adaptive_ece"] == pytest.approx(0.2)


def test_adaptive_calibration_error_has_bins_of_equal_mass():
    confidence = np.random.default_rng(3).permutation(np.linspace(0.5, 1, 150)) ** 2 / 2 + 0.5
    labels = (np.random.default_rng(4).random(150) > confidence).astype(int)
    p = np.column_stack([confidence, 1 - confidence])
    order = np.argsort(confidence)
    gap = ((labels == 0) - confidence)[order].reshape(15, 10)
    expected = np.abs(gap.mean(1)).mean()
    found = metrics.Scorer(p, labels).overall(np.ones(150))
    assert found["adaptive_ece"] == pytest.approx(expected)


def test_intervals_cover_the_figure_and_widen_with_fewer_groups(sample):
    p, labels, _ = sample
    many = metrics.compute_metrics(p, labels, np.arange(300), CLASSES, 200)
    few = metrics.compute_metrics(p, labels, np.arange(300) // 30, CLASSES, 200)
    low, high = many["intervals"]["accuracy"]
    assert low < many["accuracy"] < high
    assert many == metrics.compute_metrics(p, labels, np.arange(300), CLASSES, 200)
    assert few["groups"] == 10


def test_a_class_without_items_has_no_figures_and_spoils_none():
    p = metrics.apply_softmax(np.array([[3.0, 0, 0], [0, 3, 0], [3, 0, 0], [0, 0, 3]]))
    got = metrics.compute_metrics(p, np.array([0, 1, 0, 1]), np.arange(4), CLASSES, 50)
    assert got["per_class"]["c"]["recall"] is None
    assert got["per_class"]["c"]["roc_auc"] is None
    assert got["macro_recall"] == 0.75


def test_the_temperature_is_recovered():
    generator = np.random.default_rng(2)
    logits = generator.normal(size=(4000, 4)) * 2
    labels = np.array([generator.choice(4, p=p) for p in metrics.apply_softmax(logits)])
    assert fit_temperature(logits * 3, labels) == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize("items", [1, 7, 30])
def test_a_few_right_answers_make_no_answer_certain(items):
    logits = np.full((items, 4), 0.0)
    logits[:, 0] = 4  # 95 %
    labels = np.zeros(items, np.int64)
    scaled = metrics.apply_softmax(logits / fit_temperature(logits, labels))
    assert scaled[0, 0] < 0.99 + items / 1e4
