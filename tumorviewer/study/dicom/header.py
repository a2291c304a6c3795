"""One DICOM file up to its pixels: read tolerantly, repaired where only one reading is possible."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_partial
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from tumorviewer.errors import InputError
from tumorviewer.study import limits
from tumorviewer.study.dicom.elements import PARSER_ERRORS, text

UNDEFINED_LENGTH = 0xFFFFFFFF
COPY_AGAIN = "Copy it again from where it came from."
_PIXEL_KEYWORDS = {
    0x7FE00008: "FloatPixelData",
    0x7FE00009: "DoubleFloatPixelData",
    0x7FE00010: "PixelData",
}
_LARGE_ELEMENT = 256 << 10
"""Larger ones, mostly private, are left in the file."""
_INFLATED_HEADER = 16 << 20


@dataclass(frozen=True)
class PixelElement:
    """Where the pixels of a file are."""

    keyword: str
    """``PixelData``, ``FloatPixelData`` or ``DoubleFloatPixelData``."""
    vr: str
    offset: int
    """Of the first byte of the value; in the inflated data set if the file is deflated."""
    length: int
    """As stated; `UNDEFINED_LENGTH` if encapsulated."""
    available: int
    """Bytes from `offset` to the end of what there is."""


@dataclass(frozen=True)
class Header:
    """The elements of a file before its pixels, and where those are."""

    path: Path
    source: str
    dataset: Dataset
    syntax: UID
    """Transfer syntax; of the encoding that was found if the file does not state one."""
    pixels: PixelElement | None
    notes: tuple[str, ...]


def read_header(path: Path, source: str) -> Header:
    """Read the elements of a DICOM file that come before its pixels.

    Parameters
    ----------
    path, source
        Where it is, and what the user knows it as.

    Raises
    ------
    InputError
        If it is not DICOM, or cannot be read or parsed.
    """
    size = limits.check_regular_file(path, source)
    try:
        with path.open("rb") as file:
            deflated_from = _deflated_from(file)
            if deflated_from is None:
                return _read_plain(file, size, path, source)
            return _read_deflated(file, deflated_from, path, source)
    except PARSER_ERRORS as error:
        raise _not_readable(source, error) from error


def _not_readable(source: str, error: Exception) -> InputError:
    if isinstance(error, OSError) and error.errno is not None:
        return limits.unreadable(source, error)
    return InputError(source, "It is damaged, or it is not a DICOM file.", COPY_AGAIN)


def inflate(file: BinaryIO, start: int, needed: int) -> bytes:
    """The first `needed` bytes of a deflated data set (PS3.5 A.5), or all if there are fewer.

    Parameters
    ----------
    file
        The file.
    start
        Where its data set begins.
    needed
        The most that is inflated, so that a small file cannot fill the memory.
    """
    file.seek(start)
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(file.read(), needed)


def deflated_start(path: Path) -> int:
    """Where the deflated data set of a file begins."""
    with path.open("rb") as file:
        return _deflated_from(file) or 0


def _deflated_from(file: BinaryIO) -> int | None:
    """Where a deflated data set begins, from the group length; None if it is not deflated."""
    head = file.read(1024)
    file.seek(0)
    uid = DeflatedExplicitVRLittleEndian.encode()
    at = head.find(b"\x02\x00\x10\x00UI", 132)
    stated = head[at + 8 : at + 8 + len(uid) + 1].rstrip(b"\0 ")
    if at < 0 or stated != uid or head[132:140] != b"\x02\x00\x00\x00UL\x04\x00":
        return None
    return 144 + int.from_bytes(head[140:144], "little")


def _at_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag in _PIXEL_KEYWORDS


def _read_plain(file: BinaryIO, size: int, path: Path, source: str) -> Header:
    dataset = read_partial(file, _at_pixels, defer_size=_LARGE_ELEMENT, force=True)
    if not len(dataset):
        raise InputError(source, "It is damaged, or it is not a DICOM file.", COPY_AGAIN)
    stated = text(dataset.file_meta, "TransferSyntaxUID")
    notes = () if stated else ("The file does not state its transfer syntax; it was recognised.",)
    syntax = UID(stated) if stated else _found_syntax(dataset)
    return Header(path, source, dataset, syntax, _find_pixels(file, dataset, size), notes)


def _read_deflated(file: BinaryIO, start: int, path: Path, source: str) -> Header:
    inflated = inflate(file, start, _INFLATED_HEADER)
    stream = io.BytesIO(inflated)
    dataset = read_dataset(
        stream,
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=_at_pixels,
    )
    # what lies beyond the header is inflated, and found to be too short, when it is loaded
    pixels = _find_pixels(stream, dataset, 1 << 62)
    return Header(path, source, dataset, DeflatedExplicitVRLittleEndian, pixels, ())


def _found_syntax(dataset: Dataset) -> UID:
    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _find_pixels(stream: BinaryIO, dataset: Dataset, size: int) -> PixelElement | None:
    """Parse the element at which the reading stopped (PS3.5 7.1.2)."""
    implicit, little = dataset.original_encoding
    order = "<" if little is not False else ">"
    start = stream.tell()
    head = stream.read(12)
    if len(head) < 8:
        return None
    group, element = struct.unpack(f"{order}HH", head[:4])
    keyword = _PIXEL_KEYWORDS.get(group << 16 | element)
    if keyword is None:
        return None
    vr = "OW" if implicit else head[4:6].decode("ascii", "replace")
    at = 4 if implicit else 8
    (length,) = struct.unpack(f"{order}I", head[at : at + 4].ljust(4, b"\0"))
    offset = start + at + 4
    return PixelElement(keyword, vr, offset, length, max(0, size - offset))
