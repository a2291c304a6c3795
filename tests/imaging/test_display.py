"""Intensities to grey levels, against pydicom and by hand."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_windowing

from tumorviewer.imaging.display import (
    IDENTITY,
    TABLE,
    choose_default_window,
    choose_provisional_window,
    find_full_range,
    grey,
    list_windows,
    map_to_grey,
)
from tumorviewer.study import Placement, Volume, Window


def volume(array, *, placement=Placement.PATIENT, **fields) -> Volume:
    return Volume(np.asarray(array), np.eye(4), placement, "made", **fields)


def pydicom_levels(pixels, window: Window) -> np.ndarray:
    dataset = Dataset()
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsStored = 16
    dataset.PixelRepresentation = 0
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
    dataset.WindowCenter, dataset.WindowWidth = window.centre, window.width
    dataset.VOILUTFunction = window.function
    levels = apply_windowing(pixels.astype(np.float64), dataset)
    return levels / levels_range(dataset) * 255


def levels_range(dataset: Dataset) -> float:
    return 2**dataset.BitsStored - 1


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", "float32", ">i2"])
@pytest.mark.parametrize(("centre", "width"), [(40, 80), (40, 1), (127.5, 255), (-20.3, 33.7)])
def test_windowing_is_pydicom_s(function, dtype, centre, width) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(-100 if np.dtype(dtype).kind != "u" else 0, 120, (40, 50)).astype(dtype)
    if dtype == "float32":
        pixels += rng.random(pixels.shape, np.float32)
    window = Window(centre, width, function=function)
    expected = pydicom_levels(pixels, window)
    np.testing.assert_allclose(map_to_grey(pixels, window), expected, atol=0.5 + 1e-9)


def test_whole_int16_range_goes_through_the_table() -> None:
    pixels = np.array([-32768, -1, 0, 1, 32767], np.int16)
    window = Window(0, 65535, function="LINEAR_EXACT")
    np.testing.assert_array_equal(map_to_grey(pixels, window), [0, 127, 128, 128, 255])


def test_non_contiguous_pixels() -> None:
    pixels = np.arange(200, dtype=np.int16).reshape(10, 20)
    np.testing.assert_array_equal(
        map_to_grey(pixels.T[::2], IDENTITY), pixels.T[::2].astype(np.uint8)
    )


def test_non_finite_values() -> None:
    pixels = np.array([np.nan, np.inf, -np.inf, 10.0], np.float32)
    window = Window(10, 20, function="LINEAR_EXACT")
    assert map_to_grey(pixels, window).tolist() == [0, 255, 0, 128]
    assert map_to_grey(pixels, window, inverted=True).tolist() == [0, 0, 255, 128]


def test_inverted_is_the_complement() -> None:
    pixels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(map_to_grey(pixels, IDENTITY, inverted=True), 255 - pixels)


def test_voi_lut_keeps_its_ends() -> None:
    table = np.array([10.0, 100.0, 250.0])
    window = Window(101.5, 3, function=TABLE)
    pixels = np.array([-5, 100, 101, 102, 500], np.int16)
    assert map_to_grey(pixels, window, voi_lut=(100, table)).tolist() == [10, 10, 100, 250, 250]
    assert map_to_grey(pixels, Window(101, 2), voi_lut=(100, table)).tolist()[-1] == 255


def test_eight_bit_picture_is_unchanged() -> None:
    array = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    np.testing.assert_array_equal(grey(volume(array, placement=Placement.NONE), 0), array[0])


def test_first_usable_window_of_the_file_wins() -> None:
    array = np.arange(1000, dtype=np.int16).reshape(1, 25, 40)
    bad = (Window(np.nan, 1), Window(0, 0), Window(-5000, 10))
    made = volume(array, windows=(*bad, Window(500, 200), Window(1, 2)))
    assert choose_default_window(made) == Window(500, 200, "Default")


def test_voi_lut_is_the_default_without_a_window() -> None:
    made = volume(np.array([[[0, 1, 2]]], np.int16), voi_lut=(0, np.array([255.0, 128.0, 0.0])))
    assert grey(made, 0).tolist() == [[255, 128, 0]]


def test_percentiles_ignore_background_outliers_and_non_finite_values() -> None:
    rng = np.random.default_rng(1)
    array = np.zeros((4, 100, 100), np.float32)
    array[:, 20:80, 20:80] = rng.uniform(100, 200, (4, 60, 60))
    array[0, 0, 0], array[0, 0, 1], array[1, 50, 50] = np.nan, np.inf, 1e6
    window = choose_default_window(volume(array))
    assert window.centre - window.width / 2 == pytest.approx(100, abs=2)
    assert window.centre + window.width / 2 == pytest.approx(200, abs=2)


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan, np.inf, 1.7e308])
def test_constant_volumes_have_a_window(value) -> None:
    made = volume(np.full((2, 8, 8), value))
    assert np.isfinite(choose_default_window(made).centre)
    assert choose_default_window(made).width > 0
    assert grey(made, 0).shape == (8, 8)


def test_huge_range_does_not_overflow() -> None:
    made = volume(np.array([[[-1.7e308, 0.0, 1e-308, 1.7e308]]]))
    assert grey(made, 0).tolist()[0][0] == 0
    assert find_full_range(made).width > 0


@pytest.mark.parametrize("inverted", [False, True])
def test_padding_is_black_and_not_counted(inverted) -> None:
    array = np.full((1, 20, 20), -2000, np.int16)
    array[0, 5:15, 5:15] = np.arange(100).reshape(10, 10)
    made = volume(array, padding=(-2000, -1500), inverted=inverted)
    assert choose_default_window(made).width < 110
    assert grey(made, 0)[0, 0] == 0
    assert grey(made, 0)[5:15, 5:15].mean() == pytest.approx(127, abs=3)


def test_a_mask_is_seen() -> None:
    array = np.zeros((1, 8, 8), np.uint8)
    array[0, 2, 2] = 1
    assert grey(volume(array), 0)[2, 2] == 255
    assert grey(volume(array), 0)[0, 0] == 0


def test_colour_is_luminance() -> None:
    array = np.zeros((1, 1, 3, 3), np.uint8)
    array[0, 0] = np.eye(3) * 255
    made = volume(array, placement=Placement.NONE, windows=(Window(1, 2),))
    assert grey(made, 0).tolist() == [[76, 150, 29]]


def test_default_window_is_remembered_and_leaks_nothing() -> None:
    made = volume(np.random.default_rng(2).random((2, 8, 8)))
    first = choose_default_window(made)
    made.array[:] = 0
    assert choose_default_window(made) is first
    gone = weakref.ref(made)
    del made
    gc.collect()
    assert gone() is None


def test_provisional_window_is_of_its_slice_and_not_remembered() -> None:
    array = np.zeros((2, 32, 32), np.float32)
    array[1] = np.linspace(0, 50, 1024).reshape(32, 32)
    made = volume(array)
    assert choose_provisional_window(made, 1).width == pytest.approx(50, rel=0.05)
    array[0] = np.linspace(0, 500, 1024).reshape(32, 32)
    assert choose_default_window(made).width > 300


def test_presets_of_ct_and_mr() -> None:
    array = np.arange(2000, dtype=np.int16).reshape(1, 40, 50)
    stated = (Window(50, 100), Window(300, 1500), Window(50, 100), Window(0, 0))
    ct = list_windows(volume(array, units="HU", windows=stated))
    assert [window.name for window in ct][:3] == ["Default", "From file 2", "Brain"]
    mr = list_windows(volume(array))
    assert [window.name for window in mr] == ["Default", "Full range", "Narrow"]
    assert mr[1] == Window(999.5, 1999, "Full range", "LINEAR_EXACT")
