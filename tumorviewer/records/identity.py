"""What makes two studies, patients or files the same."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tumorviewer.archives import SEPARATOR
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.records.entries import OnDisk, digest_json
from tumorviewer.study.types import Series, SourceFile, Study, VolumeReader


def volume_key(series: Series, volume: VolumeReader) -> str:
    """Name of a volume within its study, the same wherever its files lie."""
    return f"{series.uid or series.title}#{volume.label}"


def make_pseudonym(secret: str, study: Study, key: str) -> str:
    """The patient as a keyed hash (HMAC-SHA256), 16 hexadecimal digits.

    By patient id; by name where there is none; a study of nobody known is a patient of its own.
    """
    who = study.patient_id.strip() or fold_name(study.patient_name) or key
    return hmac.new(secret.encode(), who.encode(), hashlib.sha256).hexdigest()[:16]


def fold_name(name: str) -> str:
    """A name without what different systems write differently: case, order of signs, spaces."""
    letters = "".join(each if each.isalnum() else " " for each in name.casefold())
    return " ".join(letters.split())


@dataclass(frozen=True)
class VolumeFiles:
    """The files of one volume as they are on disk now."""

    key: str
    judged: bool
    """Whether it is one that a model is asked about."""
    files: tuple[tuple[str, int, int], ...]
    """Path, bytes, and time of change in nanoseconds of each, in the order of the slices."""

    @cached_property
    def stamp(self) -> str:
        """Changes when a file does; not when all of them are moved."""
        return digest_json([[Path(path).name, size, time] for path, size, time in self.files])

    @property
    def document(self) -> str:
        """As it is kept."""
        return json.dumps(self.files)


def list_volumes(study: Study) -> list[VolumeFiles]:
    """What is to be kept of each volume.

    Raises
    ------
    InputError
        If a file has gone.
    """
    return [
        VolumeFiles(volume_key(series, volume), not volume.repeats, tuple(_stats(volume.files)))
        for series in study.series
        for volume in series.volumes
    ]


def _stats(files: Iterable[SourceFile]) -> Iterator[tuple[str, int, int]]:
    for path in dict.fromkeys(map(_on_disk, files)):
        try:
            status = path.stat()
        except OSError as error:
            raise InputError(str(path), tr("It has gone."), tr("Open the study again.")) from error
        yield str(path), status.st_size, status.st_mtime_ns


def _on_disk(file: SourceFile) -> Path:
    """The file, or the archive that it was unpacked from."""
    is_unpacked = SEPARATOR in file.source and file.source != str(file.path)
    path = Path(file.source.partition(SEPARATOR)[0]) if is_unpacked else file.path
    return path.absolute()


def compare_files(files: Iterable[tuple[str, int, int]]) -> OnDisk:
    """What became of some files since they were noted down."""
    answer = OnDisk.THERE
    for path, size, time in files:
        try:
            status = Path(path).stat()
        except OSError:
            return OnDisk.GONE
        if (status.st_size, status.st_mtime_ns) != (size, time):
            answer = OnDisk.CHANGED
    return answer


def study_key(study: Study) -> str:
    """SHA-256 that is the same whenever the same study comes, from wherever.

    Of Study Instance UID and patient where there is a UID (careless anonymisation gives one UID to
    several patients), else of the content of its files.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    if study.uid:
        return digest_json(["dicom", study.uid, study.patient_id or fold_name(study.patient_name)])
    files = (file for series in study.series for one in series.volumes for file in one.files)
    return digest_json(
        ["content", *(_sha256(path) for path in dict.fromkeys(f.path for f in files))]
    )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            str(path), tr("It cannot be read: {error}.", error=error.strerror or error)
        ) from error
