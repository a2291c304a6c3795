"""A data set decoded and prepared once into a memory map, so that an epoch costs no disk.

Pictures are read by ``tumorviewer.study`` and seen at the default window: what training sees is
what the screen and inference see. No torch here: the decoding processes start quickly.
"""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray

from trainer.dataset import Dataset, Item
from trainer.files import write_json
from trainer.progress import Progress
from tumorviewer.analysis import preprocess
from tumorviewer.analysis.preprocess import prepare
from tumorviewer.errors import InputError
from tumorviewer.imaging import display
from tumorviewer.imaging.display import grey
from tumorviewer.models.card import Preprocessing
from tumorviewer.study import open_paths
from tumorviewer.study import pictures as decoders

_FEW = 100


@dataclass(frozen=True, eq=False)
class Pictures:
    """Something decoded of every item of a data set, row by row."""

    array: NDArray[np.uint8]
    """``(N, …)``, a memory map."""
    sha256: tuple[str, ...]
    """Of each item's file."""
    unreadable: dict[str, str]
    """Names of items that could not be read, with the reason; their rows are black."""

    def fingerprint(self, rows: Sequence[int]) -> str:
        """Of the content of some items, whatever their names and order."""
        together = "".join(sorted(self.sha256[row] for row in rows))
        return hashlib.sha256(together.encode()).hexdigest()


def read_grey(path: Path) -> NDArray[np.uint8]:
    """One item as it is on the screen, ``(rows, columns)``.

    Raises
    ------
    InputError
        If it cannot be read or is not one slice.
    """
    opened = open_paths([path])
    volumes = [one for study in opened.studies for series in study.series for one in series.volumes]
    if refused := opened.refused:
        raise InputError(str(path), refused[0].reason, refused[0].remedy)
    if len(volumes) != 1 or volumes[0].shape[0] != 1:
        slices = sum(one.shape[0] for one in volumes)
        reason = f"It holds {slices} slices, and one label cannot be given to all of them."
        raise InputError(str(path), reason, "Save the slices that show it as pictures.")
    return grey(volumes[0].load(), 0)


def load(dataset: Dataset, settings: Preprocessing, folder: Path, progress: Progress) -> Pictures:
    """Map the prepared pictures of ``dataset``, decoding them if ``folder`` does not hold them."""
    work = partial(_prepared, settings=settings)
    shape = (settings.size, settings.size)
    return decoded_once(dataset, work, shape, json.dumps(asdict(settings)), folder, progress)


def _prepared(path: Path, settings: Preprocessing) -> NDArray[np.uint8]:
    return prepare(read_grey(path), settings)[0]


def decoded_once(
    dataset: Dataset,
    work: Callable[[Path], NDArray[np.uint8]],
    shape: tuple[int, ...],
    what: str,
    folder: Path,
    progress: Progress,
) -> Pictures:
    """Map what ``work`` makes of each item, making it if ``folder`` does not hold it.

    Parameters
    ----------
    shape
        Of the uint8 array that ``work`` makes.
    what
        Tells apart what was made in different ways of the same files.
    """
    key = _key(dataset, what)
    array, notes = folder / f"{key}.npy", folder / f"{key}.json"
    if not (array.is_file() and notes.is_file()):
        _build(dataset, work, shape, array, notes, progress)
    stored = json.loads(notes.read_text())
    return Pictures(np.load(array, mmap_mode="r"), tuple(stored["sha256"]), stored["unreadable"])


def _key(dataset: Dataset, what: str) -> str:
    digest = hashlib.sha256(f"{dataset.root}\n{what}\n".encode())
    for module in (decoders, display, preprocess):
        digest.update(Path(str(module.__file__)).read_bytes())
    for item in dataset.items:
        status = item.path.stat()
        digest.update(f"{item.name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]


def _build(
    dataset: Dataset,
    work: Callable[[Path], NDArray[np.uint8]],
    shape: tuple[int, ...],
    array: Path,
    notes: Path,
    progress: Progress,
) -> None:
    beside = array.with_name(f".{os.getpid()}.{array.name}")
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(dataset.items), *shape)}
    hashes, unreadable = [], {}
    try:
        array.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as stream:
            write_array_header_1_0(stream, header)
            for item, made in zip(
                dataset.items, _parallel(work, dataset.items, progress), strict=True
            ):
                hashes.append(made.sha256)
                if made.rows is None:
                    unreadable[item.name] = made.reason
                stream.write(bytes(math.prod(shape)) if made.rows is None else made.rows.tobytes())
        beside.replace(array)
    except OSError as error:
        reason = f"The cache cannot be written: {error.strerror or error}."
        raise InputError(str(array.parent), reason, "Make room or give --cache.") from error
    finally:
        beside.unlink(missing_ok=True)
    write_json(notes, {"sha256": hashes, "unreadable": unreadable})


class _Made(NamedTuple):
    rows: NDArray[np.uint8] | None
    sha256: str
    reason: str = ""


def _parallel(
    work: Callable[[Path], NDArray[np.uint8]], items: Sequence[Item], progress: Progress
) -> Iterator[_Made]:
    """``work`` on each item, in order; on every core where that is worth starting processes."""
    if len(items) <= _FEW:
        yield from (_attempt(work, item.path) for item in items)
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    context = multiprocessing.get_context("spawn")
    paths = [item.path for item in items]
    with ProcessPoolExecutor(min(max(2, cores or 2), 16), context) as pool:
        for done, made in enumerate(pool.map(partial(_attempt, work), paths, chunksize=32), 1):
            progress("reading", done, len(items))
            yield made


def _attempt(work: Callable[[Path], NDArray[np.uint8]], path: Path) -> _Made:
    sha256 = ""
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return _Made(work(path), sha256)
    except InputError as error:
        return _Made(None, sha256, error.message)
    except OSError as error:
        return _Made(None, sha256, f"It cannot be read: {error.strerror}.")
