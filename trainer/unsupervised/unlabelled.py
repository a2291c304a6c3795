"""Studies without labels: every slice that shows something, prepared once into a memory map.

Read by ``tumorviewer.study`` and prepared as for inference: a volume gives the slices that
:func:`tumorviewer.analysis.slices.prepare_volume` would judge; later time points and gradient
directions of the same anatomy are left out.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from trainer.data import near_duplicates, synthetic
from trainer.tools.atomic_files import read_csv, read_json, write_json
from trainer.tools.progress import Progress
from tumorviewer.analysis import preprocess, slices
from tumorviewer.analysis.slices import is_label_map, prepare_volume
from tumorviewer.errors import InputError
from tumorviewer.files import replace_atomically
from tumorviewer.models.card import Preprocessing
from tumorviewer.study import VolumeReader, open_paths


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """Slices, row by row, and the volumes that they come from."""

    root: Path
    array: NDArray[np.uint8]
    """``(N, S, S)``, a memory map."""
    volume: NDArray[np.int64]
    """The volume of each row."""
    files: tuple[tuple[str, ...], ...]
    """Of each volume, as tables name them: below ``root``, with ``/``."""
    sha256: tuple[str, ...]
    """Of the content of each volume."""

    def fingerprint(self, rows: NDArray[np.int64]) -> str:
        """Of the content of the volumes of some rows, as :meth:`Pictures.fingerprint`."""
        together = "".join(sorted(self.sha256[one] for one in np.unique(self.volume[rows])))
        return hashlib.sha256(together.encode()).hexdigest()


def read_unlabelled(
    data: Path, settings: Preprocessing, cache: Path, skip_unreadable: bool, progress: Progress
) -> Unlabelled:
    """Read a folder of pictures, DICOM and NIfTI of any depth, whatever its folders are named.

    Raises
    ------
    InputError
        If something in it cannot be read and skipping it was not agreed to, or nothing is left.
    """
    opened = open_paths([data])
    found = [
        volume
        for study in opened.studies
        for series in study.series
        for volume in series.volumes
        if not volume.repeats
    ]
    refused = [(one.source, one.reason) for one in opened.refused if one.is_error]
    stored = cache / f"{_key(data, found, settings)}.u8"
    if not stored.with_suffix(".json").is_file():
        _build(found, settings, stored, progress)
    notes = read_json(stored.with_suffix(".json"))
    _report(data, [*refused, *notes["refused"]], skip_unreadable, progress)
    counts = [one["slices"] for one in notes["volumes"]]
    if not sum(counts):
        raise InputError(str(data), "It holds no picture or slice to learn from.")
    shape = (sum(counts), settings.size, settings.size)
    files = tuple(tuple(_below(data, name) for name in one["files"]) for one in notes["volumes"])
    digests = tuple(one["sha256"] for one in notes["volumes"])
    array = np.memmap(stored, np.uint8, "r", shape=shape)
    return Unlabelled(data, array, np.repeat(np.arange(len(counts)), counts), files, digests)


def _key(data: Path, found: list[VolumeReader], settings: Preprocessing) -> str:
    digest = hashlib.sha256(f"unlabelled\n{data.resolve()}\n{asdict(settings)}\n".encode())
    for module in (preprocess, slices):
        digest.update(Path(str(module.__file__)).read_bytes())
    for volume in found:
        for file in volume.files:
            status = file.path.stat()
            digest.update(f"{file.source}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]


def _build(
    found: list[VolumeReader], settings: Preprocessing, stored: Path, progress: Progress
) -> None:
    volumes: list[dict[str, Any]] = []
    refused: list[tuple[str, str]] = []
    try:
        with replace_atomically(stored) as beside, beside.open("wb") as stream:
            for done, volume in enumerate(found, 1):
                try:
                    volumes.append(_written(volume, settings, stream))
                except InputError as error:
                    refused.append((volume.files[0].source, error.message))
                progress("reading", done, len(found))
    except OSError as error:
        reason = f"The cache cannot be written: {error.strerror or error}."
        raise InputError(str(stored.parent), reason, "Make room or give --cache.") from error
    write_json(stored.with_suffix(".json"), {"volumes": volumes, "refused": refused})


def _written(volume: VolumeReader, settings: Preprocessing, stream: BinaryIO) -> dict[str, Any]:
    """Append the slices of one volume; answers what is to be known of it."""
    loaded = volume.load()
    if is_label_map(loaded):
        raise InputError(loaded.source, "It looks like a segmentation, not an image.")
    pictures = prepare_volume(loaded, settings).pictures
    hashes = [synthetic.hash_file(file.path) for file in volume.files]
    whole = hashlib.sha256("".join(hashes).encode()).hexdigest()
    stream.write(pictures.tobytes())
    return {
        "files": [file.source for file in volume.files],
        "sha256": hashes[0] if len(hashes) == 1 else whole,
        "slices": len(pictures),
    }


def _report(
    data: Path, refused: list[tuple[str, str]], skip_unreadable: bool, progress: Progress
) -> None:
    for source, reason in refused:
        progress.say(f"cannot use {_below(data, source)}: {reason}")
    if refused and not skip_unreadable:
        reason = f"{len(refused)} files or volumes in it cannot be used."
        raise InputError(str(data), reason, "Remove them, or go on with --skip-unreadable.")


def _below(root: Path, name: str) -> str:
    path = Path(name)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def find_rows_apart_from(unlabelled: Unlabelled, table: Path | None) -> NDArray[np.int64]:
    """The rows that may be learned from: not those held out, nor any near-duplicate of them.

    Parameters
    ----------
    table
        A CSV whose column ``path`` names files below the data's folder, such as the
        ``predictions.csv`` of a validation part; None: nothing is held out.

    Raises
    ------
    InputError
        If it names none of the files, or nothing is left.
    """
    everything = np.arange(len(unlabelled.array))
    if table is None:
        return everything
    named = {row.get("path", "").partition("#")[0] for row in read_csv(table)}
    is_held = np.array([not named.isdisjoint(files) for files in unlabelled.files])
    held = everything[is_held[unlabelled.volume]]
    rest = everything[~is_held[unlabelled.volume]]
    if not len(held):
        raise InputError(str(table), "It names no file of the data; is the folder the same?")
    if not len(rest):
        raise InputError(str(table), "It names every file of the data.")
    views = near_duplicates.make_thumbnails(unlabelled.array)
    is_twin = near_duplicates.find_nearest(views.rows(rest), views.rows(held))[1]
    return np.asarray(rest[~is_twin])
