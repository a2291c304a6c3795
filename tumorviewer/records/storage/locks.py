"""A file that one process holds at a time; the system lets go of it when the process dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_PAUSE_S = 0.02


def take_lock(path: Path, patience_s: float = 0.0) -> FileLock | None:
    """Hold a file until the lock's ``release``; None if somebody else does for longer than
    ``patience_s``.

    Raises
    ------
    OSError
        If the file cannot be made or locked at all.
    """
    lock = FileLock(path, timeout=patience_s, mode=0o600, thread_local=False)
    try:
        lock.acquire(poll_interval=_PAUSE_S)
    except Timeout:
        return None
    return lock


@contextmanager
def hold_lock(path: Path, patience_s: float) -> Iterator[bool]:
    """Hold a file within; False if it could not be had in time."""
    lock = take_lock(path, patience_s)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            lock.release()
