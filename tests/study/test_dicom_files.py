"""Files as they come: without meta information, cut short, lying, or damaged."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path

import dicom_files as files
import numpy as np
import pydicom.data
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_modality_lut
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    SegmentationStorage,
)

from tumorviewer.errors import Cancelled, InputError
from tumorviewer.study import Opened, Volume, open_paths
from tumorviewer.study.dicom import jpeg
from tumorviewer.study.dicom.studies import format_person_name

BUNDLED = Path(pydicom.data.__file__).parent
"""Only what is inside the wheel: pydicom's own look-up would download the rest."""
LARGE = (64, 64)
"""Enough for the encoder of JPEG 2000."""
BROKEN = {
    "JPEG2000-embedded-sequence-delimiter.dcm": "damaged on purpose",
    "MR_truncated.dcm": "cut short on purpose",
    "liver_1frame.dcm": "a segmentation",
    "liver_expb_1frame.dcm": "a segmentation",
}


def load_all(opened: Opened) -> list[Volume]:
    """Every volume that can be loaded; any error but InputError is a failure."""
    volumes = []
    for study in opened.studies:
        for source in (one for series in study.series for one in series.volumes):
            try:
                volumes.append(source.load())
            except InputError as error:
                assert error.reason  # noqa: PT017
    return volumes


def refusal(path: Path) -> str:
    opened = open_paths([path])
    assert not opened.studies
    (refused,) = opened.refused
    return refused.reason


def test_all_files_that_pydicom_ships_open_or_are_refused() -> None:
    opened = open_paths([BUNDLED])
    assert len(load_all(opened)) > 40
    assert all(refused.reason for refused in opened.refused)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "path", sorted((BUNDLED / "test_files").glob("*.dcm")), ids=lambda path: path.name
)
def test_values_are_those_of_pydicom(path: Path) -> None:
    """Grey images of the bundled files, value by value; colour is compared elsewhere."""
    try:
        dataset = pydicom.dcmread(path, force=True)
        expected = apply_modality_lut(dataset.pixel_array, dataset)
    except (AttributeError, KeyError, RuntimeError, ValueError):
        return
    if path.name in BROKEN or dataset.get("Modality") == "RTDOSE":
        return
    (volume,) = load_all(open_paths([path]))
    if not volume.is_colour:
        shown = volume.array.reshape(expected.shape)
        np.testing.assert_allclose(shown, expected, rtol=1e-6)
    elif expected.dtype == np.uint8 and expected.ndim > 2:
        np.testing.assert_array_equal(volume.array.reshape(expected.shape), expected)


def test_twelve_bit_jpeg_extended() -> None:
    (volume,) = load_all(open_paths([BUNDLED / "test_files" / "JPGExtended.dcm"]))
    assert (volume.array[0, 420, 140], volume.array[0, 230, 120]) == (244, 95)


def test_without_preamble_or_meta_information(tmp_path: Path) -> None:
    path = tmp_path / "bare"
    dataset = files.instance()
    del dataset.file_meta
    dataset.save_as(path, implicit_vr=True, little_endian=True)
    (volume,) = load_all(open_paths([path]))
    np.testing.assert_array_equal(volume.array[0], files.pixels(0))
    assert "transfer syntax" in volume.notes[0]


@pytest.mark.parametrize(
    ("name", "group"),
    [("chrH31.dcm", "山田 太郎"), ("chrRuss.dcm", "Люкceмбypг"), ("chrX1.dcm", "小東")],
)
def test_names_in_other_characters(name: str, group: str) -> None:
    (study,) = open_paths([BUNDLED / "charset_files" / name]).studies
    assert group in study.patient_name


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("Doe^Jane^^Dr", "Doe Jane Dr"),
        ("", ""),
        ("=山田^太郎", "山田 太郎"),
        ("A^B=C^D=E", "A B (C D, E)"),
    ],
)
def test_names_are_shown_without_carets(stored: str, shown: str) -> None:
    assert format_person_name(stored) == shown


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_malformed_values_do_not_keep_a_series_from_opening(tmp_path: Path) -> None:
    dataset = files.instance(StudyDate="2024-13-99", PatientBirthDate="unknown", EchoTime="")
    dataset.add_new("SliceThickness", "LO", "thin")
    dataset.add_new("WindowCenter", "LO", "40\\x")
    dataset.add_new("SeriesNumber", "LO", "four")
    opened = open_paths([files.save(dataset, tmp_path / "x.dcm")])
    (study,) = opened.studies
    assert study.date == ""
    assert study.series[0].number is None
    assert load_all(opened)[0].windows == ()


