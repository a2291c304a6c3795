"""Volume, centre and diameters of outlines whose sizes are known."""

from __future__ import annotations

import numpy as np
import pytest

from tumorviewer.analysis.whole_study.outline_measures import (
    measure_centre_mm,
    measure_diameters_mm,
    measure_volume_ml,
)
from tumorviewer.study.types import Placement, Volume

AFFINE = np.array([[0, 0, 0.5, 10], [0, 2, 0, -20], [-3, 0, 0, 30], [0, 0, 0, 1]], float)


def volume(placement: Placement = Placement.PATIENT) -> Volume:
    return Volume(np.zeros((8, 40, 60), np.uint8), AFFINE, placement, "x")


@pytest.mark.parametrize(
    ("size", "spacing", "expected"),
    [
        ((1, 1), (1, 1), (2**0.5, 2**0.5)),
        ((3, 4), (1, 1), (5, 3.75)),
        ((10, 1), (2, 1), (401**0.5, 401**0.5 / 20)),
    ],
)
def test_diameters_reach_from_edge_to_edge(size, spacing, expected) -> None:
    mask = np.zeros((20, 20), np.bool_)
    mask[2 : 2 + size[0], 3 : 3 + size[1]] = True
    longest, across = measure_diameters_mm(mask, *spacing)
    assert longest == pytest.approx(expected[0])
    assert across == pytest.approx(expected[1])


def test_diameters_of_an_ellipse_are_its_axes_however_it_lies() -> None:
    rows, columns = np.mgrid[-50:51, -50:51]
    for angle in (0, 0.4, 1.1):
        u = rows * np.cos(angle) + columns * np.sin(angle)
        v = columns * np.cos(angle) - rows * np.sin(angle)
        longest, across = measure_diameters_mm((u / 40) ** 2 + (v / 20) ** 2 <= 1, 0.5, 0.5)
        assert longest == pytest.approx(40, abs=1)
        assert across == pytest.approx(20, abs=1)


def test_volume_and_centre_are_the_patients() -> None:
    mask = np.zeros((8, 40, 60), np.bool_)
    mask[2:5, 10:20, 30:34] = True
    assert measure_volume_ml(mask, volume()) == pytest.approx(3 * 10 * 4 * 3 * 2 * 0.5 / 1000)
    assert measure_centre_mm(mask, volume()) == pytest.approx((25.75, 9, 21))


def test_without_a_place_in_the_patient_there_are_no_millimetres() -> None:
    mask = np.ones((8, 40, 60), np.bool_)
    assert measure_volume_ml(mask, volume(Placement.SCALED)) is None
    assert measure_centre_mm(mask, volume(Placement.NONE)) is None
