"""What a file declares, checked against what it holds and what this machine can hold."""

from __future__ import annotations

import math
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tumorviewer.errors import InputError
from tumorviewer.files import format_size
from tumorviewer.language import tr

DEFLATE_RATIO = 1032
"""Deflate cannot expand its input further: 258 bytes from 2 bits (zlib technical details)."""
RLE_RATIO = 64
"""Two bytes of PackBits, and so of DICOM RLE (PS3.5 annex G), expand to at most 128."""
PLAUSIBLE_RATIO = 500
"""Real images stay below it; empty masks do not, and they are small."""
UNQUESTIONED_BYTES = 640 << 20
"""Pixels that may be taken on a compressed file's word alone, whatever their ratio."""
MAX_PICTURE_PIXELS = 89_478_485
"""Of one slice or page; where Pillow begins to warn of decompression bombs."""
MAX_VOLUMES = 10_000
"""In one series or file."""
MEMORY_SHARE = 0.6
"""Of the memory that is free now, what one volume may take."""

MIN_SPACING_MM, MAX_SPACING_MM = 1e-6, 1e6
"""Beyond them a spacing is a mistake, or a way to overflow what is computed from it."""

_NO_LIMIT = sys.maxsize


def check_regular_file(path: Path, source: str) -> int:
    """Say how many bytes a file has, if it is one that can be read without waiting.

    Parameters
    ----------
    path
        Where it is; a link is followed.
    source
        What the user knows it as.

    Returns
    -------
    int
        Its size in bytes, at least 1.

    Raises
    ------
    InputError
        If it is missing, a folder, a pipe, a socket, a device, empty or not readable.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise describe_unreadable(source, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(source, tr("This is a folder, not a file."))
    if not stat.S_ISREG(status.st_mode):
        raise InputError(source, tr("This is a pipe, socket or device, not a file."))
    if status.st_size == 0:
        raise InputError(
            source, tr("The file is empty."), tr("Copy it again from where it came from.")
        )
    if not os.access(path, os.R_OK):
        raise describe_unreadable(source, PermissionError())
    return status.st_size


def describe_unreadable(source: str, error: Exception) -> InputError:
    """What to tell the user when the operating system does not give a file."""
    match error:
        case FileNotFoundError():
            return InputError(source, tr("There is no such file, or a link points to nothing."))
        case PermissionError():
            return InputError(
                source,
                tr("You do not have permission to read it."),
                tr("Ask its owner for read permission, or copy it to a folder of your own."),
            )
        case OSError(errno=int(), strerror=str() as text):
            return InputError(source, tr("The system cannot read it: {text}.", text=text.lower()))
        case _:
            return InputError(source, tr("The system cannot read it."))


def check_allocation(
    source: str, shape: Sequence[int], dtype: DTypeLike, stored: int, ratio: float = 1.0
) -> int:
    """Check the pixels that a file declares before memory is taken for them.

    Parameters
    ----------
    source
        What the user knows the file as.
    shape, dtype
        Of the array that is to be made.
    stored
        Bytes that the file holds for these pixels.
    ratio
        How many times its coding can expand them at most: 1 uncompressed, `DEFLATE_RATIO`,
        `RLE_RATIO`, ``math.inf`` where there is no bound (JPEG 2000, JPEG-LS).

    Returns
    -------
    int
        The bytes needed.

    Raises
    ------
    InputError
        If a dimension is not positive, the file cannot hold so much or the memory is not there.
    """
    if not shape or min(int(extent) for extent in shape) < 1:
        raise InputError(source, tr("It declares an image without any pixels."))
    needed = math.prod(int(extent) for extent in shape) * np.dtype(dtype).itemsize
    check_expansion(source, needed, stored, ratio)
    check_memory(source, needed)
    return needed


def check_expansion(
    source: str,
    needed: int,
    stored: int,
    ratio: float = 1.0,
    unquestioned: int = UNQUESTIONED_BYTES,
) -> None:
    """Refuse a file whose `stored` bytes cannot, or not believably, hold `needed` bytes.

    Up to `unquestioned` bytes, whatever is possible is believed.

    Raises
    ------
    InputError
        If the file is too short for what it declares.
    """
    if needed > stored * ratio:
        raise InputError(
            source,
            tr(
                "It declares {needed} of pixels but holds only {stored}.",
                needed=format_size(needed),
                stored=format_size(stored),
            ),
            tr("It is cut short or damaged: copy it again from where it came from."),
        )
    if ratio > 1 and needed > max(unquestioned, PLAUSIBLE_RATIO * stored):
        raise InputError(
            source,
            tr(
                "It would unpack from {stored} to {needed}, as no real image does.",
                stored=format_size(stored),
                needed=format_size(needed),
            ),
        )


def check_memory(source: str, needed: int) -> None:
    """Refuse what does not fit into the memory that is free now.

    Raises
    ------
    InputError
        If `needed` bytes are more than this machine can spare.
    """
    free = measure_free_memory()
    if needed > MEMORY_SHARE * free:
        raise InputError(
            source,
            tr(
                "Its pixels need {needed} of memory; {free} are free.",
                needed=format_size(needed),
                free=format_size(free),
            ),
            tr("Close other programs or studies, or open it on a larger machine."),
        )


def allocate_pixels(source: str, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
    """An array of zeros for pixels to come, checked against the memory that is free.

    Raises
    ------
    InputError
        If there is not enough memory.
    """
    needed = math.prod(int(extent) for extent in shape) * np.dtype(dtype).itemsize
    check_memory(source, needed)
    try:
        return np.zeros(tuple(shape), dtype)
    except (MemoryError, ValueError) as error:
        raise InputError(
            source, tr("{needed} of memory cannot be had.", needed=format_size(needed))
        ) from error


def measure_free_memory() -> int:
    """Bytes of memory that a process may still take without swapping, as far as can be told."""
    return min(_machine_memory(), _control_group_memory())


def _machine_memory() -> int:
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as lines:
            fields = dict(line.split(":", 1) for line in lines)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return _installed_memory()


def _installed_memory() -> int:
    if not hasattr(os, "sysconf"):
        return _NO_LIMIT
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return _NO_LIMIT


def _control_group_memory(group: Path = Path("/sys/fs/cgroup")) -> int:
    """What a container may still take; the page cache that it could drop counts as free."""
    try:
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        statistics = dict(map(str.split, (group / "memory.stat").read_text().splitlines()))
        return max(0, limit - used + int(statistics["inactive_file"]))
    except (OSError, KeyError, ValueError):
        return _NO_LIMIT
