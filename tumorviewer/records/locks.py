"""A file that one process holds at a time; the system lets go of it when the process dies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PAUSE_S = 0.02


def take(path: Path) -> int | None:
    """Hold a file until :func:`release`; None if somebody else does."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(handle)
    except OSError:
        os.close(handle)
        return None
    return handle


def release(handle: int) -> None:
    """Let go of what :func:`take` answered."""
    os.close(handle)


@contextmanager
def holding(path: Path, patience_s: float) -> Iterator[bool]:
    """Hold a file; False within if it could not be had in time."""
    end = time.monotonic() + patience_s
    while (handle := take(path)) is None and time.monotonic() < end:
        time.sleep(_PAUSE_S)
    try:
        yield handle is not None
    finally:
        if handle is not None:
            release(handle)


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
