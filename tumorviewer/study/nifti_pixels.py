"""Where the voxels of a NIfTI or Analyze file lie, and how they become values."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from isal import igzip, isal_zlib
from numpy.typing import NDArray

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.study.limits import describe_unreadable
from tumorviewer.study.stamps import Stamp

_ISAL_ERROR: type[Exception] = isal_zlib.error  # type: ignore[assignment]
INFLATE_ERRORS = (OSError, EOFError, zlib.error, _ISAL_ERROR)
"""What reading a file raises that may be compressed with gzip."""
_CHUNK = 1 << 20
_TRAILER = 64 << 20


def open_maybe_gzip(path: Path) -> tuple[io.BufferedIOBase, bool]:
    """Open a file for reading its content, and say whether it was compressed with gzip."""
    with path.open("rb") as raw:
        compressed = raw.read(2) == b"\x1f\x8b"
    if not compressed:
        return path.open("rb"), False
    return igzip.open(path, "rb"), True  # type: ignore[no-untyped-call]


def inflate_head(head: bytes, length: int) -> bytes:
    """The first bytes of what a file holds that begins like this, compressed with gzip or not;
    empty if the compressed data are damaged."""
    if head[:2] != b"\x1f\x8b":
        return head[:length]
    try:
        return zlib.decompressobj(31).decompress(head, length)
    except zlib.error:
        return b""


def describe_read_error(path: Path, source: str, error: Exception) -> InputError:
    """What to tell the user when reading a file or unpacking it failed."""
    if isinstance(error, EOFError):
        error = _fault(path) or error
    match error:
        case EOFError():
            reason = tr("It is cut short: the compressed data end too early.")
        case zlib.error() | _ISAL_ERROR() | gzip.BadGzipFile():
            reason = tr("The compressed data are damaged.")
        case _:
            return describe_unreadable(source, error)
    return InputError(source, reason, tr("Copy it again from where it came from."))


@dataclass(frozen=True)
class NiftiRescale:
    """Stored voxels to values, as nibabel has them, in the narrowest dtype known to hold them."""

    stored: np.dtype[Any]
    slope: float = 1.0
    inter: float = 0.0

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values; uint8 for colours."""
        native = self.stored.newbyteorder("=")
        if native.names:
            return np.dtype(np.uint8)
        if native.kind == "c":
            return np.dtype(np.float32 if native.itemsize == 8 else np.float64)
        if native.kind == "f":
            return native if native.itemsize == 4 and self._is_identity else np.dtype(np.float64)
        return self._integer_dtype(native)

    @property
    def _is_identity(self) -> bool:
        return self.slope == 1 and self.inter == 0

    def _integer_dtype(self, native: np.dtype[Any]) -> np.dtype[Any]:
        if self._is_identity:
            return native
        info = np.iinfo(native)
        ends = sorted(int(end) * self.slope + self.inter for end in (info.min, info.max))
        if self.slope.is_integer() and self.inter.is_integer() and -(2**53) < ends[0] <= ends[1]:
            low, high = (int(end) for end in ends)
            if high < 2**53:
                return np.result_type(np.min_scalar_type(low), np.min_scalar_type(high))
        fits = native.itemsize <= 2 and max(map(abs, ends)) < np.finfo(np.float32).max
        return np.dtype(np.float32 if fits else np.float64)

    def __call__(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Values of some stored voxels; colours get a last axis of 3."""
        if stored.dtype.names:
            bytes_ = stored.view(np.uint8).reshape(*stored.shape, stored.dtype.itemsize)
            return bytes_[..., :3]
        with np.errstate(all="ignore"):
            if self._is_identity:
                values = np.abs(stored) if stored.dtype.kind == "c" else stored
            elif self.dtype.kind in "iu":
                values = stored.astype(np.int64) * int(self.slope) + int(self.inter)
            else:
                values = self._in_double(stored)
            return values.astype(self.dtype, copy=False)

    def _in_double(self, stored: NDArray[Any]) -> NDArray[Any]:
        is_complex = stored.dtype.kind == "c"
        double = stored.astype(np.complex128 if is_complex else np.float64)
        double *= self.slope
        double += self.inter
        return np.abs(double) if is_complex else double


@dataclass(frozen=True)
class StoredVoxels:
    """The part of a file that holds voxels: i fastest, then j, k and volumes."""

    source: str
    path: Path
    offset: int
    dtype: np.dtype[Any]
    """With the file's byte order."""
    shape: tuple[int, int, int]
    """Extents along i, j and k."""
    volumes: int
    compressed: bool
    stamp: Stamp

    def planes(
        self, volume: int, order: Sequence[int], waiting: Callable[[], None]
    ) -> Iterator[tuple[int, NDArray[Any]]]:
        """Read the planes of one volume.

        Parameters
        ----------
        volume
            Which one, from 0.
        order
            In which order they are wanted; a compressed file is read from its first to its last.
        waiting
            Called now and then while what lies before the volume is unpacked.

        Yields
        ------
        tuple
            k and the plane, ``(j, i)`` in the file's dtype, overwritten by the next one.

        Raises
        ------
        InputError
            If the file is cut short, damaged, gone, or another than when it was opened.
        """
        self.stamp.check(self.path, self.source)
        columns, rows, slices = self.shape
        plane = np.empty((rows, columns), self.dtype)
        start = self.offset + volume * slices * plane.nbytes
        try:
            stream, _ = open_maybe_gzip(self.path)
            with stream:
                if self.compressed:
                    self._skip(stream, start, waiting)
                for k in range(slices) if self.compressed else order:
                    if not self.compressed:
                        stream.seek(start + k * plane.nbytes)
                    self._fill(stream, plane)
                    yield k, plane
                if self.compressed and volume == self.volumes - 1:
                    self._check_trailer(stream)
        except INFLATE_ERRORS as error:
            raise describe_read_error(self.path, self.source, error) from error

    def _skip(self, stream: io.BufferedIOBase, count: int, waiting: Callable[[], None]) -> None:
        while count:
            passed = len(stream.read(min(count, _CHUNK)))
            if not passed:
                raise self._too_short()
            count -= passed
            if count:
                waiting()

    def _fill(self, stream: io.BufferedIOBase, plane: NDArray[Any]) -> None:
        buffer = plane.view(np.uint8).reshape(-1).data
        while buffer:
            count = stream.readinto(buffer)
            if not count:
                raise self._too_short()
            buffer = buffer[count:]

    def _check_trailer(self, stream: io.BufferedIOBase) -> None:
        """Read on to the checksum at the end, if it is near."""
        for _ in range(_TRAILER // _CHUNK):
            if not stream.read(_CHUNK):
                return

    def _too_short(self) -> InputError:
        return InputError(
            self.source,
            tr("It is cut short: it ends before the last voxel."),
            tr("Copy it again from where it came from."),
        )


def _fault(path: Path) -> Exception | None:
    """What zlib finds wrong with a compressed file: ISA-L does not tell garbage from a cut."""
    try:
        with gzip.open(path) as stream:
            while stream.read(_CHUNK):
                pass
    except INFLATE_ERRORS as error:
        return error
    return None


def narrow_dtype(array: NDArray[Any]) -> NDArray[Any]:
    """The same values in 16-bit integers or single precision where those hold every one exactly."""
    if array.dtype.kind in "iu" and array.dtype.itemsize > 2:
        low, high = int(array.min()), int(array.max())
        for dtype in (np.int16, np.uint16, np.int32, np.uint32):
            info = np.iinfo(dtype)
            if info.min <= low and high <= info.max and info.bits < 8 * array.dtype.itemsize:
                return array.astype(dtype)
    if array.dtype == np.float64 and all(map(_is_single, array)):
        return array.astype(np.float32)
    return array


def _is_single(values: NDArray[Any]) -> bool:
    with np.errstate(all="ignore"):
        single = values.astype(np.float32)
    return bool(np.array_equal(single, values, equal_nan=True))


def count_not_finite(values: NDArray[Any]) -> tuple[int, int]:
    """How many values are NaN, and how many infinite."""
    if values.dtype.kind != "f":
        return 0, 0
    odd = values.size - int(np.count_nonzero(np.isfinite(values)))
    nan = int(np.count_nonzero(np.isnan(values))) if odd else 0
    return nan, odd - nan


def order_from_middle(count: int) -> list[int]:
    """Indices from the middle outwards."""
    middle = count // 2
    return sorted(range(count), key=lambda index: abs(index - middle))
