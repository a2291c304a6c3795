"""Encapsulated pixel data (PS3.5 A.4): where each frame lies, and what its codec says of it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    UID,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.study.dicom.elements import read_value
from tumorviewer.study.dicom.header import COPY_AGAIN, PixelElement

_ITEM, _END = 0xFFFEE000, 0xFFFEE0DD
_END_OF_IMAGE = b"\xff\xd9"
JPEG_START, _J2K_START = b"\xff\xd8", b"\xff\x4f\xff\x51"
_STARTS_OF_FRAME = {
    0xC0: JPEGBaseline8Bit,
    0xC1: JPEGExtended12Bit,
    0xC2: JPEGExtended12Bit,
    0xC3: JPEGLossless,
    0xF7: JPEGLSNearLossless,
}
_HEAD = 64 << 10

Span = tuple[int, int]


def find_frame_spans(
    path: Path, source: str, dataset: Dataset, element: PixelElement, frames: int
) -> tuple[tuple[Span, ...], ...]:
    """Find the pieces of each encoded frame.

    Parameters
    ----------
    path, source
        The file, and what the user knows it as.
    dataset
        Its header, for the Extended Offset Table.
    element
        Its pixel data.
    frames
        How many frames it declares.

    Returns
    -------
    tuple of tuple of (int, int)
        For each frame, offsets and lengths in the file.

    Raises
    ------
    InputError
        If the pixel data are cut short, or cannot hold as many frames.
    """
    with path.open("rb") as file:
        file.seek(element.offset)
        pieces = list(_items(file, source, element.offset + element.available))
        if not pieces:
            raise InputError(source, tr("It holds no pixels."), tr(COPY_AGAIN))
        (table_at, table_length), *fragments = pieces
        if len(fragments) < frames:
            raise InputError(
                source,
                tr(
                    "It holds {fragments} of the {frames} frames that it declares.",
                    fragments=len(fragments),
                    frames=frames,
                ),
            )
        if frames == 1:
            return (tuple(fragments),)
        if len(fragments) == frames:
            return tuple((fragment,) for fragment in fragments)
        file.seek(table_at)
        starts = _offsets(dataset, file.read(table_length))
        base = table_at + table_length + 8
        found = _by_offset(fragments, {base + start for start in starts})
        if len(found) != frames:
            found = _by_end_marker(file, fragments)
    if len(found) != frames:
        raise InputError(source, tr("Where its frames begin cannot be told."))
    return found


def _items(file: BinaryIO, source: str, end: int) -> Iterator[Span]:
    """Offset and length of every item's value, the Basic Offset Table first."""
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise _cut_short(source)
        group, element, length = struct.unpack("<HHI", head)
        if group << 16 | element == _END:
            return
        at = file.tell()
        if group << 16 | element != _ITEM or at + length > end:
            raise _cut_short(source)
        yield at, length
        file.seek(at + length)


def _cut_short(source: str) -> InputError:
    return InputError(source, tr("Its compressed pixels are cut short or damaged."), tr(COPY_AGAIN))


def _offsets(dataset: Dataset, basic: bytes) -> list[int]:
    extended = read_value(dataset, "ExtendedOffsetTable")
    table, width = (extended, 8) if isinstance(extended, bytes) else (basic, 4)
    return [int.from_bytes(table[at : at + width], "little") for at in range(0, len(table), width)]


def _by_offset(fragments: list[Span], starts: set[int]) -> tuple[tuple[Span, ...], ...]:
    frames: list[list[Span]] = []
    for at, length in fragments:
        if at in starts:
            frames.append([])
        if not frames:
            return ()
        frames[-1].append((at, length))
    return tuple(map(tuple, frames))


def _by_end_marker(file: BinaryIO, fragments: list[Span]) -> tuple[tuple[Span, ...], ...]:
    frames: list[list[Span]] = [[]]
    for at, length in fragments:
        frames[-1].append((at, length))
        file.seek(at + max(0, length - 10))
        if _END_OF_IMAGE in file.read(min(10, length)):
            frames.append([])
    return tuple(tuple(frame) for frame in frames if frame)


def read_spans(file: BinaryIO, spans: tuple[Span, ...]) -> bytes:
    """The bytes of one encoded frame."""
    parts = []
    for at, length in spans:
        file.seek(at)
        parts.append(file.read(length))
    return b"".join(parts)


def recognise_syntax(path: Path, spans: tuple[Span, ...]) -> UID | None:
    """The transfer syntax that a frame's own first bytes imply, if they do."""
    with path.open("rb") as file:
        file.seek(spans[0][0])
        head = file.read(min(_HEAD, spans[0][1]))
    if head.startswith(JPEG_START):
        return next((_STARTS_OF_FRAME[code] for code, _ in _segments(head)), None)
    if _J2K_START in head[:256]:
        return JPEG2000
    is_rle = len(head) >= 64 and 1 <= head[0] <= 15 and head[1:8] == b"\0\0\0\x40\0\0\0"
    return RLELossless if is_rle else None


@dataclass(frozen=True)
class StreamHeader:
    """What a compressed frame says of itself."""

    rows: int
    columns: int
    components: int
    precision: int
    """Bits of the first component."""


def read_stream_header(frame: bytes) -> StreamHeader | None:
    """Read the header of a JPEG, JPEG-LS or JPEG 2000 stream.

    Returns
    -------
    StreamHeader or None
        None if it is cut short or not one of these (ITU-T T.81 B.2.2, T.87 C.2.2, T.800 A.5.1).
    """
    try:
        if frame.startswith(JPEG_START):
            at = next((at for _, at in _segments(frame)), len(frame))
            precision, rows, columns, components = struct.unpack_from(">BHHB", frame, at + 4)
            return StreamHeader(rows, columns, components, precision)
        at = frame.find(_J2K_START, 0, _HEAD)
        right, bottom, left, top = struct.unpack_from(">4I", frame, at + 8)
        components, precision = struct.unpack_from(">HB", frame, at + 40)
    except struct.error:
        return None
    return StreamHeader(bottom - top, right - left, components, (precision & 0x7F) + 1)


def _segments(frame: bytes) -> Iterator[tuple[int, int]]:
    """Code and offset of each start-of-frame marker (ITU-T T.81 B.1.1)."""
    at = 2
    while at + 4 <= len(frame) and frame[at] == 0xFF:
        code = frame[at + 1]
        if code == 0xFF:
            at += 1
            continue
        if code in _STARTS_OF_FRAME:
            yield code, at
        if code in (0xD9, 0xDA):
            return
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
