"""Studies that were read, as a data set in the trainer's form: the verdict is the label."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tumorviewer.errors import InputError
from tumorviewer.files import replace_atomically
from tumorviewer.imaging.display import grey
from tumorviewer.language import tr
from tumorviewer.records.entries import Verdict, WorklistEntry
from tumorviewer.records.facade import Records
from tumorviewer.records.identity import study_key, volume_key
from tumorviewer.study import open_paths
from tumorviewer.study.types import Refused, Study, VolumeReader

TABLE = "dataset.csv"
_HEADER = ("path", "label", "patient_id", "slice", "group")

Progress = Callable[[int, int], None]
"""Told how many of how many studies are done; may raise
:class:`tumorviewer.errors.Cancelled`."""


@dataclass(frozen=True)
class Exported:
    """What left."""

    table: Path
    items: int
    patients: int
    left_out: tuple[Refused, ...]
    """Studies that did not leave, and why."""


@dataclass(frozen=True)
class _Shown:
    """Where a study shows what its reader says."""

    entry: WorklistEntry
    label: str
    volume: VolumeReader
    position: int
    """Of the volume in its study."""
    slices: tuple[int, ...]


def export_training_data(
    records: Records,
    studies: Sequence[int],
    folder: Path,
    *,
    pictures: bool = True,
    progress: Progress | None = None,
) -> Exported:
    """Write ``dataset.csv``: ``path,label,patient_id,slice,group``, a row for each key
    slice, which is counted from 1.

    The slices are those that the reader named, else those that decided the answer of the model that
    was asked last, else the only one. Patients are pseudonyms, which is what splits are grouped by.

    Parameters
    ----------
    studies
        Those without a verdict are left out.
    folder
        A new or empty one.
    pictures
        Whether the slices leave as pictures (PNG, at the window in which they were read), or the
        table refers to the site's own files; these must then lie below `folder`.

    Raises
    ------
    InputError
        If the folder is not empty or cannot be written, or nothing was read.
    """
    _check_empty(folder, pictures)
    rows: dict[int, list[tuple[str, ...]]] = {}
    left_out: list[Refused] = []
    for done, number in enumerate(studies):
        if progress:
            progress(done, len(studies))
        entry = records.worklist.get(number)
        try:
            shown = _shown(records, entry)
        except InputError as error:
            left_out.append(Refused(entry.source, error.reason, error.remedy))
            continue
        refer = _pictured(shown, folder) if pictures else _referred(shown, folder)
        rows[number] = [_row(shown, path, at) for path, at in refer]
    if not rows:
        first = left_out[0] if left_out else Refused("", tr("No studies were chosen."))
        raise InputError(
            str(folder), tr("Nothing can leave: {reason}", reason=first.reason), first.remedy
        )
    together = [row for of_study in rows.values() for row in of_study]
    _write(folder / TABLE, together)
    for number, of_study in rows.items():
        records.trail.note("sent to training", number, slices=len(of_study))
    patients = {row[-1] for row in together}
    return Exported(folder / TABLE, len(together), len(patients), tuple(left_out))


def _check_empty(folder: Path, pictures: bool) -> None:
    taken = any(folder.iterdir()) if pictures and folder.is_dir() else (folder / TABLE).exists()
    if taken or (folder.exists() and not folder.is_dir()):
        raise InputError(
            str(folder), tr("There is something in it already."), tr("Choose a new folder.")
        )


def _shown(records: Records, entry: WorklistEntry) -> _Shown:
    verdict = records.verdicts.current(entry.id)
    if verdict is None:
        raise InputError(entry.source, tr("Nobody has read it."), tr("Give a verdict first."))
    key, slices = _where(records, entry, verdict)
    study = _open(records, entry)
    volumes = [
        (volume_key(series, volume), volume)
        for series in study.series
        for volume in series.volumes
        if not volume.repeats
    ]
    chosen = [at for at, (name, _) in enumerate(volumes) if key in (None, name)]
    if len(chosen) != 1:
        reason = tr("The volume that was read is not in its files.") if key else tr("Which volume?")
        raise InputError(entry.source, reason, tr("Say in the verdict where it shows."))
    volume = volumes[chosen[0]][1]
    slices = slices or ((0,) if volume.shape[0] == 1 else ())
    if not slices or max(slices) >= volume.shape[0]:
        reason = tr("It is not known which slices show it.")
        raise InputError(entry.source, reason, tr("Ask a model, or name them in the verdict."))
    return _Shown(entry, verdict.label, volume, chosen[0], slices)


def _where(
    records: Records, entry: WorklistEntry, verdict: Verdict
) -> tuple[str | None, tuple[int, ...]]:
    """Volume and slices that the reader named, else that the model decided by."""
    if verdict.volume is not None and verdict.slices:
        return verdict.volume, verdict.slices
    answers = [one for one in records.findings.of(entry.id) if one.volume == verdict.volume]
    deciding = answers[0] if answers else records.findings.deciding(entry.id)
    if deciding is None or verdict.volume not in (None, deciding.volume):
        return verdict.volume, ()
    return deciding.volume, tuple(sorted(deciding.document["key_slices"]))


def _open(records: Records, entry: WorklistEntry) -> Study:
    opened = open_paths(records.worklist.paths(entry.id))
    for study in opened.studies:
        if study_key(study) == entry.key:
            return study
    reason = tr("Its files have changed or are gone.")
    raise InputError(entry.source, reason, tr("Open it again and read it anew."))


def _pictured(shown: _Shown, folder: Path) -> Iterator[tuple[str, str]]:
    """Write the slices as pictures, private to this user."""
    pictures = folder / "pictures"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pictures.mkdir(mode=0o700, exist_ok=True)
    volume = shown.volume.load()
    stem = f"{shown.entry.pseudonym}-{shown.entry.key[:12]}-{shown.position + 1}"
    for index in shown.slices:
        path = pictures / f"{stem}-{index + 1:03}.png"
        with _writing(path) as beside:
            Image.fromarray(grey(volume, index)).save(beside, "PNG")
        yield path.relative_to(folder).as_posix(), ""


def _referred(shown: _Shown, folder: Path) -> Iterator[tuple[str, str]]:
    """The files that hold the slices, and their numbers, from 1, where a file holds several."""
    files = [file.path.resolve() for file in shown.volume.files]
    root, count = folder.resolve(), shown.volume.shape[0]
    if not all(file.is_relative_to(root) for file in files):
        reason = tr("Its files do not lie below {folder}.", folder=folder)
        raise InputError(
            shown.entry.source, reason, tr("Send pictures, or put the table above them.")
        )
    if len(files) not in (1, count):
        raise InputError(
            shown.entry.source, tr("Its slices are spread over files."), tr("Send pictures.")
        )
    for index in shown.slices:
        path = files[index if len(files) == count else 0]
        yield path.relative_to(root).as_posix(), "" if len(files) == count else str(index + 1)


def _row(shown: _Shown, path: str, at: str) -> tuple[str, ...]:
    return path, shown.label, shown.entry.pseudonym, at, shown.entry.pseudonym


def _write(path: Path, rows: Sequence[Sequence[str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    writer.writerows(rows)
    with _writing(path) as beside:
        beside.write_text(text.getvalue(), "utf-8")


@contextmanager
def _writing(path: Path) -> Iterator[Path]:
    try:
        with replace_atomically(path) as beside:
            yield beside
    except OSError as error:
        reason = tr("It cannot be written: {error}.", error=error.strerror or error)
        raise InputError(str(path), reason, tr("Make room or choose another folder.")) from error
