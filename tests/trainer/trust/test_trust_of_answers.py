"""Calibration, prediction sets, abstention and pooling, each group judged by the others."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.evaluation import metrics
from trainer.evaluation.temperature_scaling import fit_temperature
from trainer.trust import abstention, calibration, intervals, prediction_sets, slice_pooling
from trainer.trust.held_out import HeldOut, fit_temperature_scaling

CLASSES = ("glioma", "meningioma", "pituitary")


def held(items: int = 800, groups: int = 20, scale: float = 3.0, seed: int = 0) -> HeldOut:
    """Answers whose probabilities are right, made too sure by a factor."""
    draw = np.random.default_rng(seed)
    true = draw.normal(0, 2.5, (items, 3))
    chance = metrics.apply_softmax(true)
    labels = (chance.cumsum(1) > draw.random((items, 1))).argmax(1)
    logits = true * scale
    return HeldOut(
        logits,
        labels,
        np.arange(items) % groups,
        [f"{n}.png" for n in range(items)],
        CLASSES,
        None,
        fit_temperature(logits, labels),
    )


@pytest.fixture(scope="module")
def sure() -> HeldOut:
    return held()


def test_no_group_is_judged_by_what_was_fitted_on_it():
    groups = np.array([3, 3, 1, 2, 2, 2])
    judged = []
    for others, own in intervals.leave_groups_out(groups):
        assert not set(groups[others]) & set(groups[own])
        assert len(others) + len(own) == len(groups)
        judged += own.tolist()
    assert sorted(judged) == list(range(6))


def test_a_group_does_not_calibrate_itself(sure):
    """Wrong labels of one group change what the others are scaled by, and not its own scale."""
    own = sure.groups == 0
    labels = np.where(own, (sure.labels + 1) % 3, sure.labels)
    other = HeldOut(sure.logits, labels, sure.groups, sure.names, CLASSES, None, 1.0)
    changed = ~np.isclose(other.probabilities, sure.probabilities).all(1)
    assert changed[~own].mean() > 0.9
    assert not changed[own].any()


def test_temperature_mends_what_is_too_sure_and_its_rivals_are_compared_with_it(sure):
    found = calibration.measure_calibration(sure)
    assert found.before["ece"].low > 0.08
    assert found.after["ece"].value < 0.03
    assert found.after["log_loss"].high < found.before["log_loss"].low
    assert sum(one.count for one in found.bins_after) == len(sure.labels)
    assert set(found.rivals) == {"vector scaling", "isotonic regression by class"}
    assert all(one.low <= one.value <= one.high for one in found.rivals.values())


def test_vector_scaling_wins_where_one_class_is_off():
    """The comparison can tell."""
    true = held(800, 10, scale=1.0)
    logits = true.logits + np.array([0.0, 2.0, 0.0])
    shifted = HeldOut(logits, true.labels, true.groups, true.names, CLASSES, None, 1.0)
    assert calibration.measure_calibration(shifted).rivals["vector scaling"].high < 0


def test_sets_keep_their_promises_on_groups_that_they_were_not_fitted_on(sure):
    found = prediction_sets.measure_prediction_sets(sure)
    assert [level.promise for level in found.levels] == [0.9, 0.95, 0.99]
    for level in found.levels:
        assert abs(level.coverage.value - level.promise) < 0.01
        assert level.coverage.low < level.promise < level.coverage.high
    sizes = [level.size.value for level in found.levels]
    assert sizes == sorted(sizes)


def test_stored_thresholds_belong_to_the_temperature_that_the_program_applies(sure):
    level = prediction_sets.measure_prediction_sets(sure).levels[0]
    of_true = sure.applied[np.arange(len(sure.labels)), sure.labels]
    assert (of_true >= level.least).mean() == pytest.approx(0.9, abs=2e-3)


def test_a_threshold_counts_the_next_case_as_missed():
    scores = np.arange(1, 20) / 20  # 19 cases: the second lowest keeps 90 % of 20
    assert prediction_sets.compute_threshold(scores, 0.9) == pytest.approx(0.1)
    assert (
        prediction_sets.compute_threshold(scores, 0.99) == 0.0
    )  # too few for such a promise: every class


def test_from_its_operating_point_on_the_model_errs_half_as_often(sure):
    found = abstention.measure_abstention(sure)
    assert found is not None
    error_of_all = 1 - found.accuracy_of_all.value
    assert 1 - found.accuracy.value == pytest.approx(error_of_all / 2, abs=0.02)
    assert 0.5 < found.answered.value < 0.95
    assert found.together is not None
    assert found.together.coverage.value >= 0.88
    assert 2 <= found.together.size.value < 3
    assert list(found.curve_answered) == sorted(found.curve_answered)
    assert found.curve_error[-1] == pytest.approx(error_of_all, abs=1e-3)
    assert found.curve_error[4] < found.curve_error[-1]


def test_a_model_without_errors_always_answers():
    right = np.ones(5, bool)
    assert abstention.find_least_probability(np.array([0.5, 0.9, 0.6, 0.7, 0.8]), right) == 0.0


def test_a_model_that_errs_most_when_it_is_sure_has_no_operating_point():
    logits = np.tile([[4.0, 0.0, 0.0], [1.0, 0.0, 0.0]], (40, 1))
    labels = np.tile([1, 0], 40)
    odd = HeldOut(logits, labels, np.arange(80) % 8, ["x"] * 80, CLASSES, None, 1.0)
    assert abstention.measure_abstention(odd) is None


def test_pictures_of_a_group_are_pooled_as_slices_are(sure):
    found = slice_pooling.measure_slice_pooling(sure, abstention.measure_abstention(sure))
    assert found is not None
    assert found.series > found.groups == 20
    assert found.right.low <= found.right.value <= found.right.high
    assert (
        slice_pooling.measure_slice_pooling(held(40, 20), None) is None
    )  # two pictures a group are no series


def test_one_temperature_for_all_classes_keeps_their_order(sure):
    scaled = fit_temperature_scaling(sure.logits, sure.labels)(sure.logits)
    assert (scaled.argmax(1) == sure.logits.argmax(1)).all()
