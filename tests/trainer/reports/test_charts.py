"""Charts have room for what they show: matplotlib warns, and so fails here, where they do not."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from trainer.evaluation import metrics
from trainer.runs import run_report


@pytest.mark.parametrize("count", [2, 4, 10])
def test_the_charts_have_room_for_many_classes_with_long_names(count):
    generator = np.random.default_rng(0)
    classes = tuple(f"a class of number {number}" for number in range(count))
    labels = generator.integers(0, count, 150)
    p = metrics.apply_softmax(generator.normal(size=(150, count)) + 2 * np.eye(count)[labels])
    groups = generator.integers(0, 50, 150)
    found = metrics.compute_metrics(p, labels, groups, classes, 50)
    judged = SimpleNamespace(probabilities=p, labels=labels, groups=groups, classes=classes)
    charts = run_report._of_predictions(judged, found)
    assert len(charts) == 4
    assert all(name in charts[1].svg for name in classes)


def test_learning_curves_of_folds_and_of_a_single_epoch():
    logs = [[{"epoch": 1, "loss": 1.0, "log_loss": 0.9, "accuracy": 0.5, "macro_f1": 0.4}]] * 3
    for draw in (run_report.plots.plot_loss, run_report.plots.plot_validation):
        assert "Epoch" in run_report._chart(partial(draw, logs=logs), "").svg
