"""Files and folders of a data set that may hold several slices: what they hold, and one slice.

No torch here: the decoding processes start quickly.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.tools.parallel import map_in_processes
from trainer.tools.progress import Progress
from tumorviewer.errors import InputError
from tumorviewer.imaging.display import grey
from tumorviewer.study import Study, Volume, VolumeReader, nifti, open_paths
from tumorviewer.study.sniffing import HEAD_BYTES, FileKind, guess_kind_by_name, recognise_kind

RULES = 'use "refuse", "all" or "middle N"'
_ONE_SLICE = (".png", ".jpg", ".jpeg", ".bmp")


@dataclass(frozen=True)
class Contents:
    """What the headers of one file or folder say."""

    slices: int = 1
    patient: str = ""
    """Patient ID (0010,0020); empty if there is none."""
    series: str = ""
    """Series Instance UID (0020,000E); empty if there is none."""


def list_contents(paths: list[Path], progress: Progress) -> dict[Path, Contents]:
    """The contents of each; what is a plain picture by its name is not opened."""
    opened = [path for path in paths if not path.name.lower().endswith(_ONE_SLICE)]
    found = dict(zip(opened, map_in_processes(_look, opened, "headers", progress), strict=True))
    return {path: found.get(path, Contents()) for path in paths}


def _look(path: Path) -> Contents:
    """What cannot be read counts as one slice: the reason is told where it is decoded."""
    try:
        study, volume = open_only_volume(path)
    except InputError:
        return Contents()
    return Contents(volume.shape[0], study.patient_id.strip(), study.series[0].uid or "")


def open_only_volume(path: Path) -> tuple[Study, VolumeReader]:
    """The one volume of a file or folder; of several time points or directions the first."""
    opened = open_paths([path])
    volumes = [
        (study, volume)
        for study in opened.studies
        for series in study.series
        for volume in series.volumes
        if not volume.repeats
    ]
    if refused := [one for one in opened.refused if one.is_error]:
        raise InputError(str(path), refused[0].reason, refused[0].remedy)
    if len(volumes) != 1:
        reason = f"It holds {len(volumes)} volumes, and a label is of one."
        remedy = "Make a folder for each series, or name the files in a table path,label,slice."
        raise InputError(str(path), reason, remedy)
    return volumes[0]


def is_series(folder: Path) -> bool:
    """Whether a folder directly holds DICOM files: it is then one item."""
    return any(_is_dicom(path) for path in sorted(folder.iterdir()) if path.is_file())


def _is_dicom(path: Path) -> bool:
    if guess_kind_by_name(path.name) is FileKind.PICTURE:
        return False
    try:
        with path.open("rb") as stream:
            return recognise_kind(stream.read(HEAD_BYTES), path) is FileKind.DICOM
    except OSError:
        return False


def is_half_of_a_pair(path: Path) -> bool:
    """Whether another file, the header of the pair, speaks for this one."""
    return nifti.find_header_path(path) != path


def choose_slices_by_rule(rule: str, source: str, slices: int) -> tuple[int, ...]:
    """Which slices of a volume carry its label when nobody states them, counted from 0.

    Parameters
    ----------
    rule
        ``refuse``; ``all``; ``middle N``: the N in the middle of the stack.

    Raises
    ------
    InputError
        If volumes are to be refused, or there is no such rule.
    """
    if rule == "all":
        return tuple(range(slices))
    if match := re.fullmatch(r"middle (\d+)", rule):
        count = min(int(match[1]), slices)
        first = (slices - count) // 2
        return tuple(range(first, first + count))
    if rule != "refuse":
        raise InputError(rule, "There is no such rule for the slices of a volume.", f"{RULES}.")
    reason = f"It holds {slices} slices, and which of them carry the label is not stated."
    remedy = 'State them in a table path,label,slice, or choose slices = "all" or "middle N".'
    raise InputError(source, reason, remedy)


def parse_stated_slices(text: str, source: str, slices: int) -> tuple[int, ...]:
    """Slices as a table states them, ``10-25`` or ``10;12``, counted from 1 as on the screen.

    Returns
    -------
    tuple
        Indices in the volume, counted from 0.

    Raises
    ------
    InputError
        If they cannot be understood, or the volume does not have them.
    """
    found: list[int] = []
    for part in re.split(r"[;\s]+", text.strip()):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not match:
            raise InputError(
                source, f"The slices {text!r} are not understood.", "Use 10-25 or 3;7."
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= slices:
            raise InputError(source, f"There is no slice {part}: it has slices 1 to {slices}.")
        found += range(first - 1, last)
    return tuple(dict.fromkeys(found))


def read_grey(path: Path, index: int | None = None) -> NDArray[np.uint8]:
    """One slice as it is on the screen, ``(rows, columns)``.

    Parameters
    ----------
    index
        Of the slice, counted from 0; None for what holds one only.

    Raises
    ------
    InputError
        If it cannot be read, or holds several slices and none was chosen.
    """
    return grey(read_item_volume(path, index), index or 0)


def read_item_volume(path: Path, index: int | None = None) -> Volume:
    """The volume that a slice belongs to; kept, since the next one asked for is mostly the same.

    Raises
    ------
    InputError
        As :func:`read_grey`.
    """
    if index is not None:
        volume = _kept(path, make_file_stamp(path))
        if index in volume.missing:
            raise InputError(f"{path}#{index + 1}", f"Slice {index + 1} could not be decoded.")
        return volume
    source = open_only_volume(path)[1]
    if source.shape[0] != 1:
        choose_slices_by_rule("refuse", str(path), source.shape[0])
    return source.load()


@lru_cache(maxsize=1)
def _kept(path: Path, stamp: str) -> Volume:  # noqa: ARG001 - a changed file is read again
    return open_only_volume(path)[1].load()


def make_file_stamp(path: Path) -> str:
    """Changes when a file, or one in a folder, changes."""
    status = [one.stat() for one in _files(path)]
    return ";".join(f"{one.st_size},{one.st_mtime_ns}" for one in status)


def hash_item(path: Path, index: int | None = None) -> str:
    """Of the content of a file, or of all files in a folder; of a slice of it."""
    whole = _sha256(path, make_file_stamp(path))
    return whole if index is None else hashlib.sha256(f"{whole}#{index}".encode()).hexdigest()


@lru_cache(maxsize=1)
def _sha256(path: Path, stamp: str) -> str:  # noqa: ARG001 - a changed file is read again
    hashes = []
    for one in _files(path):
        with one.open("rb") as stream:
            hashes.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return hashes[0] if path.is_file() else hashlib.sha256("".join(hashes).encode()).hexdigest()


def _files(path: Path) -> list[Path]:
    return sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
