"""Outlines measured as SimpleITK and plain arithmetic measure them."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from trainer.segmentation.measures import count_lesions, dice, surface, surface_distances

SPACING = (3.0, 0.5, 0.75)


def ball(centre: tuple[float, ...], radius: float) -> NDArray[np.bool_]:
    where = np.indices((14, 40, 36)).astype(float)
    offsets = [(one - at) * mm for one, at, mm in zip(where, centre, SPACING, strict=True)]
    return np.asarray(sum(one**2 for one in offsets) < radius**2)


FOUND, EXPERT = ball((6, 18, 17), 7.0), ball((7, 20, 15), 6.0)


def image(mask: NDArray[np.bool_]) -> sitk.Image:
    made = sitk.GetImageFromArray(mask.astype(np.uint8))
    made.SetSpacing(SPACING[::-1])
    return made


def test_dice_is_that_of_simpleitk() -> None:
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(image(FOUND), image(EXPERT))
    assert dice(FOUND, EXPERT) == pytest.approx(overlap.GetDiceCoefficient())
    assert dice(FOUND & False, EXPERT & False) == 1
    assert dice(FOUND & False, EXPERT) == 0


def test_surfaces_are_those_of_simpleitk() -> None:
    contour = sitk.LabelContour(image(FOUND), False)
    assert np.array_equal(surface(FOUND), sitk.GetArrayFromImage(contour) > 0)


def test_surface_distances_are_those_between_all_pairs_of_surface_voxels() -> None:
    points = [np.argwhere(surface(one)) * SPACING for one in (FOUND, EXPERT)]
    pairs = np.linalg.norm(points[0][:, None] - points[1][None], axis=2)
    one, other = pairs.min(1), pairs.min(0)
    measured = surface_distances(FOUND, EXPERT, SPACING)
    assert measured.hd95 == pytest.approx(max(np.percentile(one, 95), np.percentile(other, 95)))
    assert measured.assd == pytest.approx(np.concatenate((one, other)).mean())


def test_the_greatest_distance_bounds_the_95th_percentile() -> None:
    hausdorff = sitk.HausdorffDistanceImageFilter()
    hausdorff.Execute(image(FOUND), image(EXPERT))
    assert surface_distances(FOUND, EXPERT, SPACING).hd95 <= hausdorff.GetHausdorffDistance()


def test_of_an_empty_outline_there_is_no_distance() -> None:
    measured = surface_distances(FOUND & False, EXPERT, SPACING)
    assert np.isnan(measured.hd95)
    assert np.isnan(measured.assd)


def test_lesions_are_counted_by_touch() -> None:
    expert = np.zeros((20, 20), np.bool_)
    expert[2:5, 2:5] = expert[10:13, 10:13] = expert[13, 13] = True
    found = np.zeros_like(expert)
    found[4:6, 4:6] = found[17:19, 2:4] = found[2:4, 15:17] = True
    assert count_lesions(found, expert) == (2, 1, 2)
