"""Planes across volumes: known answers, and SimpleITK's, for oblique, uneven and tilted ones."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from tumorviewer.imaging.reslice import Plane, PlaneStack, cut_planes
from tumorviewer.study import Placement, Volume

SHAPE = (9, 20, 16)
CROSS = (Plane.SECOND, Plane.THIRD)
STRAIGHT = (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL)


def turned(degrees: float, axis: int) -> np.ndarray:
    angle = np.radians(degrees)
    made = np.eye(3)
    first, second = (each for each in range(3) if each != axis)
    made[first, first] = made[second, second] = np.cos(angle)
    made[first, second], made[second, first] = -np.sin(angle), np.sin(angle)
    return made


def affine(
    directions=((1, 0, 0), (0, 1, 0), (0, 0, 1)), spacing=(4.0, 1.5, 0.8), origin=(-7.0, 5.0, 30.0)
) -> np.ndarray:
    """Axial slices, turned."""
    made = np.eye(4)
    made[:3, :3] = np.array(directions) @ np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]]) * spacing
    made[:3, 3] = origin
    return made


AXIAL = affine()
OBLIQUE = affine(turned(17, 0) @ turned(-25, 2))
SAGITTAL = affine(turned(90, 1))
TILTED = affine()
TILTED[:3, 0] = (0, 1.2, 4)  # a gantry's tilt: slices are not stacked along their normal


def field(points: np.ndarray) -> np.ndarray:
    """A value for each point ``(…, 3)`` that linear interpolation gives exactly."""
    return 1000 + points @ np.array([3.0, -2.0, 5.0])


def volume(matrix, positions=None, **fields) -> Volume:
    index, row, column = np.indices(SHAPE)
    if positions is None:
        firsts = matrix[:3, 3] + np.arange(SHAPE[0])[:, None] * matrix[:3, 0]
    else:
        firsts = positions
    points = firsts[index] + row[..., None] * matrix[:3, 1] + column[..., None] * matrix[:3, 2]
    return Volume(field(points), matrix, Placement.PATIENT, "made", positions=positions, **fields)


def everything(volume: Volume) -> np.ndarray:
    return np.zeros(len(volume.array), bool)


def points_of(shown: PlaneStack, index: int) -> np.ndarray:
    rows, columns = shown.shape
    return np.array([[shown.to_patient(index, r, c) for c in range(columns)] for r in range(rows)])


@pytest.mark.parametrize("plane", Plane)
@pytest.mark.parametrize("matrix", [AXIAL, OBLIQUE, SAGITTAL, TILTED])
def test_every_pixel_holds_the_value_of_its_place(matrix, plane) -> None:
    made = volume(matrix)
    shown = cut_planes(made, plane)
    seen = 0
    for index in range(len(shown)):
        values, outside, absent = shown.section(index, everything(made))
        assert absent is None
        inner = np.ones(shown.shape, bool) if outside is None else ~outside
        voxels = (
            np.linalg.inv(matrix)
            @ np.append(points_of(shown, index).reshape(-1, 3), np.ones((inner.size, 1)), axis=1).T
        )
        limits = np.array(SHAPE)[:, None] - 1
        within = ((voxels[:3] >= 0) & (voxels[:3] <= limits)).all(axis=0).reshape(shown.shape)
        assert not (within & ~inner).any()
        expected = field(points_of(shown, index))
        np.testing.assert_allclose(values[within], expected[within], atol=1e-6)
        seen += within.sum()
    assert seen > 0.6 * made.array.size * np.prod(made.spacing()) / (
        shown.step * np.prod(shown.spacing)
    )


@pytest.mark.parametrize("plane", CROSS)
@pytest.mark.parametrize("matrix", [AXIAL, OBLIQUE, SAGITTAL])
def test_own_axes_need_no_interpolation_and_no_copy(matrix, plane) -> None:
    made = volume(matrix)
    shown = cut_planes(made, plane)
    for index in range(len(shown)):
        assert np.shares_memory(shown.section(index, everything(made)).values, made.array)


def test_planes_of_axial_slices_are_coronal_and_sagittal_as_they_are_read() -> None:
    made = volume(AXIAL)
    coronal, sagittal = (cut_planes(made, plane) for plane in CROSS)
    np.testing.assert_allclose(coronal.right, (0.8, 0, 0))
    np.testing.assert_allclose(coronal.down, (0, 0, -4))
    np.testing.assert_allclose(coronal.normal, (0, 1, 0))
    np.testing.assert_allclose(sagittal.right, (0, 1.5, 0))
    np.testing.assert_allclose(sagittal.down, (0, 0, -4))
    np.testing.assert_allclose(sagittal.normal, (-1, 0, 0))
    assert (coronal.shape, len(coronal)) == ((9, 16), 20)


def test_planes_of_sagittal_slices_are_axial_and_coronal() -> None:
    axial, coronal = (cut_planes(volume(SAGITTAL), plane) for plane in CROSS)
    assert np.abs(axial.normal).argmax() == 2
    assert np.abs(coronal.normal).argmax() == 1


@pytest.mark.parametrize("plane", STRAIGHT)
@pytest.mark.parametrize("matrix", [OBLIQUE, SAGITTAL])
def test_straight_planes_are_those_of_simpleitk(matrix, plane) -> None:
    made = volume(matrix)
    noise = np.random.default_rng(3).normal(0, 100, SHAPE)
    made.array[...] += noise
    shown = cut_planes(made, plane)
    image = sitk.GetImageFromArray(made.array)
    spacing = np.array(made.spacing()[::-1])
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(matrix[:3, 3].tolist())
    image.SetDirection((matrix[:3, [2, 1, 0]] / spacing).ravel().tolist())
    for index in range(0, len(shown), 3):
        values, outside, _ = shown.section(index, everything(made))
        expected = sitk.GetArrayFromImage(sitk.Resample(image, reference(shown, index)))[0]
        inner = expected != 0  # which SimpleITK has outside
        assert outside is None or not (inner & outside).any()
        np.testing.assert_allclose(values[inner], expected[inner], atol=1e-3)


def reference(shown: PlaneStack, index: int) -> sitk.Image:
    """One plane of a stack as an empty image."""
    rows, columns = shown.shape
    made = sitk.Image(columns, rows, 1, sitk.sitkFloat64)
    made.SetOrigin(shown.firsts[index].tolist())
    row, column = shown.spacing
    made.SetSpacing([column, row, 1.0])
    across = np.cross(shown.right / column, shown.down / row)
    made.SetDirection(
        np.column_stack([shown.right / column, shown.down / row, across]).ravel().tolist()
    )
    return made


@pytest.mark.parametrize("plane", [*CROSS, Plane.CORONAL])
def test_uneven_slices_lie_where_they_really_are(plane) -> None:
    depths = np.array([0, 3, 7.5, 12, 16, 19, 24, 28.5, 32])
    positions = AXIAL[:3, 3] + depths[:, None] * np.array([0, 0, 1.0])
    made = volume(AXIAL, positions)
    shown = cut_planes(made, plane)
    values, outside, absent = shown.section(5, everything(made))
    assert absent is None
    expected = field(points_of(shown, 5))
    np.testing.assert_allclose(values[~outside][8:-8], expected[~outside][8:-8], atol=1e-6)
    assert shown.step > 0


def test_nothing_is_drawn_across_a_gap() -> None:
    depths = np.array([0, 4, 8, 12, 28, 32, 36, 40, 44.0])
    positions = AXIAL[:3, 3] + depths[:, None] * np.array([0, 0, 1.0])
    shown = cut_planes(made := volume(AXIAL, positions), Plane.SECOND)
    _, outside, absent = shown.section(5, everything(made))
    depth = points_of(shown, 5)[..., 2] - AXIAL[2, 3]
    np.testing.assert_array_equal(absent, (depth > 14.01) & (depth < 25.99))
    assert not outside.any()


@pytest.mark.parametrize("plane", [Plane.SECOND, Plane.AXIAL])
def test_absent_slices_are_marked_where_they_are(plane) -> None:
    made = volume(AXIAL if plane is Plane.SECOND else OBLIQUE)
    absent = everything(made)
    absent[4] = True
    shown = cut_planes(made, plane)
    for index in range(0, len(shown), 4):
        marked = shown.section(index, absent).absent
        voxels = (
            np.linalg.inv(made.affine)[:3]
            @ np.append(points_of(shown, index), np.ones((*shown.shape, 1)), axis=2)
            .reshape(-1, 4)
            .T
        )
        expected = (np.abs(voxels[0] - 4) < 1 - 1e-9).reshape(shown.shape)
        np.testing.assert_array_equal(marked, expected)


@pytest.mark.parametrize("plane", Plane)
@pytest.mark.parametrize("matrix", [AXIAL, OBLIQUE, TILTED])
def test_points_are_found_again(matrix, plane) -> None:
    shown = cut_planes(volume(matrix), plane)
    index = len(shown) // 2
    point = shown.to_patient(index, 3.25, 7.5)
    assert shown.on_plane(index, point) == (pytest.approx(3.25), pytest.approx(7.5))
    assert shown.distance(index, point) == pytest.approx(0)
    near = point + 0.3 * shown.step * shown.normal
    assert shown.nearest(near) == index
    assert shown.distance(index, near) == pytest.approx(0.3 * shown.step)


def test_a_slab_is_the_maximum_over_its_millimetres() -> None:
    made = volume(AXIAL)
    made.array[...] = np.random.default_rng(1).normal(size=SHAPE)
    own = cut_planes(made, Plane.OWN)
    slab = own.slab(4, everything(made), 8.0).values
    np.testing.assert_array_equal(slab, made.array[3:6].max(axis=0))
    np.testing.assert_array_equal(own.slab(4, everything(made), 1.0).values, made.array[4])
    across = cut_planes(made, Plane.SECOND).slab(0, everything(made), 3.0).values
    np.testing.assert_array_equal(across, made.array[::-1, 0:2].max(axis=1))


@pytest.mark.parametrize(
    "made",
    [
        Volume(np.zeros((1, 8, 8)), AXIAL, Placement.PATIENT, "one slice"),
        Volume(np.zeros((5, 8, 8)), np.eye(4), Placement.SCALED, "no place"),
    ],
)
def test_without_places_there_are_only_the_own_planes(made) -> None:
    assert cut_planes(made, Plane.OWN) is not None
    assert all(cut_planes(made, plane) is None for plane in Plane if plane is not Plane.OWN)


def test_integers_and_colours_keep_their_type() -> None:
    colour = Volume(
        np.random.default_rng(0).integers(0, 255, (4, 8, 8, 3), np.uint8),
        OBLIQUE,
        Placement.PATIENT,
        "colour",
    )
    shown = cut_planes(colour, Plane.AXIAL)
    values = shown.section(len(shown) // 2, everything(colour)).values
    assert values.shape == (*shown.shape, 3)
    assert values.dtype == np.uint8
