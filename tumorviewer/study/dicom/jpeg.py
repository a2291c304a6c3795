"""The structure of a JPEG or JPEG-LS stream, put right and checked before a decoder sees it.

GDCM ends the whole program on some damaged headers. What is allowed for it here is a subset of
ITU-T T.81 annex B: sequential, progressive and lossless Huffman streams, whose marker segments are
all complete and consistent.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

_SEQUENTIAL, _PROGRESSIVE, _LOSSLESS = (0xC0, 0xC1), (0xC2,), (0xC3,)
_FRAMES = (*_SEQUENTIAL, *_PROGRESSIVE, *_LOSSLESS)
_LS_FRAME, _LS_PARAMETERS = 0xF7, 0xF8
_LS_PRESET, _LS_OVERSIZE = 1, 4
_MOST_APPROXIMATION = 13
_HUFFMAN_TABLES, _END, _SCAN, _QUANTISATION, _RESTART = 0xC4, 0xD9, 0xDA, 0xDB, 0xDD
_IGNORED = (*range(0xE0, 0xF0), 0xFE)
_NEXT_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""Not a stuffed byte and not a restart."""


def repair_stream(stream: bytes) -> bytes:
    """A stream without what decoders stumble over and only one reading is possible of.

    The scan of a sequential JPEG has one spectral selection, 0 to 63, whatever its header says
    (T.81 B.2.3). A JPEG-LS stream may repeat its size in a parameter segment, or hold mapping
    tables that no scan uses (T.87 C.2.4.1).
    """
    pieces, kept, frame = [], 0, b""
    segments = list(_located_segments(stream))
    uses_table = any(m == _SCAN and any(body[2:-3:2]) for m, body, _, _ in segments)
    codes = {marker for marker, *_ in segments}
    for marker, body, start, end in segments:
        if marker == _LS_FRAME:
            frame = body
        if marker == _SCAN and codes & {*_SEQUENTIAL} and len(body) >= 3:
            pieces += [stream[kept : end - 3], bytes((0, 63, 0))]
        elif marker == _LS_PARAMETERS and _is_idle(body, frame, uses_table):
            pieces.append(stream[kept:start])
        else:
            continue
        kept = end
    return b"".join([*pieces, stream[kept:]])


def _is_idle(body: bytes, frame: bytes, uses_table: bool) -> bool:
    """Whether a JPEG-LS parameter segment changes nothing."""
    if not body or body[0] == _LS_PRESET:
        return False
    if body[0] != _LS_OVERSIZE:
        return not uses_table
    width = body[1] if len(body) > 1 else 0
    sizes = [int.from_bytes(body[at : at + width], "big") for at in (2, 2 + width)]
    return sizes == [int.from_bytes(frame[at : at + 2], "big") for at in (1, 3)]


def check_structure(stream: bytes) -> None:
    """Raise ValueError unless a stream is whole and of a kind that GDCM decodes safely."""
    reader = _Reader()
    for marker, body in _segments(stream):
        if marker == _END:
            if not reader.has_scan:
                raise ValueError("A JPEG stream without a scan.")
            return
        reader.take(marker, body)
    raise ValueError("A JPEG stream without its end.")


