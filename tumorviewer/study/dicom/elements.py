"""Reading single elements without trusting them: a bad value is as good as none."""

from __future__ import annotations

import logging
import math
import struct
import warnings
import zlib
from collections.abc import Sequence
from functools import cache
from typing import Any

from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag

PARSER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,  # with RecursionError and NotImplementedError
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom and its decoders raise for damaged files."""

_PLAIN_VRS = frozenset(["AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "SH", "TM", "UI"])
"""Of text without line breaks, in which a backslash stands between values."""
_PRIVATE_BLOCKS = range(0x10, 0x30)
"""Creators of private elements, who take the first that is free (PS3.5 7.8.1)."""
_ESCAPE = b"\x1b"
_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}
_CODEC_LOGGERS = ("pydicom", "pylibjpeg", "openjpeg", "rle")


def silence_pydicom() -> None:
    """Keep pydicom's warnings, which quote the file, off the terminal and out of the log."""
    warnings.filterwarnings("ignore", module=r"pydicom\b|pylibjpeg\b|openjpeg\b")
    config.settings.reading_validation_mode = config.IGNORE
    for name in _CODEC_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)


@cache
def _usual_vr(keyword: str) -> str:
    return dictionary_VR(keyword)


def _find_raw(dataset: Dataset, keyword: str) -> tuple[str, bytes, bool] | None:
    """VR, bytes and whether they are little endian, of an element that is not parsed yet.

    What is read from the bytes costs a fraction of what pydicom takes to parse an element.
    """
    tag = _tag(keyword)
    if tag not in dataset.keys():  # noqa: SIM118 - several times quicker
        return None
    found: Any = dataset.get_item(tag, keep_deferred=True)
    if not isinstance(found, RawDataElement) or found.value is None:
        return None
    return found.VR or _usual_vr(keyword), found.value, found.is_little_endian


def _is_plain(vr: str, value: bytes) -> bool:
    """Whether text is ASCII, without escapes to other character sets or groups of a name."""
    is_single = vr in _PLAIN_VRS or (vr == "PN" and b"=" not in value)
    return is_single and value.isascii() and _ESCAPE not in value


def read_value(dataset: Dataset, keyword: str) -> Any:
    """The value of an element; None if it is missing, empty or malformed."""
    tag = _tag(keyword)
    if tag not in dataset.keys():  # noqa: SIM118 - several times quicker
        return None
    try:
        found = dataset[tag].value
    except PARSER_ERRORS:
        return None
    return None if isinstance(found, str | bytes) and not found else found


def is_stated(dataset: Dataset, keyword: str) -> bool:
    """Whether an element has a value, readable or not."""
    tag = _tag(keyword)
    if tag not in dataset.keys():  # noqa: SIM118 - several times quicker
        return False
    stated: Any = dataset.get_item(tag, keep_deferred=True)
    if isinstance(stated.value, bytes):
        return bool(stated.value.strip(b" \0"))
    return stated.value not in (None, "")


def read_text(dataset: Dataset, keyword: str) -> str:
    """The value as text, several values joined by a backslash as DICOM writes them."""
    if _tag(keyword) not in dataset.keys():  # noqa: SIM118 - several times quicker
        return ""
    raw = _find_raw(dataset, keyword)
    if raw is not None and _is_plain(*raw[:2]):
        parts = raw[1].decode("ascii").split("\\")
        return "\\".join(part.strip(" \0") for part in parts)
    found = read_value(dataset, keyword)
    if found is None or isinstance(found, bytes):
        return ""
    if isinstance(found, MultiValue):
        return "\\".join("" if part is None else str(part) for part in found).strip()
    return str(found).strip().strip("\0")


def read_numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """All values as finite floats; empty if any of them is not a number."""
    if _tag(keyword) not in dataset.keys():  # noqa: SIM118 - several times quicker
        return ()
    raw = _find_raw(dataset, keyword)
    parts: Sequence[Any]
    if raw is not None and raw[0] in ("DS", "IS"):
        parts = raw[1].rstrip(b" \0").split(b"\\")
    elif raw is not None and raw[0] in _NUMBERS:
        form = ("<" if raw[2] else ">") + _NUMBERS[raw[0]]
        whole = len(raw[1]) // struct.calcsize(form) * struct.calcsize(form)
        parts = [value for (value,) in struct.iter_unpack(form, raw[1][:whole])]
    else:
        found = read_value(dataset, keyword)
        is_list = isinstance(found, Sequence) and not isinstance(found, str | bytes)
        parts = found if is_list else [found]
    try:
        values = tuple(map(float, parts))
    except (TypeError, ValueError, OverflowError):
        return ()
    return values if all(map(math.isfinite, values)) else ()


def read_number(dataset: Dataset, keyword: str) -> float | None:
    """The first value as a finite float."""
    values = read_numbers(dataset, keyword)
    return values[0] if values else None


def read_integer(dataset: Dataset, keyword: str) -> int | None:
    """The first value as an integer; None if it has a fraction."""
    found = read_number(dataset, keyword)
    return int(found) if found is not None and found.is_integer() else None


def read_items(dataset: Dataset, keyword: str) -> Sequence[Dataset]:
    """The items of a sequence; empty if there are none."""
    found = read_value(dataset, keyword)
    if not isinstance(found, Sequence) or isinstance(found, str | bytes):
        return ()
    return [item for item in found if isinstance(item, Dataset)]


def read_first_item(dataset: Dataset, keyword: str) -> Dataset | None:
    """The first item of a sequence."""
    found = read_items(dataset, keyword)
    return found[0] if found else None


def read_private(dataset: Dataset, creator: str, tag: int) -> Any:
    """The value of a private element (PS3.5 7.8.1), None if it is missing or malformed.

    Parameters
    ----------
    creator
        Who reserved its block.
    tag
        Its group, and the last two digits of its element: ``0x0019000A``.
    """
    group = tag >> 16
    known = dataset.keys()
    if not any(group << 16 | block in known for block in _PRIVATE_BLOCKS):
        return None
    try:
        return dataset.private_block(group, creator)[tag & 0xFF].value
    except PARSER_ERRORS:
        return None
