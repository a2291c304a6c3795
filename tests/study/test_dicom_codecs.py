"""Compressed pixels that some decoders refuse: DCMTK's dcmdjpeg, or what was encoded, is right."""

from __future__ import annotations

import struct
from pathlib import Path

import dicom_files as files
import numpy as np
import oracles
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames

from tumorviewer.errors import InputError
from tumorviewer.study import Volume, open_paths

RAMP = (np.indices((64, 64)).sum(0) * 30).astype(np.uint16)


def loaded(path: Path) -> Volume:
    opened = open_paths([path])
    assert not opened.refused
    return opened.studies[0].series[0].volumes[0].load()


def decoded_by_dcmtk(path: Path, folder: Path) -> np.ndarray:
    out = folder / "decoded.dcm"
    oracles.run_tool("dcmdjpeg", path, out)
    return dcmread(out).pixel_array


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize(
    ("option", "syntax"),
    [("+ee", ".51"), ("+es", ".53"), ("+ep", ".55"), ("+el", ".57"), ("+e1", ".70")],
)
def test_every_process_of_jpeg(tmp_path: Path, option: str, syntax: str, bits: int) -> None:
    """Also the retired processes 6, 8, 10 and 12."""
    pixels = RAMP if bits == 12 else (RAMP // 16).astype(np.uint8)
    allocated = 8 * pixels.itemsize
    dataset = files.instance(
        pixels=pixels,
        BitsAllocated=allocated,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=0,
    )
    path = tmp_path / "jpeg.dcm"
    oracles.run_tool("dcmcjpeg", option, files.save(dataset, tmp_path / "plain.dcm"), path)
    assert dcmread(path).file_meta.TransferSyntaxUID.endswith(syntax)
    volume = loaded(path)
    assert volume.notes == ()
    expected = decoded_by_dcmtk(path, tmp_path).astype(int)
    np.testing.assert_allclose(volume.array[0], expected, atol=1)
    np.testing.assert_allclose(volume.array[0], pixels, atol=3)


@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "JPGExtended.dcm"])
def test_a_sequential_scan_that_states_another_selection(tmp_path: Path, name: str) -> None:
    """NEMA's samples state 0 to 0 where T.81 B.2.3 allows 0 to 63 alone."""
    path = Path(get_testdata_file(name))
    np.testing.assert_array_equal(loaded(path).array[0], decoded_by_dcmtk(path, tmp_path))


def segment(kind: int, *body: bytes) -> bytes:
    content = bytes([kind]) + b"".join(body)
    return b"\xff\xf8" + struct.pack(">H", len(content) + 2) + content


@pytest.mark.parametrize(
    ("added", "is_decodable"),
    [
        (segment(1, struct.pack(">5H", 65535, 18, 67, 276, 64)), True),
        (segment(1, struct.pack(">5H", 0, 0, 0, 0, 0)), True),
        (segment(2, bytes([1, 1, 0, 0])), True),
        (segment(4, struct.pack(">BHH", 2, 64, 64)), True),
        (segment(4, struct.pack(">BHH", 2, 64, 65)), False),
    ],
)
def test_jpeg_ls_with_parameter_segments(tmp_path: Path, added: bytes, is_decodable: bool) -> None:
    """T.87 C.2.4.1: preset parameters, a mapping table that no scan uses, the size once more."""
    dataset = dcmread(get_testdata_file("MR_small_jpeg_ls_lossless.dcm"))
    wanted = dataset.pixel_array
    stream = next(generate_frames(dataset.PixelData, number_of_frames=1))
    at = stream.index(b"\xff\xda")
    dataset.PixelData = encapsulate([stream[:at] + added + stream[at:]])
    dataset.save_as(tmp_path / "x.dcm")
    if is_decodable:
        np.testing.assert_array_equal(loaded(tmp_path / "x.dcm").array[0], wanted)
    else:
        with pytest.raises(InputError):
            loaded(tmp_path / "x.dcm")