@pytest.mark.parametrize(
    ("keyword", "value", "said"),
    [
        ("Rows", None, "Rows"),
        ("Rows", 0, "Rows"),
        ("BitsAllocated", 12, "bits"),
        ("BitsStored", 40, "bits"),
        ("SamplesPerPixel", 4, "colours"),
        ("PhotometricInterpretation", "CMYK", "colours"),
        ("NumberOfFrames", -3, "frames"),
        ("NumberOfFrames", 2_000_000_000, "declares"),
        ("PixelData", None, "pixels"),
    ],
)
def test_impossible_images_are_refused_with_the_reason(
    tmp_path: Path, keyword: str, value: object, said: str
) -> None:
    path = files.save(files.instance(**{keyword: value}), tmp_path / "x.dcm")
    assert said in refusal(path)


def test_what_is_not_a_picture_is_named_and_is_no_error(tmp_path: Path) -> None:
    path = files.save(files.instance(SOPClassUID=SegmentationStorage), tmp_path / "seg.dcm")
    opened = open_paths(
        [path, BUNDLED / "test_files" / "test-SR.dcm", BUNDLED / "test_files" / "rtplan.dcm"]
    )
    for name, refused in zip(("Seg", "Comprehensive SR", "RT Plan"), opened.refused, strict=True):
        assert name in refused.reason
        assert not refused.is_error


