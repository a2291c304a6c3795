"""Stored values to what is shown: rescale, tables, windows, colours, number types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dicom_files as files
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from tumorviewer.study import Volume, Window, open_paths


def loaded(path: Path) -> Volume:
    opened = open_paths([path])
    assert not opened.refused
    return opened.studies[0].series[0].volumes[0].load()


def written(tmp_path: Path, dataset: Dataset, **kwargs: Any) -> Volume:
    return loaded(files.save(dataset, tmp_path / "x.dcm", **kwargs))


@pytest.mark.parametrize(
    ("slope", "intercept", "stored", "dtype"),
    [
        (1, 0, "<i2", np.int16),
        (1, -1024, "<u2", np.int16),  # seldom uses its whole range
        (2, 5, "<u1", np.uint16),
        (-1, 0, "<u1", np.int16),
        (0.5, 0, "<i2", np.float32),
        (1, 0, "<u4", np.uint32),
        (0.25, 1, "<i4", np.float64),
    ],
)
def test_values_are_exact_in_the_narrowest_type(
    tmp_path: Path, slope: float, intercept: float, stored: str, dtype: type
) -> None:
    array = files.pixels(0).astype(stored)
    bits = 8 * array.itemsize
    volume = written(
        tmp_path,
        files.instance(
            pixels=array,
            BitsAllocated=bits,
            BitsStored=bits,
            HighBit=bits - 1,
            PixelRepresentation=int(array.dtype.kind == "i"),
            RescaleSlope=slope,
            RescaleIntercept=intercept,
        ),
    )
    assert volume.array.dtype == dtype
    np.testing.assert_array_equal(volume.array[0], array.astype(float) * slope + intercept)


def test_values_beyond_16_bits_widen_the_volume(tmp_path: Path) -> None:
    arrays = [np.full((4, 4), value, np.uint16) for value in (100, 65_535, 7)]
    files.series(
        tmp_path,
        3,
        lambda at: {
            "pixels": arrays[at],
            "PixelRepresentation": 0,
            "RescaleSlope": 1,
            "RescaleIntercept": -1024,
        },
    )
    volume = loaded(tmp_path)
    assert volume.array.dtype == np.int32
    assert volume.array[:, 0, 0].tolist() == [-924, 64_511, -1017]


def test_slopes_that_differ_by_slice_are_applied_by_slice(tmp_path: Path) -> None:
    files.series(tmp_path, 3, lambda at: {"RescaleSlope": at + 0.5, "RescaleIntercept": at})
    volume = loaded(tmp_path)
    assert volume.array.dtype == np.float32
    for at in range(3):
        np.testing.assert_allclose(volume.array[at], files.pixels(at) * (at + 0.5) + at, rtol=1e-6)


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
def test_every_uncompressed_syntax(tmp_path: Path, syntax: Any) -> None:
    array = files.pixels(0) - 200
    swapped = array.astype(">i2" if syntax == ExplicitVRBigEndian else "<i2")
    dataset = files.instance(pixels=swapped)
    dataset["PixelData"].VR = "OW"
    volume = written(tmp_path, dataset, syntax=syntax)
    assert volume.array.dtype == np.int16
    np.testing.assert_array_equal(volume.array[0], array)


def test_unused_high_bits_are_ignored(tmp_path: Path) -> None:
    array = files.pixels(0).astype("<u2") & 0xFFF
    dirty = array | 0xA000
    volume = written(
        tmp_path, files.instance(pixels=dirty, BitsStored=12, HighBit=11, PixelRepresentation=0)
    )
    np.testing.assert_array_equal(volume.array[0], array)


def test_one_bit_pixels(tmp_path: Path) -> None:
    array = files.pixels(0) % 3 == 1
    dataset = files.instance(BitsAllocated=1, BitsStored=1, HighBit=0, PixelRepresentation=0)
    dataset.PixelData = np.packbits(array, bitorder="little").tobytes()
    np.testing.assert_array_equal(written(tmp_path, dataset).array[0], array)


@pytest.mark.parametrize(
    ("keyword", "dtype"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")]
)
def test_floating_point_pixels_keep_what_is_not_finite(
    tmp_path: Path, keyword: str, dtype: str
) -> None:
    array = files.pixels(0).astype(dtype)
    array[0, :3] = np.nan, np.inf, -np.inf
    dataset = files.instance(
        PixelData=None,
        PixelRepresentation=None,
        BitsStored=None,
        HighBit=None,
        BitsAllocated=8 * array.itemsize,
        **{keyword: array.tobytes()},
    )
    np.testing.assert_array_equal(written(tmp_path, dataset).array[0], array)


def test_modality_lut(tmp_path: Path) -> None:
    table = np.arange(50, dtype=np.uint16) * 7
    sequence = files.item(LUTDescriptor=[50, 10, 16], LUTData=table.tobytes(), ModalityLUTType="OD")
    dataset = files.instance(ModalityLUTSequence=sequence)
    volume = written(tmp_path, dataset)
    expected = table[np.clip(files.pixels(0) - 10, 0, 49)]
    np.testing.assert_array_equal(volume.array[0], expected)
    assert volume.units == "OD"


def test_windows_are_kept_in_order(tmp_path: Path) -> None:
    dataset = files.instance(
        WindowCenter=[40, 300, 5],
        WindowWidth=[80, 1500, 0],
        WindowCenterWidthExplanation=["BRAIN", "BONE", "BAD"],
        VOILUTFunction="SIGMOID",
    )
    assert written(tmp_path, dataset).windows == (
        Window(40, 80, "BRAIN", "SIGMOID"),
        Window(300, 1500, "BONE", "SIGMOID"),
    )


def test_voi_lut_is_scaled_to_grey_levels(tmp_path: Path) -> None:
    data = np.array([0, 2047, 4095], "<u2").tobytes()
    sequence = files.item(LUTDescriptor=[3, 100, 12], LUTData=data)
    volume = written(tmp_path, files.instance(VOILUTSequence=sequence))
    assert volume.voi_lut is not None
    first, table = volume.voi_lut
    assert first == 100
    np.testing.assert_allclose(table, [0, 127.47, 255], atol=0.01)


def test_monochrome1_and_padding(tmp_path: Path) -> None:
    dataset = files.instance(
        PhotometricInterpretation="MONOCHROME1",
        RescaleSlope=1,
        RescaleIntercept=-10,
        PixelPaddingRangeLimit=-5,
    )
    dataset.add_new("PixelPaddingValue", "SS", -20)
    dataset["PixelPaddingRangeLimit"].VR = "SS"
    volume = written(tmp_path, dataset)
    assert volume.inverted
    assert volume.padding == (-30, -15)


@pytest.mark.parametrize(("modality", "units"), [("CT", "HU"), ("MR", "")])
def test_units_of_ct_are_hounsfield(tmp_path: Path, modality: str, units: str) -> None:
    dataset = files.instance(Modality=modality, RescaleSlope=1, RescaleIntercept=0)
    assert written(tmp_path, dataset).units == units


def colour(array: np.ndarray, **changes: Any) -> Dataset:
    bits = 8 * array.itemsize
    return files.instance(
        pixels=array,
        **{
            "SamplesPerPixel": 3,
            "PlanarConfiguration": 0,
            "PhotometricInterpretation": "RGB",
            "PixelRepresentation": 0,
            "BitsAllocated": bits,
            "BitsStored": bits,
            "HighBit": bits - 1,
            **changes,
        },
    )


def test_rgb_in_any_layout(tmp_path: Path) -> None:
    array = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    np.testing.assert_array_equal(written(tmp_path, colour(array)).array[0], array)
    planar = colour(array, PlanarConfiguration=1)
    planar.PixelData = array.transpose(2, 0, 1).tobytes() + b"\0"
    np.testing.assert_array_equal(written(tmp_path, planar).array[0], array)
    deep = array.astype(np.uint16) * 257
    np.testing.assert_array_equal(written(tmp_path, colour(deep)).array[0], array)


def test_ybr_becomes_rgb(tmp_path: Path) -> None:
    grey = np.full((4, 4, 3), 128, np.uint8)
    grey[..., 0] = 77
    volume = written(tmp_path, colour(grey, PhotometricInterpretation="YBR_FULL"))
    assert volume.is_colour
    assert np.abs(volume.array.astype(int) - 77).max() <= 1


def test_palette_becomes_rgb(tmp_path: Path) -> None:
    indices = (files.pixels(0) % 4).astype(np.uint8)
    dataset = files.instance(
        pixels=indices,
        PhotometricInterpretation="PALETTE COLOR",
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
    )
    tables = np.array([[0, 80, 160, 255], [255, 0, 1, 2], [9, 8, 7, 6]])
    for name, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", [4, 0, 16])
        data = (table.astype("<u2") << 8).tobytes()
        setattr(dataset, f"{name}PaletteColorLookupTableData", data)
    volume = written(tmp_path, dataset)
    np.testing.assert_array_equal(volume.array[0], tables.T[indices])
