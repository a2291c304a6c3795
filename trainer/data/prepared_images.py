"""A data set decoded and prepared once into a memory map, so that an epoch costs no disk.

Pictures are read by ``tumorviewer.study`` and seen at the default window: what training sees is
what the screen and inference see. No torch here: the decoding processes start quickly.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray

from trainer.data import volumes
from trainer.data.dataset import Dataset, LabelledItem
from trainer.tools.atomic_files import write_json
from trainer.tools.parallel import map_in_processes
from trainer.tools.progress import Progress
from tumorviewer.analysis import preprocess, slices
from tumorviewer.analysis.slices import prepare_slice
from tumorviewer.errors import InputError
from tumorviewer.files import replace_atomically
from tumorviewer.imaging import display
from tumorviewer.imaging.display import grey
from tumorviewer.models.card import Preprocessing
from tumorviewer.study import pictures as decoders

_ABANDONED_S = 3600


@dataclass(frozen=True, eq=False)
class PreparedImages:
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


def load_images(
    dataset: Dataset, settings: Preprocessing, folder: Path, progress: Progress
) -> PreparedImages:
    """Map the prepared pictures of ``dataset``, decoding them if ``folder`` does not hold them.

    Rows are ``(S, S)``; with neighbours ``(2 k + 1, S, S)``, the labelled slice in the middle.
    """
    work = partial(_prepared, settings=settings)
    shape: tuple[int, ...] = (settings.size, settings.size)
    if settings.neighbours:
        shape = (2 * settings.neighbours + 1, *shape)
    return decode_once(dataset, work, shape, json.dumps(asdict(settings)), folder, progress)


def _prepared(item: LabelledItem, settings: Preprocessing) -> NDArray[np.uint8]:
    volume, index = volumes.read_item_volume(item.path, item.slice), item.slice or 0
    return prepare_slice(volume, index, grey(volume, index), settings)[0]


def decode_once(
    dataset: Dataset,
    work: Callable[[LabelledItem], NDArray[np.uint8]],
    shape: tuple[int, ...],
    what: str,
    folder: Path,
    progress: Progress,
) -> PreparedImages:
    """Map what ``work`` makes of each item, making it if ``folder`` does not hold it.

    Parameters
    ----------
    shape
        Of the uint8 array that ``work`` makes.
    what
        Tells apart what was made in different ways of the same files.
    """
    name = make_cache_key(dataset, what)
    array, notes = folder / f"{name}.npy", folder / f"{name}.json"
    if not (array.is_file() and notes.is_file()):
        _build(dataset, work, shape, array, notes, progress)
    stored = json.loads(notes.read_text())
    return PreparedImages(
        np.load(array, mmap_mode="r"), tuple(stored["sha256"]), stored["unreadable"]
    )


def make_cache_key(dataset: Dataset, what: str) -> str:
    """Names what was made of the present content of some files, in a way that ``what`` tells."""
    digest = hashlib.sha256(f"{dataset.root}\n{what}\n".encode())
    for module in (decoders, display, preprocess, slices):
        digest.update(Path(str(module.__file__)).read_bytes())
    stamps = {path: volumes.make_file_stamp(path) for path in {item.path for item in dataset.items}}
    for item in dataset.items:
        digest.update(f"{item.name}\0{stamps[item.path]}\n".encode())
    return digest.hexdigest()[:32]


def _build(
    dataset: Dataset,
    work: Callable[[LabelledItem], NDArray[np.uint8]],
    shape: tuple[int, ...],
    array: Path,
    notes: Path,
    progress: Progress,
) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(dataset.items), *shape)}
    hashes, unreadable = [], {}
    try:
        _clear_away(array.parent)
        with replace_atomically(array) as beside, beside.open("wb") as stream:
            write_array_header_1_0(stream, header)
            made_of_each = map_in_processes(
                partial(_attempt, work), dataset.items, "reading", progress
            )
            for item, made in zip(dataset.items, made_of_each, strict=True):
                hashes.append(made.sha256)
                if made.rows is None:
                    unreadable[item.name] = made.reason
                stream.write(bytes(math.prod(shape)) if made.rows is None else made.rows.tobytes())
    except OSError as error:
        reason = f"The cache cannot be written: {error.strerror or error}."
        raise InputError(str(array.parent), reason, "Make room or give --cache.") from error
    write_json(notes, {"sha256": hashes, "unreadable": unreadable})


def _clear_away(folder: Path) -> None:
    """Remove what killed processes left half written, once nobody has written to it for an hour."""
    for left in folder.glob(".*.npy"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _ABANDONED_S:
                left.unlink()


class _Made(NamedTuple):
    rows: NDArray[np.uint8] | None
    sha256: str
    reason: str = ""


def _attempt(work: Callable[[LabelledItem], NDArray[np.uint8]], item: LabelledItem) -> _Made:
    sha256 = ""
    try:
        sha256 = volumes.hash_item(item.path, item.slice)
        return _Made(work(item), sha256)
    except InputError as error:
        return _Made(None, sha256, error.message)
    except OSError as error:
        return _Made(None, sha256, f"It cannot be read: {error.strerror}.")
