"""Measurements on phantoms whose answers are known, and against other people's code."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorviewer.imaging import measurement as m
from tumorviewer.imaging.measurement import AnnotationKind
from tumorviewer.imaging.reslice import Plane, PlanePixels, cut_planes
from tumorviewer.study import Placement, Volume

SPACINGS = {"even": (1.0, 1.0, 1.0), "anisotropic": (5.0, 0.9, 0.4), "thick": (7.5, 0.5, 2.0)}
TURNS = {"straight": (0.0, 0.0, 0.0), "oblique": (0.4, -0.7, 1.1)}


def turned(angles) -> np.ndarray:
    """Rotation about x, then y, then z."""
    made = np.eye(3)
    for axis, angle in enumerate(angles):
        one, two = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[[one, two], [one, two]] = np.cos(angle)
        step[one, two], step[two, one] = -np.sin(angle), np.sin(angle)
        made = step @ made
    return made


def phantom(spacing, angles, shape=(7, 80, 120), array=None) -> Volume:
    """Random values, planes at right angles, anywhere in the patient."""
    affine = np.eye(4)
    affine[:3, :3] = turned(angles)[:, ::-1] * np.array(spacing)
    affine[:3, 3] = (-31.5, 12.0, 150.25)
    if array is None:
        array = np.random.default_rng(3).integers(-1000, 3000, shape).astype(np.int16)
    return Volume(array, affine, Placement.PATIENT, "made")


@pytest.fixture(params=[(s, t) for s in SPACINGS for t in TURNS], ids=lambda p: "-".join(p))
def volume(request) -> Volume:
    return phantom(SPACINGS[request.param[0]], TURNS[request.param[1]])


def points(volume: Volume, index: int, *rows_columns) -> np.ndarray:
    own = cut_planes(volume, Plane.OWN)
    return np.array([own.to_patient(index, row, column) for row, column in rows_columns])


def measured(
    volume: Volume, kind: AnnotationKind, index: int, *rows_columns, plane=Plane.OWN
) -> dict:
    planes = cut_planes(volume, plane)
    section = planes.section(index, np.zeros(len(volume.array), bool))
    places = [planes.to_patient(index, row, column) for row, column in rows_columns]
    return m.measure_annotation(kind, np.array(places), planes, index, section)


def ellipse(centre, down, right):
    """Ends of both axes."""
    (row, column) = centre
    return (row, column - right), (row, column + right), (row - down, column), (row + down, column)


def test_a_distance_is_the_way_through_the_patient(volume):
    _, row, column = volume.spacing()
    found = measured(volume, AnnotationKind.DISTANCE, 2, (10, 20), (40, 60))["length"]
    assert found == pytest.approx(np.hypot(30 * row, 40 * column), rel=1e-9)
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing((column, row, volume.spacing()[0]))
    image.SetDirection(
        (volume.affine[:3, [2, 1, 0]] / np.array([column, row, volume.spacing()[0]])).ravel()
    )
    ends = [image.TransformIndexToPhysicalPoint(at) for at in ((20, 10, 2), (60, 40, 2))]
    assert found == pytest.approx(np.linalg.norm(np.subtract(*ends)), rel=1e-6)


@pytest.mark.parametrize("plane", [Plane.SECOND, Plane.THIRD])
def test_planes_across_the_slices_measure_the_same_voxels(volume, plane):
    planes = cut_planes(volume, plane)
    index = planes.nearest(_voxel(volume, 1, 31, 5))
    row, column = next(
        (row, column)
        for row, column in ((31, 48), (60, 5))
        if abs(planes.distance(index, _voxel(volume, 5, row, column))) < 1e-9
    )
    ends = [_voxel(volume, 1, 31, 5), _voxel(volume, 5, row, column)]
    on_plane = [planes.to_patient(index, *planes.on_plane(index, end)) for end in ends]
    np.testing.assert_allclose(on_plane, ends, atol=1e-9)
    section = planes.section(index, np.zeros(len(volume.array), bool))
    steps = np.array([4, row - 31, column - 5]) * volume.spacing()
    found = m.measure_annotation(
        AnnotationKind.DISTANCE, np.array(on_plane), planes, index, section
    )
    assert found["length"] == pytest.approx(np.linalg.norm(steps))
    value = m.measure_annotation(AnnotationKind.POINT, np.array(ends[1:]), planes, index, section)
    assert value == {"value": volume.array[5, row, column]}


def _voxel(volume: Volume, *index: int) -> np.ndarray:
    return (volume.affine @ (*index, 1))[:3]


@pytest.mark.parametrize("degrees", [0, 1e-3, 30, 45, 90, 135, 179.99, 180])
def test_an_angle_is_that_of_the_anatomy_and_not_of_the_pixels(volume, degrees):
    _, row, column = volume.spacing()
    turn = np.radians(degrees)
    arm = (40 + 8 * np.sin(turn) / row, 60 + 8 * np.cos(turn) / column)
    found = measured(volume, AnnotationKind.ANGLE, 1, (40, 60 + 3 / column), (40, 60), arm)["angle"]
    assert found == pytest.approx(degrees, abs=1e-6)


def test_an_arm_without_length_has_no_angle():
    assert np.isnan(m.measure_angle(np.array([[1.0, 0, 0], [1, 0, 0], [2, 0, 0]])))


def test_diameters_and_their_product(volume):
    _, row, column = volume.spacing()
    ends = (40, 60 - 12 / column), (40, 60 + 12 / column), (40 - 4 / row, 60), (40 + 5 / row, 60)
    found = measured(volume, AnnotationKind.DIAMETERS, 0, *ends)
    assert found == pytest.approx({"longest": 24, "perpendicular": 9, "product": 216})
    swapped = measured(volume, AnnotationKind.DIAMETERS, 0, *ends[2:], *ends[:2])
    assert swapped == pytest.approx(found)


def test_areas_are_those_of_the_outlines(volume):
    _, row, column = volume.spacing()
    box = (10, 20), (10, 50), (33, 50), (33, 20)
    assert measured(volume, AnnotationKind.RECTANGLE, 3, *box)["area"] == pytest.approx(
        23 * 30 * row * column
    )
    triangle = (10, 20), (10, 50), (33, 20)
    assert measured(volume, AnnotationKind.FREEHAND, 3, *triangle)["area"] == pytest.approx(
        23 * 30 * row * column / 2
    )
    found = measured(volume, AnnotationKind.ELLIPSE, 3, *ellipse((40, 60), 20, 31))["area"]
    assert found == pytest.approx(np.pi * 20 * row * 31 * column)
    tilted = points(
        volume, 3, (30, 50), (50, 70), (50, 50), (30, 70)
    )  # conjugate, not at right angles
    exact = np.pi / 4 * np.linalg.norm(np.cross(tilted[1] - tilted[0], tilted[3] - tilted[2]))
    assert m.measure_area(AnnotationKind.ELLIPSE, tilted) == pytest.approx(exact)
    ring = m.trace_outline(AnnotationKind.ELLIPSE, tilted)
    assert m.measure_area(AnnotationKind.FREEHAND, ring) == pytest.approx(exact, rel=2e-3)


def test_statistics_are_those_of_simpleitk(volume):
    rows, columns = np.mgrid[:80, :120]
    shapes = {
        AnnotationKind.ELLIPSE: (ellipse((40.3, 60.2), 20.4, 31.1),
                       ((rows - 40.3) / 20.4) ** 2 + ((columns - 60.2) / 31.1) ** 2 <= 1),
        AnnotationKind.RECTANGLE: (((9.5, 19.5), (9.5, 50.5), (33.5, 50.5), (33.5, 19.5)),
                         (rows > 9) & (rows < 34) & (columns > 19) & (columns < 51)),
    }  # fmt: skip
    for kind, (ends, mask) in shapes.items():
        found = measured(volume, kind, 4, *ends)
        filter_ = sitk.LabelStatisticsImageFilter()
        filter_.Execute(
            sitk.GetImageFromArray(volume.array[4].astype(np.float64)),
            sitk.GetImageFromArray(mask.astype(np.uint8)),
        )
        assert found["pixels"] == filter_.GetCount(1)
        assert found["mean"] == pytest.approx(filter_.GetMean(1))
        assert found["sd"] == pytest.approx(filter_.GetSigma(1))
        assert (found["minimum"], found["maximum"]) == (
            filter_.GetMinimum(1),
            filter_.GetMaximum(1),
        )


def crossings(outline, row, column) -> bool:
    """Even-odd rule for one pixel, edge by edge."""
    is_in = False
    for (r0, c0), (r1, c1) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        if (r0 <= row) != (r1 <= row) and c0 + (row - r0) / (r1 - r0) * (c1 - c0) < column:
            is_in = not is_in
    return is_in


coordinate = st.floats(-3, 23).map(lambda x: round(x, 3) + 0.0005)


@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=12))
@settings(max_examples=60, deadline=None)
def test_a_freehand_region_holds_what_its_outline_encloses(vertices):
    outline = np.array(vertices)
    found = m.fill_region(AnnotationKind.FREEHAND, outline, (20, 20))
    expected = [[crossings(outline, row, column) for column in range(20)] for row in range(20)]
    np.testing.assert_array_equal(found, expected)


def test_regions_that_share_an_edge_count_each_pixel_once():
    left = m.fill_region(
        AnnotationKind.RECTANGLE, np.array([(2, 2), (2, 8), (9, 8), (9, 2)], float), (20, 20)
    )
    right = m.fill_region(
        AnnotationKind.RECTANGLE, np.array([(2, 8), (2, 15), (9, 15), (9, 8)], float), (20, 20)
    )
    assert not (left & right).any()
    assert (left | right).sum() == 7 * 13


def test_pixels_without_data_take_no_part():
    volume = phantom((1, 1, 1), (0, 0, 0), array=np.full((1, 10, 10), 7, np.int16))
    planes = cut_planes(volume, Plane.OWN)
    absent = np.zeros((10, 10), bool)
    absent[:, :5] = True
    box = points(volume, 0, (-0.5, -0.5), (-0.5, 9.5), (9.5, 9.5), (9.5, -0.5))
    found = m.measure_annotation(
        AnnotationKind.RECTANGLE, box, planes, 0, PlanePixels(volume.array[0], absent=absent)
    )
    assert found["pixels"] == 50
    assert found["area"] == pytest.approx(100)
    nothing = m.measure_annotation(
        AnnotationKind.RECTANGLE, box, planes, 0, PlanePixels(volume.array[0], ~absent, absent)
    )
    assert nothing == pytest.approx({"area": 100})


def test_a_region_beyond_the_image_has_an_area_only():
    volume = phantom((1, 1, 1), (0, 0, 0))
    assert measured(volume, AnnotationKind.ELLIPSE, 0, *ellipse((-40, -40), 3, 3)).keys() == {
        "area"
    }
    assert measured(volume, AnnotationKind.POINT, 0, (200, 3)) == {}


def test_a_flat_ellipse_is_empty():
    volume = phantom((1, 1, 1), (0, 0, 0))
    assert measured(volume, AnnotationKind.ELLIPSE, 0, *ellipse((20, 20), 0, 5)) == {"area": 0}


def test_one_pixel_has_no_spread():
    volume = phantom((1, 1, 1), (0, 0, 0))
    found = measured(volume, AnnotationKind.ELLIPSE, 0, *ellipse((20, 20), 0.6, 0.6))
    assert (found["pixels"], found["sd"], found["mean"]) == (1, 0, volume.array[0, 20, 20])
    assert measured(volume, AnnotationKind.POINT, 0, (20.4, 19.6)) == {
        "value": volume.array[0, 20, 20]
    }


def test_colours_have_no_statistics():
    rgb = np.zeros((1, 20, 20, 3), np.uint8)
    volume = Volume(rgb, np.eye(4)[[2, 1, 0, 3]], Placement.NONE, "made")
    assert measured(volume, AnnotationKind.ELLIPSE, 0, *ellipse((9, 9), 4, 4)) == pytest.approx(
        {"area": 16 * np.pi}
    )


def test_an_outline_that_crosses_itself_says_so():
    volume = phantom((1, 1, 1), (0, 0, 0))
    eight = (10, 10), (30, 30), (10, 30), (30, 10)
    assert measured(volume, AnnotationKind.FREEHAND, 0, *eight)["crosses_itself"]
    assert "crosses_itself" not in measured(volume, AnnotationKind.FREEHAND, 0, *eight[:3])


def test_large_values_keep_their_spread():
    array = np.full((1, 20, 20), 2**24, np.float32)
    array[0, ::2] += 2
    volume = phantom((1, 1, 1), (0, 0, 0), array=array)
    found = measured(
        volume, AnnotationKind.RECTANGLE, 0, (-0.5, -0.5), (-0.5, 19.5), (19.5, 19.5), (19.5, -0.5)
    )
    assert found["mean"] == 2**24 + 1
    assert found["sd"] == pytest.approx(np.sqrt(400 / 399))
