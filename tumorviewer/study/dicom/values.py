"""Stored values to real ones: modality transformation (PS3.3 C.11.1) and VOI (C.11.2)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from tumorviewer.study.dicom.elements import (
    is_stated,
    read_first_item,
    read_number,
    read_numbers,
    read_text,
    read_value,
)
from tumorviewer.study.types import Window

_INTEGERS = tuple(np.dtype(f"{kind}{size}") for size in (1, 2, 4, 8) for kind in "ui")
_MAX_FACTOR = 1e30
_FUNCTIONS = {"LINEAR", "LINEAR_EXACT", "SIGMOID"}


@dataclass(frozen=True, eq=False, slots=True)
class LookupTable:
    """A modality or VOI LUT (PS3.3 C.11.1.1, C.11.2.1.1): ``first + i`` becomes ``table[i]``."""

    first: int
    table: NDArray[Any]
    bits: int

    def __call__(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Map values; those outside the table take its ends."""
        at = np.clip(stored.astype(np.int64) - self.first, 0, len(self.table) - 1)
        return self.table[at]


@dataclass(frozen=True, slots=True)
class ModalityTransform:
    """Stored value to real value: ``slope * stored + intercept``, or a table."""

    slope: float = 1.0
    intercept: float = 0.0
    table: LookupTable | None = None
    units: str = ""
    is_usable: bool = True
    """False if what the file states could not be used."""

    def can_be_negative(self, low: int, high: int) -> bool:
        """Whether stored values in [low, high] can become negative."""
        if self.table is not None:
            return False
        return min(self.slope * low, self.slope * high) + self.intercept < 0

    def span(self, low: int, high: int) -> tuple[int, int] | None:
        """Least and greatest value that stored values in [low, high] become; None if not whole."""
        if self.table is not None:
            return int(self.table.table.min()), int(self.table.table.max())
        if not (self.slope.is_integer() and self.intercept.is_integer()):
            return None
        ends = [int(self.slope) * end + int(self.intercept) for end in (low, high)]
        return min(ends), max(ends)

    def __call__(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Real values in the narrowest of the stored dtype, int64 and float64 that holds them."""
        if self.table is not None:
            return self.table(stored)
        if (self.slope, self.intercept) == (1.0, 0.0):
            return stored
        if stored.dtype.kind in "iu" and self.span(0, 1) is not None:
            return stored.astype(np.int64) * int(self.slope) + int(self.intercept)
        with np.errstate(over="ignore", invalid="ignore"):
            return stored.astype(np.float64) * self.slope + self.intercept


def read_modality_transform(macro: Dataset, units: str, signed: bool) -> ModalityTransform:
    """Read the modality transformation of an image or of one frame's functional groups.

    Parameters
    ----------
    macro
        The Pixel Value Transformation item (PS3.3 C.7.6.16.2.9), or the whole data set.
    units
        What the values are in if the file does not say.
    signed
        Whether stored values are.

    Returns
    -------
    ModalityTransform
        That leaves values as they are stored, without a unit, where what is stated is no number,
        zero, or so large that values would overflow.
    """
    item = read_first_item(macro, "ModalityLUTSequence")
    table = read_lookup_table(item, signed) if item is not None else None
    if item is not None and table is not None:
        return ModalityTransform(table=table, units=_units(read_text(item, "ModalityLUTType"), ""))
    slope = _read_factor(macro, "RescaleSlope", 1.0)
    if slope == 1.0:
        slope = _read_factor(macro, "DoseGridScaling", 1.0)
    intercept = _read_factor(macro, "RescaleIntercept", 0.0)
    is_usable = 0 < abs(slope) < _MAX_FACTOR and abs(intercept) < _MAX_FACTOR
    if item is not None or not is_usable:
        return ModalityTransform(is_usable=False)
    return ModalityTransform(slope, intercept, units=_units(read_text(macro, "RescaleType"), units))


def _read_factor(macro: Dataset, keyword: str, absent: float) -> float:
    """A finite number, NaN for what is stated and is none, or a value for one not stated."""
    if not is_stated(macro, keyword):
        return absent
    found = read_number(macro, keyword)
    return math.nan if found is None else found


def _units(stated: str, otherwise: str) -> str:
    is_said = stated not in ("", "US") and "UNITLESS" not in stated.upper()
    return stated if is_said else otherwise


def read_lookup_table(item: Dataset, signed: bool) -> LookupTable | None:
    """Read a LUT item (PS3.3 C.11.1.1.1).

    Parameters
    ----------
    signed
        Whether its input is, which decides on the sign of the first mapped value: the VR, US or
        SS, is often another one.

    Returns
    -------
    LookupTable or None
        None if its descriptor and its data do not agree.
    """
    descriptor = _words(read_value(item, "LUTDescriptor"), item)
    data = read_value(item, "LUTData")
    if descriptor is None or len(descriptor) != 3 or data is None:
        return None
    count, first, bits = (int(part) for part in descriptor)
    count = count or 65536
    if signed and first >= 1 << 15:
        first -= 1 << 16
    is_bytes = isinstance(data, bytes) and len(data) in (count, count + 1)
    table = np.frombuffer(data, np.uint8) if is_bytes else _words(data, item)
    if table is None or len(table) < count or not 1 <= bits <= 16:
        return None
    return LookupTable(first, table[:count], bits)


def _words(data: Any, item: Dataset) -> NDArray[np.uint16] | None:
    """Values of 16 bits without their sign; None if they are none."""
    if isinstance(data, bytes):
        order = "<" if item.original_encoding[1] is not False else ">"
        return np.frombuffer(data[: len(data) // 2 * 2], f"{order}u2").astype(np.uint16)
    try:
        values = np.atleast_1d(np.asarray(data, np.int64))
    except (TypeError, ValueError):
        return None
    is_16_bit = ((values >= -(1 << 15)) & (values < 1 << 16)).all()
    return (values & 0xFFFF).astype(np.uint16) if is_16_bit else None


def choose_dtype(rescales: Iterable[ModalityTransform], low: int, high: int) -> np.dtype[Any]:
    """The narrowest dtype for all that stored integers in [low, high] can become.

    Whole slopes and intercepts stay integers; else float32, or float64 where the stored integers
    have more bits than float32's significand.
    """
    spans = [rescale.span(low, high) for rescale in set(rescales)]
    ends = [end for span in spans if span is not None for end in span]
    if None not in spans:
        for dtype in _INTEGERS:
            if np.iinfo(dtype).min <= min(ends) and max(ends) <= np.iinfo(dtype).max:
                return dtype
    wide = max(abs(low), abs(high)) > 2**24
    return np.dtype(np.float64 if wide else np.float32)


def read_windows(macro: Dataset) -> tuple[Window, ...]:
    """Read the VOI windows of an image or frame, the first stated first (PS3.3 C.11.2.1.2)."""
    function = read_text(macro, "VOILUTFunction").upper()
    names = read_text(macro, "WindowCenterWidthExplanation").split("\\")
    pairs = zip(
        read_numbers(macro, "WindowCenter"), read_numbers(macro, "WindowWidth"), strict=False
    )
    return tuple(
        Window(
            centre,
            width,
            names[at] if at < len(names) else "",
            function if function in _FUNCTIONS else "LINEAR",
        )
        for at, (centre, width) in enumerate(pairs)
        if width > 0
    )


def read_voi_lut(macro: Dataset, signed: bool) -> tuple[float, NDArray[np.float32]] | None:
    """Read the first VOI LUT: its first mapped value, and its table scaled to 0–255.

    `signed` says whether its input, the values after the modality transformation, can be negative
    (PS3.3 C.11.2.1.1).
    """
    item = read_first_item(macro, "VOILUTSequence")
    found = read_lookup_table(item, signed) if item is not None else None
    if found is None:
        return None
    scale = 255 / (2**found.bits - 1)
    return float(found.first), (found.table * np.float32(scale)).astype(np.float32)
