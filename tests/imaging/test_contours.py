"""Lines around masks, against areas and lengths that are known."""

from __future__ import annotations

import numpy as np
import pytest

from tumorviewer.imaging.contours import trace_contours
from tumorviewer.imaging.label_map import measure_labels
from tumorviewer.study.types import Placement, Volume


def enclosed_area(line: np.ndarray) -> float:
    """Signed, by the shoelace formula."""
    rows, columns = line[:-1].T, line[1:].T
    return float((rows[0] * columns[1] - columns[0] * rows[1]).sum() / 2)


def test_a_single_pixel_is_a_diamond_around_its_centre() -> None:
    mask = np.zeros((5, 7), np.bool_)
    mask[2, 3] = True
    (line,) = trace_contours(mask)
    assert {tuple(point) for point in line} == {(2, 3.5), (2.5, 4), (3, 3.5), (2.5, 3)}
    assert (line[0] == line[-1]).all()


def test_a_rectangle_loses_its_corners_only() -> None:
    mask = np.zeros((12, 12), np.bool_)
    mask[2:8, 3:11] = True
    (line,) = trace_contours(mask)
    assert abs(enclosed_area(line)) == pytest.approx(6 * 8 - 4 / 8)
    assert line.min(0) == pytest.approx([2, 3])
    assert line.max(0) == pytest.approx([8, 11])


def test_a_hole_is_a_line_of_its_own_the_other_way_round() -> None:
    mask = np.zeros((12, 12), np.bool_)
    mask[1:11, 1:11] = True
    mask[4:7, 4:7] = False
    areas = sorted(map(enclosed_area, trace_contours(mask)), key=abs)
    assert len(areas) == 2
    assert areas[0] * areas[1] < 0


def test_parts_that_touch_at_a_corner_are_closed_lines() -> None:
    mask = np.eye(4, dtype=np.bool_)
    lines = trace_contours(mask)
    assert all((line[0] == line[-1]).all() for line in lines)
    assert sum(abs(enclosed_area(line)) for line in lines) > 0


def test_the_border_of_the_image_closes_a_line() -> None:
    (line,) = trace_contours(np.ones((3, 4), np.bool_))
    assert abs(enclosed_area(line)) == pytest.approx(12 - 4 / 8)


def test_nothing_has_no_lines() -> None:
    assert trace_contours(np.zeros((3, 4), np.bool_)) == ()


def test_labels_are_measured_in_millilitres() -> None:
    array = np.zeros((4, 10, 10), np.int16)
    array[1:3, :5, :5] = 1
    array[3, 5:, 5:] = 4
    volume = Volume(array, np.diag([4.0, 2.0, 5.0, 1.0]), Placement.PATIENT, "mask.nii")
    assert measure_labels(volume) == pytest.approx({1.0: 50 * 0.04, 4.0: 25 * 0.04})


def test_labels_of_a_volume_without_a_place_have_no_volume() -> None:
    volume = Volume(np.ones((1, 2, 2), np.uint8), np.eye(4), Placement.NONE, "mask.png")
    assert measure_labels(volume) == {1.0: None}
