from __future__ import annotations

import numpy as np
import pytest

from tumorviewer.analysis.pooling import pool_slices

NO_TUMOUR = 1


def slices(tumour):
    """Rows (glioma, no tumour, pituitary) with the given probability of a tumour."""
    tumour = np.asarray(tumour, np.float64)
    return np.column_stack([0.75 * tumour, 1 - tumour, 0.25 * tumour])


def full(count):
    return np.full(count, 5000.0)


def test_one_picture_speaks_for_itself():
    answer = pool_slices(slices([0.4]), full(1), NO_TUMOUR, ordered=False)
    np.testing.assert_allclose(answer.probabilities, [0.3, 0.6, 0.1])
    assert answer.key == (0,)
    assert answer.rule == "A single slice."


def test_a_tumour_on_a_tenth_of_the_slices_is_found():
    tumour = np.full(100, 0.02)
    tumour[40:52] = 0.98
    answer = pool_slices(slices(tumour), full(100), NO_TUMOUR, ordered=True)
    assert answer.probabilities[0] > 0.7
    assert set(answer.key) <= set(range(40, 52))
    assert len(answer.key) == 10
    assert answer.probabilities.sum() == pytest.approx(1)
    assert "10 of 100 slices" in answer.rule


def test_one_odd_slice_does_not_decide():
    tumour = np.full(20, 0.02)
    tumour[7] = 1.0
    answer = pool_slices(slices(tumour), full(20), NO_TUMOUR, ordered=True)
    assert answer.probabilities.argmax() == NO_TUMOUR
    assert set(answer.key) <= {6, 7, 8}


def test_ends_of_the_stack_have_no_vote():
    tumour = np.full(20, 0.02)
    tumour[:4] = 0.99
    areas = full(20)
    areas[:4] = 2000
    answer = pool_slices(slices(tumour), areas, NO_TUMOUR, ordered=True)
    assert answer.probabilities[NO_TUMOUR] == pytest.approx(0.98)
    assert not set(answer.key) & set(range(4))
    assert "no vote for 4" in answer.rule


def test_unrelated_pictures_are_not_averaged_with_each_other():
    tumour = [0.02, 1.0, 0.02, 0.02]
    alone = pool_slices(slices(tumour), full(4), NO_TUMOUR, ordered=False)
    stack = pool_slices(slices(tumour), full(4), NO_TUMOUR, ordered=True)
    assert alone.probabilities[NO_TUMOUR] == pytest.approx(0)
    assert stack.probabilities[NO_TUMOUR] == pytest.approx(0.98 * 2 / 3)
    assert "neighbours" in stack.rule
    assert "neighbours" not in alone.rule


def test_without_a_class_for_no_tumour_all_voters_count_alike():
    rows = np.array([[0.9, 0.1]] * 3 + [[0.2, 0.8]] * 5 + [[1.0, 0.0]])
    areas = full(9)
    areas[-1] = 1
    answer = pool_slices(rows, areas, None, ordered=False)
    np.testing.assert_allclose(answer.probabilities, rows[:8].mean(axis=0))
    assert answer.key == (3,)


def test_slices_without_any_foreground_can_still_vote():
    answer = pool_slices(slices([0.1, 0.2]), np.zeros(2), NO_TUMOUR, ordered=True)
    assert answer.probabilities[NO_TUMOUR] == pytest.approx(0.8)
