"""Letters, planes, millimetres and scale bars of known affines."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tumorviewer.imaging.geometry import (
    Edges,
    choose_scale_bar,
    compute_normal,
    compute_pixel_aspect,
    format_plane_position,
    format_position,
    map_to_patient,
    name_direction,
    name_edges,
    name_plane,
)
from tumorviewer.study import Placement, Volume


def affine(slice_step, row_step, column_step, origin=(0, 0, 0)) -> np.ndarray:
    made = np.eye(4)
    made[:3] = np.column_stack([slice_step, row_step, column_step, origin])
    return made


def volume(matrix, shape=(3, 4, 5), placement=Placement.PATIENT) -> Volume:
    return Volume(np.zeros(shape, np.int16), np.asarray(matrix, float), placement, "made")


AXIAL = affine((0, 0, 5), (0, 0.5, 0), (0.25, 0, 0), (-1, -2, 40))
CORONAL = affine((0, 3, 0), (0, 0, -1), (1, 0, 0))
SAGITTAL = affine((3, 0, 0), (0, 0, -1), (0, 1, 0))
FLIPPED = affine((0, 0, -5), (0, -1, 0), (-1, 0, 0))


@pytest.mark.parametrize(
    ("matrix", "letters", "name"),
    [
        (AXIAL, Edges("R", "L", "A", "P"), "axial"),
        (CORONAL, Edges("R", "L", "H", "F"), "coronal"),
        (SAGITTAL, Edges("A", "P", "H", "F"), "sagittal"),
        (FLIPPED, Edges("L", "R", "P", "A"), "axial"),
    ],
)
def test_letters_and_planes(matrix, letters, name) -> None:
    assert name_edges(matrix[:3, 2], matrix[:3, 1]) == letters
    assert name_plane(volume(matrix)) == name


def test_oblique_gives_two_letters() -> None:
    angle = math.radians(40)
    down = (0, math.cos(angle), -math.sin(angle))
    through = (0, math.sin(angle), math.cos(angle))
    made = volume(affine(through, down, (1, 0, 0)))
    assert name_edges(made.affine[:3, 2], made.affine[:3, 1]) == Edges("R", "L", "AH", "PF")
    assert name_plane(made) == "oblique"
    assert format_plane_position(np.zeros(3), compute_normal(made)).count("  ") == 2


def test_a_slight_tilt_gives_one_letter() -> None:
    assert name_direction(np.array([0.0, 1.0, 0.1])) == "P"
    assert name_direction(np.array([0.0, 1.0, 0.2])) == "PH"


@pytest.mark.parametrize("placement", [Placement.NONE, Placement.SCALED])
def test_no_plane_is_claimed_without_an_orientation(placement) -> None:
    assert name_plane(volume(AXIAL, placement=placement)) == ""


def test_gantry_tilt_keeps_the_plane_s_own_normal() -> None:
    tilted = affine((0, 2, 5), (0, 1, 0), (1, 0, 0))
    np.testing.assert_allclose(compute_normal(volume(tilted)), (0, 0, 1))
    np.testing.assert_allclose(compute_normal(volume(FLIPPED)), (0, 0, -1))


def test_voxel_to_millimetres() -> None:
    made = volume(AXIAL)
    np.testing.assert_allclose(map_to_patient(made, 2, 3, 4), (0.0, -0.5, 50.0))
    assert format_position(map_to_patient(made, 2, 3, 4)) == "L 0.0  A 0.5  H 50.0 mm"
    assert format_plane_position(map_to_patient(made, 2, 1, 2), compute_normal(made)) == "H 50.0 mm"
    assert format_position(np.array([-0.04, -1.0, -2.0])) == "L 0.0  A 1.0  F 2.0 mm"


def test_uneven_slices_lie_where_they_say() -> None:
    positions = np.array([[0.0, 0, 40], [0, 0, 45], [0, 0, 60]])
    made = replace(volume(AXIAL), positions=positions)
    np.testing.assert_allclose(map_to_patient(made, 2, 3, 4), (1.0, 1.5, 60.0))


def test_pixel_aspect_is_height_over_width() -> None:
    assert compute_pixel_aspect(volume(AXIAL)) == 2.0
    assert compute_pixel_aspect(volume(np.zeros((4, 4)))) == 1.0


@pytest.mark.parametrize(
    ("mm_per_unit", "longest", "expected"),
    [(1, 120, 100), (1, 99, 50), (0.1, 30, 2), (0.001, 30, 0.02), (2, 50, 100), (1, 45, 20)],
)
def test_scale_bar_is_a_round_length_that_fits(mm_per_unit, longest, expected) -> None:
    assert choose_scale_bar(mm_per_unit, longest) == pytest.approx(expected)
