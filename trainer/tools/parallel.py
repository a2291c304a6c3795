"""The same work on many things, in order, on every core where starting processes is worth it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from trainer.tools.progress import Progress

FEW = 100
_CHUNK = 32

T = TypeVar("T")
R = TypeVar("R")


def map_in_processes(
    work: Callable[[T], R], things: Sequence[T], stage: str, progress: Progress
) -> Iterator[R]:
    """``work`` on each of ``things``; neighbours mostly go to the same process.

    Parameters
    ----------
    work
        Importable by name, and cheap to import: each process does.
    stage
        What ``progress`` calls it.
    """
    if len(things) <= FEW:
        yield from map(work, things)
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(max(2, cores or 2), 16), context) as pool:
        for done, made in enumerate(pool.map(work, things, chunksize=_CHUNK), 1):
            progress(stage, done, len(things))
            yield made