def _segments(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Markers with what follows their length; entropy-coded data are passed over."""
    for marker, body, _, _ in _located_segments(stream):
        yield marker, body


def _located_segments(stream: bytes) -> Iterator[tuple[int, bytes, int, int]]:
    """As :func:`_segments`, with the offsets at which each begins and ends."""
    at = 2
    while match := _NEXT_MARKER.match(stream, at):
        marker = match[1][0]
        if marker == _END:
            yield marker, b"", match.start(), match.end()
            return
        length = int.from_bytes(stream[match.end() : match.end() + 2], "big")
        at = match.end() + length
        if length < 2 or at > len(stream):
            return
        yield marker, stream[match.end() + 2 : at], match.start(), at
        if marker == _SCAN:
            found = _NEXT_MARKER.search(stream, at)
            at = found.start() if found else len(stream)


class _Reader:
    """What was declared so far in a stream."""

    def __init__(self) -> None:
        self.has_scan = False
        self._frame = 0
        self._precision = 0
        self._components: set[int] = set()
        self._tables: set[int] = set()

    def take(self, marker: int, body: bytes) -> None:
        """Check one marker segment."""
        if marker == _HUFFMAN_TABLES:
            self._take_huffman(body)
        elif marker in _FRAMES:
            self._take_frame(marker, body)
        elif marker == _SCAN:
            self._take_scan(body)
        elif marker == _QUANTISATION:
            _check_quantisation(body)
        elif not _is_harmless(marker, body):
            raise ValueError("A JPEG stream with a segment that is not expected.")

    def _take_frame(self, marker: int, body: bytes) -> None:
        if self._frame or len(body) < 6 or len(body) != 6 + 3 * body[5]:
            raise ValueError("A JPEG stream with a damaged frame header.")
        self._frame, self._precision = marker, body[0]
        for identifier, sampling, table in struct.iter_unpack("BBB", body[6:]):
            factors = sampling >> 4, sampling & 15
            if identifier in self._components or not all(1 <= f <= 4 for f in factors) or table > 3:
                raise ValueError("A JPEG stream with damaged components.")
            self._components.add(identifier)

    def _take_huffman(self, body: bytes) -> None:
        while body:
            counts = body[1:17]
            symbols = body[17 : 17 + sum(counts)]
            space = sum(count << (16 - length) for length, count in enumerate(counts, 1))
            is_whole = len(counts) == 16 and len(symbols) == sum(counts) <= 256
            if not is_whole or space > 1 << 16 or body[0] & 0xEC:
                raise ValueError("A JPEG stream with a damaged Huffman table.")
            if body[0] < 0x10 and max(symbols, default=0) > 16:
                raise ValueError("A JPEG stream with impossible differences.")
            self._tables.add(body[0])
            body = body[17 + len(symbols) :]

    def _take_scan(self, body: bytes) -> None:
        count = body[0] if body else 0
        if not 1 <= count <= len(self._components) or len(body) != 2 * count + 4:
            raise ValueError("A JPEG stream with a damaged scan header.")
        parts = list(struct.iter_unpack("BB", body[1:-3]))
        if len({part for part, _ in parts} & self._components) != count:
            raise ValueError("A JPEG stream with a scan of components that it does not have.")
        needed = {tables >> 4 for _, tables in parts}
        alternating = {0x10 | tables & 15 for _, tables in parts}
        if self._frame in _SEQUENTIAL:
            needed |= alternating
        if self._frame in _PROGRESSIVE and body[-3]:
            needed = alternating
        if not needed <= self._tables or not self._allows(count, *body[-3:]):
            raise ValueError("A JPEG stream with a scan that cannot be decoded.")
        self.has_scan = True

    def _allows(self, count: int, start: int, end: int, approximation: int) -> bool:
        """Whether a scan's predictor or spectral selection is possible."""
        if self._frame in _PROGRESSIVE:
            is_band = end == 0 if start == 0 else start <= end <= 63 and count == 1
            high, low = approximation >> 4, approximation & 15
            return is_band and low <= _MOST_APPROXIMATION and high in (0, low + 1)
        if self._frame in _LOSSLESS:
            return 1 <= start <= 7 and end == 0 and approximation < min(self._precision, 16)
        return (start, end, approximation) == (0, 63, 0)


def _is_harmless(marker: int, body: bytes) -> bool:
    """Whether a segment says nothing that could matter, or nothing unknown."""
    if body.startswith(b"JFIF\0"):
        return body[5:6] == b"\1"
    if body.startswith(b"Adobe"):
        return len(body) == 12 and body[11] <= 2
    return marker in _IGNORED or (marker == _RESTART and len(body) == 2)


def _check_quantisation(body: bytes) -> None:
    while body:
        size = 1 + (128 if body[0] >> 4 else 64)
        if body[0] & 0xEC or len(body) < size:
            raise ValueError("A JPEG stream with a damaged quantisation table.")
        body = body[size:]
