"""One DICOM file up to its pixels: read tolerantly, repaired where only one reading is possible."""

from __future__ import annotations

import io
import itertools
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from tumorviewer.errors import InputError
from tumorviewer.language import later, tr
from tumorviewer.study import limits
from tumorviewer.study.dicom.elements import PARSER_ERRORS, read_text
from tumorviewer.study.notes import Note, make_note

UNDEFINED_LENGTH = 0xFFFFFFFF
NOT_DICOM = later("It is damaged, or it is not a DICOM image.")
COPY_AGAIN = later("Copy it again from where it came from.")
_PIXEL_KEYWORDS = {
    0x7FE00008: "FloatPixelData",
    0x7FE00009: "DoubleFloatPixelData",
    0x7FE00010: "PixelData",
}
_PIXEL_VRS = (b"OB", b"OW", b"OF", b"OD", b"UN")
_PREAMBLE = 128
_PROGRAMS = (b"MZ", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"#!", b"<", b"%PDF")
"""What a preamble (PS3.10 7.1) begins with that something else than a viewer would run."""
_LARGE_ELEMENT = 256 << 10
"""Larger ones, mostly private, are left in the file."""
_INFLATED_HEADER = 16 << 20
_MAX_ELEMENTS = 100_000
"""Of the top level, before the pixels."""


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
    meta: Dataset
    """File meta information (PS3.10 7.1)."""
    syntax: UID
    """Transfer syntax; of the encoding that was found if the file does not state one."""
    pixels: PixelElement | None
    notes: tuple[Note, ...]


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
            preamble = file.read(_PREAMBLE)
            file.seek(0)
            meta, start = _read_meta(file)
            stated = UID(read_text(meta, "TransferSyntaxUID"))
            stream, end = _data_set(file, start, size, stated)
            dataset = read_dataset(
                stream,
                *_encoding(stream, stated),
                stop_when=_until_pixels(),
                defer_size=_LARGE_ELEMENT,
            )
            pixels = _find_pixels(stream, dataset, end)
    except PARSER_ERRORS as error:
        raise _not_readable(source, error) from error
    if not len(dataset):
        raise InputError(source, tr(NOT_DICOM), tr(COPY_AGAIN))
    text = later("The file does not state its transfer syntax; it was recognised.")
    notes: tuple[Note, ...] = () if stated else (make_note("transfer_syntax_recognised", text),)
    if preamble.lstrip().startswith(_PROGRAMS):
        text = later("The file is also a program or a page: what stands before its DICOM part.")
        notes += (make_note("preamble", text),)
    return Header(path, source, dataset, meta, stated or _found_syntax(dataset), pixels, notes)


def _not_readable(source: str, error: Exception) -> InputError:
    if isinstance(error, OSError) and error.errno is not None:
        return limits.describe_unreadable(source, error)
    return InputError(source, tr(NOT_DICOM), tr(COPY_AGAIN))


def inflate_data_set(file: BinaryIO, start: int, needed: int) -> bytes:
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


def open_data_set(path: Path, syntax: UID, needed: int) -> BinaryIO:
    """A stream in which the offsets of a :class:`PixelElement` hold.

    Parameters
    ----------
    path
        The file.
    syntax
        Its transfer syntax.
    needed
        How many bytes of it are going to be read.
    """
    file = path.open("rb")
    if syntax != DeflatedExplicitVRLittleEndian:
        return file
    with file:
        return io.BytesIO(inflate_data_set(file, _read_meta(file)[1], needed))


def _read_meta(file: BinaryIO) -> tuple[Dataset, int]:
    """The file meta information, empty if there is none, and where the data set begins."""
    is_bare = file.read(132)[128:] != b"DICM"
    if is_bare:
        file.seek(0)
    meta = read_dataset(
        file,
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, _vr, _length: tag >> 16 != 2,
    )
    return meta, file.tell()


def _data_set(file: BinaryIO, start: int, size: int, syntax: UID) -> tuple[BinaryIO, int]:
    """A stream positioned at the data set, and where it ends."""
    if syntax != DeflatedExplicitVRLittleEndian:
        file.seek(start)
        return file, size
    # only the header is inflated now: loading tells whether the rest is there
    return io.BytesIO(inflate_data_set(file, start, _INFLATED_HEADER)), sys.maxsize


def _encoding(stream: BinaryIO, syntax: UID) -> tuple[bool, bool]:
    """Whether VRs are implicit and whether numbers are little endian.

    Without a transfer syntax both are told from the first element, which is of a group below 0100.
    """
    if syntax:
        return syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    start = stream.tell()
    head = stream.read(6)
    stream.seek(start)
    is_implicit = not head[4:6].isalpha()
    return is_implicit, is_implicit or head[:1] != b"\0"


def _until_pixels() -> Callable[[BaseTag, str | None, int], bool]:
    """Stops a reader at the pixels, and one that is lost among zeros or noise by an error."""
    count = itertools.count()

    def stop(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        if next(count) > _MAX_ELEMENTS:
            raise ValueError("more elements than any header has")
        return tag in _PIXEL_KEYWORDS

    return stop


def _found_syntax(dataset: Dataset) -> UID:
    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _find_pixels(stream: BinaryIO, dataset: Dataset, size: int) -> PixelElement | None:
    """Parse the element at which the reading stopped (PS3.5 7.1.2).

    Whether its VR is explicit is told from its bytes: a VR of pixel data, read as a length, would
    be odd, which lengths never are.
    """
    little = dataset.original_encoding[1] is not False
    start = stream.tell()
    head = stream.read(12)
    if len(head) < 8:
        return None
    group, element = struct.unpack("<HH" if little else ">HH", head[:4])
    keyword = _PIXEL_KEYWORDS.get(group << 16 | element)
    if keyword is None:
        return None
    is_explicit = head[4:6] in _PIXEL_VRS
    at = 8 if is_explicit else 4
    length = int.from_bytes(head[at : at + 4], "little" if little else "big")
    vr = head[4:6].decode("ascii") if is_explicit else "OW"
    offset = start + at + 4
    return PixelElement(keyword, vr, offset, length, max(0, size - offset))