@pytest.mark.parametrize("syntax", ["plain", "rle"])
def test_cut_at_any_byte_never_opens(tmp_path: Path, syntax: str) -> None:
    dataset = files.instance()
    if syntax == "rle":
        dataset.compress(RLELossless)
    path = files.save(dataset, tmp_path / "x.dcm")
    content = path.read_bytes()
    for end in [*range(0, len(content), 37), len(content) - 1]:
        path.write_bytes(content[:end])
        opened = open_paths([path])
        assert not opened.studies
        assert all(refused.is_error for refused in opened.refused)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    data=st.data(),
    name=st.sampled_from(
        [
            "MR_small_RLE.dcm",
            "SC_rgb_jpeg_gdcm.dcm",
            "MR_small_jpeg_ls_lossless.dcm",
            "MR_small_jp2klossless.dcm",
            "image_dfl.dcm",
        ]
    ),
)
def test_changed_bytes_never_crash(tmp_path: Path, data: st.DataObject, name: str) -> None:
    content = bytearray((BUNDLED / "test_files" / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(128, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "x.dcm"
    path.write_bytes(content)
    load_all(open_paths([path]))


def test_small_files_cannot_ask_for_much_memory(tmp_path: Path) -> None:
    big = {"Rows": 9000, "Columns": 9000, "NumberOfFrames": 500}
    native = files.save(files.instance(**big), tmp_path / "native.dcm")
    rle = files.instance(**big)
    rle.PixelData = encapsulate([b"\1\0\0\0\x40" + bytes(70)] * 500)
    rle["PixelData"].is_undefined_length = True
    rle_path = files.save(rle, tmp_path / "rle.dcm", RLELossless)
    tracemalloc.start()
    opened = open_paths([native, rle_path])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not opened.studies
    assert len(opened.refused) == 2
    assert peak < 20e6


def test_a_deflated_bomb_is_not_inflated(tmp_path: Path) -> None:
    path = files.save(files.instance(Rows=20, Columns=24), tmp_path / "x.dcm")
    content = path.read_bytes()
    meta_end = 144 + struct.unpack("<I", content[140:144])[0]
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(content[meta_end:-960])
    packed += b"".join(packer.compress(bytes(1 << 20)) for _ in range(100)) + packer.flush()
    meta = pydicom.filereader.read_file_meta_info(path)
    assert meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    head = content[:meta_end].replace(
        b"\x14\x001.2.840.10008.1.2.1\0", b"\x16\x001.2.840.10008.1.2.1.99"
    )
    group = struct.pack("<I", meta_end - 144 + 2)
    path.write_bytes(head[:140] + group + head[144:] + packed)
    tracemalloc.start()
    load_all(open_paths([path]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6


def damaged_series(folder: Path, bad: set[int]) -> Path:
    """Compressed slices, some of them with a stream that does not decode."""
    for index in range(5):
        dataset = files.instance(index, pixels=files.pixels(index, LARGE))
        dataset.compress(JPEG2000Lossless)
        if index in bad:
            stream = bytearray(dataset.PixelData)
            stream[-60:-20] = bytes(40)
            stream[120:200] = b"\xff" * 80
            dataset.PixelData = bytes(stream)
        files.save(dataset, folder / f"{index}.dcm")
    return folder


def test_a_slice_that_does_not_decode_stays_blank_and_is_said(tmp_path: Path) -> None:
    (volume,) = load_all(open_paths([damaged_series(tmp_path, {3})]))
    assert volume.missing == (3,)
    assert volume.notes[-1].startswith("4 of 5 slices are shown. Left blank: slice 4.")
    assert (volume.array[3] == 0).all()
    np.testing.assert_array_equal(volume.array[4], files.pixels(4, LARGE))


def test_if_none_decodes_the_volume_is_refused(tmp_path: Path) -> None:
    opened = open_paths([damaged_series(tmp_path, set(range(5)))])
    with pytest.raises(InputError, match="JPEG 2000"):
        opened.studies[0].series[0].volumes[0].load()


def test_files_that_vanish_after_opening_are_refused(tmp_path: Path) -> None:
    opened = open_paths([files.series(tmp_path, 2)])
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(InputError):
        opened.studies[0].series[0].volumes[0].load()


def test_loading_tells_the_middle_first_and_can_be_cancelled(tmp_path: Path) -> None:
    (study,) = open_paths([files.series(tmp_path, 5)]).studies
    (source,) = study.series[0].volumes
    told: list[int] = []

    def progress(volume: Volume, index: int) -> None:
        np.testing.assert_array_equal(volume.array[index], files.pixels(index))
        told.append(index)
        if len(told) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        source.load(progress)
    assert told[0] == 2


@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize("has_table", [True, False])
def test_frames_are_found_with_and_without_offset_table(
    tmp_path: Path, fragments: int, has_table: bool
) -> None:
    single = files.instance(pixels=files.pixels(0, LARGE), PixelRepresentation=0)
    single.compress(JPEG2000Lossless)
    first = next(pydicom.encaps.generate_frames(single.PixelData, number_of_frames=1))
    other = files.instance(pixels=files.pixels(1, LARGE), PixelRepresentation=0)
    other.compress(JPEG2000Lossless)
    second = next(pydicom.encaps.generate_frames(other.PixelData, number_of_frames=1))
    single.NumberOfFrames = 2
    del single.ImagePositionPatient
    single.PixelData = encapsulate([first, second], fragments, has_bot=has_table)
    (volume,) = load_all(open_paths([files.save(single, tmp_path / "x.dcm")]))
    np.testing.assert_array_equal(volume.array, [files.pixels(0, LARGE), files.pixels(1, LARGE)])


@pytest.mark.parametrize("claimed", [JPEGBaseline8Bit, JPEGLSLossless])
def test_uncompressed_pixels_that_claim_to_be_compressed(tmp_path: Path, claimed: str) -> None:
    path = files.save(files.instance(), tmp_path / "x.dcm")
    content = path.read_bytes()
    meta_end = 144 + struct.unpack("<I", content[140:144])[0]
    stated = claimed.encode() + b"\0" * (len(claimed) % 2)
    changed = struct.pack("<H", len(stated)) + stated
    head = content[:meta_end].replace(b"\x14\x001.2.840.10008.1.2.1\0", changed)
    group = struct.pack("<I", len(head) - 144)
    path.write_bytes(head[:140] + group + head[144:] + content[meta_end:])
    (volume,) = load_all(open_paths([path]))
    np.testing.assert_array_equal(volume.array[0], files.pixels(0))
    assert "uncompressed" in volume.notes[0]


def test_a_stream_of_another_size_is_not_given_to_a_decoder(tmp_path: Path) -> None:
    dataset = files.instance(pixels=files.pixels(0, LARGE))
    dataset.compress(JPEG2000Lossless)
    dataset.Rows = 4000
    opened = open_paths([files.save(dataset, tmp_path / "x.dcm")])
    with pytest.raises(InputError):
        opened.studies[0].series[0].volumes[0].load()


class TestJpegStructure:
    @pytest.fixture
    def stream(self) -> bytes:
        dataset = pydicom.dcmread(BUNDLED / "test_files" / "SC_rgb_jpeg_gdcm.dcm")
        assert dataset.file_meta.TransferSyntaxUID == JPEGLosslessSV1
        return next(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=1))

    def test_accepts_what_is_whole(self, stream: bytes) -> None:
        jpeg.check_structure(stream)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"\x00\xff\xc3", b"\x73\xff\xc3"),  # unknown Adobe transform: GDCM aborts
            (b"\xff\xc3\x00\x11", b"\xff\xc3\x00\x0b"),
            (b"\x52\x11", b"\x52\x91"),
            (b"\xff\xc3", b"\xff\xc9"),
            (b"\xff\xc4\x00\x17\x00", b"\xff\xc4\x00\x17\x44"),
            (b"\xff\xd9", b"\xff\x00"),
            (b"\xff\xda", b"\xff\xdf"),
        ],
    )
    def test_refuses_what_is_not(self, stream: bytes, old: bytes, new: bytes) -> None:
        assert old in stream
        with pytest.raises(ValueError, match="JPEG"):
            jpeg.check_structure(stream.replace(old, new))

    def test_refuses_what_is_cut_short(self, stream: bytes) -> None:
        for end in range(2, len(stream), 101):
            with pytest.raises(ValueError, match="JPEG"):
                jpeg.check_structure(stream[:end])
