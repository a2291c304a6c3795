"""Look-up tables, rescale and high bits: what is right, DCMTK's dcm2pnm or the standard says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dicom_files as files
import numpy as np
import oracles
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tumorviewer.imaging import display
from tumorviewer.study import Volume, Window, open_paths


def loaded(path: Path) -> Volume:
    opened = open_paths([path])
    assert not opened.refused
    return opened.studies[0].series[0].volumes[0].load()


def lut(descriptor: list[int], table: np.ndarray, vr: str) -> Sequence:
    """A LUT item whose descriptor is written with a VR that may not fit its sign."""
    item = Dataset()
    first = descriptor[1] % 65536 if vr == "US" else (descriptor[1] + 32768) % 65536 - 32768
    item.add_new(0x00283002, vr, [descriptor[0], first, descriptor[2]])
    item.add_new(0x00283006, "OW", table.tobytes())
    return Sequence([item])


RAMP = (np.indices((20, 24)).sum(0) * 6 - 128).astype(np.int16)


@pytest.mark.parametrize("vr", ["US", "SS"])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize(
    ("first", "stored", "intercept"),
    [(-128, RAMP, None), (-128, (RAMP + 128).astype(np.uint16), -128), (0, RAMP + 128, None)],
)
def test_a_voi_table_starts_where_dcmtk_has_it(
    tmp_path: Path, vr: str, syntax: Any, first: int, stored: np.ndarray, intercept: int | None
) -> None:
    table = np.arange(255, -1, -1, dtype=np.uint16)
    dataset = files.instance(pixels=stored, PixelRepresentation=int(stored.dtype.kind == "i"))
    if intercept is not None:
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, intercept
    dataset.VOILUTSequence = lut([256, first, 8], table, vr)
    path = files.save(dataset, tmp_path / "x.dcm", syntax)
    shown = display.grey(loaded(path), 0)
    expected = oracles.grey_by_dcmtk(path, "+Wl", "1").astype(int)
    np.testing.assert_allclose(shown, expected, atol=1)


@pytest.mark.parametrize("vr", ["US", "SS"])
def test_a_modality_table_of_signed_pixels_starts_below_zero(tmp_path: Path, vr: str) -> None:
    """PS3.3 C.11.1.1.1: the first mapped value is as signed as the pixels are."""
    table = (np.arange(300) * 3).astype(np.uint16)
    dataset = files.instance(pixels=RAMP)
    dataset.ModalityLUTSequence = lut([300, -100, 16], table, vr)
    dataset.ModalityLUTSequence[0].ModalityLUTType = "US"
    path = files.save(dataset, tmp_path / "x.dcm")
    volume = loaded(path)
    np.testing.assert_array_equal(volume.array[0], table[np.clip(RAMP + 100, 0, 299)])
    assert volume.units == ""


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_values_above_the_lowest_bits_are_shifted_down(
    tmp_path: Path, signed: bool, compressed: bool
) -> None:
    wanted = (files.pixels(0) % 1500 - 700 * signed).astype(np.int16 if signed else np.uint16)
    dataset = files.instance(
        pixels=(wanted << 4) | 5, BitsStored=12, HighBit=15, PixelRepresentation=int(signed)
    )
    if compressed:
        dataset.compress("1.2.840.10008.1.2.5")
    path = files.save(dataset, tmp_path / "x.dcm")
    volume = loaded(path)
    np.testing.assert_array_equal(volume.array[0], wanted)
    low, high = int(wanted.min()), int(wanted.max())
    window = Window((low + high) / 2, high - low, function="LINEAR_EXACT")
    expected = oracles.grey_by_dcmtk(path, "+Wm").astype(int)
    np.testing.assert_allclose(display.render_slice(volume, 0, window), expected, atol=2)


@pytest.mark.parametrize(("stored", "high"), [(12, 3), (12, 16), (16, 0)])
def test_an_impossible_high_bit_is_refused(tmp_path: Path, stored: int, high: int) -> None:
    dataset = files.instance(BitsStored=stored, HighBit=high)
    (refused,) = open_paths([files.save(dataset, tmp_path / "x.dcm")]).refused
    assert "not possible" in refused.reason


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
@pytest.mark.parametrize("value", [b"-1024,5", b"text", b"1e38", b"nan", b"inf", b"0"])
def test_a_rescale_that_is_no_number_leaves_raw_values_without_unit(
    tmp_path: Path, keyword: str, value: bytes
) -> None:
    dataset = files.instance(Modality="CT", RescaleSlope="1", RescaleIntercept="-1024")
    path = files.save(dataset, tmp_path / "x.dcm")
    tag = {"RescaleSlope": b"\x28\x00\x53\x10DS", "RescaleIntercept": b"\x28\x00\x52\x10DS"}[
        keyword
    ]
    content = path.read_bytes()
    at = content.index(tag)
    length = int.from_bytes(content[at + 6 : at + 8], "little")
    padded = value + b" " * (len(value) % 2)
    head = tag + len(padded).to_bytes(2, "little") + padded
    path.write_bytes(content[:at] + head + content[at + 8 + length :])
    volume = loaded(path)
    if (keyword, value) == ("RescaleIntercept", b"0"):
        assert volume.units == "HU"
        return
    np.testing.assert_array_equal(volume.array[0], files.pixels(0))
    assert volume.units == ""
    assert [note.code for note in volume.notes] == ["rescale_not_usable"]


def test_padding_has_the_sign_of_the_pixels_whatever_its_vr(tmp_path: Path) -> None:
    dataset = files.instance()
    dataset.add_new("PixelPaddingValue", "US", 65536 - 2000)
    assert loaded(files.save(dataset, tmp_path / "x.dcm")).padding == (-2000, -2000)


def test_pixel_aspect_ratio_is_height_to_width(tmp_path: Path) -> None:
    """PS3.3 C.7.6.3.1.7: vertical over horizontal size of a pixel."""
    bare = dict.fromkeys(("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"))
    dataset = files.instance(PixelAspectRatio=["2", "1"], **bare)
    volume = loaded(files.save(dataset, tmp_path / "x.dcm"))
    assert volume.spacing()[1:] == (2, 1)


def test_what_lies_over_the_pixels_or_in_them_is_said(tmp_path: Path) -> None:
    dataset = files.instance(BurnedInAnnotation="YES", SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    dataset.add_new(0x60020010, "US", 20)
    dataset.add_new(0x60020011, "US", 24)
    dataset.add_new(0x60023000, "OW", bytes(60))
    volume = loaded(files.save(dataset, tmp_path / "x.dcm"))
    assert {note.code for note in volume.notes} == {
        "overlays_not_shown",
        "burned_in_annotation",
        "secondary_capture",
    }


@pytest.mark.parametrize("polarity", ["0", "2"])
def test_reversed_phase_encoding_of_ge_is_said(tmp_path: Path, polarity: str) -> None:
    dataset = files.instance()
    block = dataset.private_block(0x0019, "GEMS_ACQU_01", create=True)
    block.add_new(0x9C, "LO", "epi_pepolar")
    block.add_new(0xB3, "DS", polarity)
    volume = loaded(files.save(dataset, tmp_path / "x.dcm"))
    expected = ["reversed_phase_encoding"] if polarity == "2" else []
    assert [note.code for note in volume.notes] == expected


@pytest.mark.parametrize("start", [b"MZ", b"\x7fELF", b"<html>", b"#!/bin/sh\n"])
def test_a_file_that_is_also_a_program_is_read_and_said(tmp_path: Path, start: bytes) -> None:
    path = files.save(files.instance(), tmp_path / "x.dcm")
    path.write_bytes(start.ljust(128, b"\0") + path.read_bytes()[128:])
    volume = loaded(path)
    assert [note.code for note in volume.notes] == ["preamble"]
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    np.testing.assert_array_equal(volume.array, expected)
