"""Written is written: beside, flushed, and renamed into place."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tumorviewer.language import number, tr


@contextmanager
def replace_atomically(path: Path) -> Iterator[Path]:
    """A path beside ``path``, with the same suffixes, to write to; it takes the place of ``path``
    at the end, or vanishes if there is an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{uuid.uuid4().hex}{''.join(path.suffixes[-2:])}")
    try:
        yield beside
        flush_to_disk(beside)
        beside.replace(path)
        flush_to_disk(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Let a file, or a folder's list of files, reach the disk."""
    if path.is_dir() and os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def format_size(size: int) -> str:
    """A number of bytes for people: ``"512 bytes"``, ``"1.5 GB"``."""
    if size < 1000:
        return tr("{n} bytes", n=size)
    value = float(size)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{number(value, '.1f')} {unit}"
    return f"{number(value / 1000, '.1f')} TB"
