"""What an archive can be asked for, and what it answers, whichever protocol it speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydicom.dataset import Dataset

from tumorviewer.errors import InputError
from tumorviewer.language import tr

_WILDCARDS = "*?\\"


@dataclass(frozen=True)
class StudyQuery:
    """What is looked for; what is empty does not restrict."""

    patient_id: str = ""
    accession: str = ""
    date: str = ""
    """``YYYYMMDD`` or a range ``YYYYMMDD-YYYYMMDD``."""
    name: str = ""
    """Of the patient; only by DIMSE."""


@dataclass(frozen=True)
class StudyMatch:
    """What an archive says of a study. Names may be damaged on the way: who the patient is, is
    taken from the objects."""

    study_uid: str
    patient_name: str
    patient_id: str
    date: str
    description: str
    modalities: str
    accession: str
    instances: int | None


@dataclass(frozen=True)
class StoreAnswer:
    """What came of storing one object."""

    is_stored: bool
    is_permanent: bool = False
    """Whether trying again is useless."""
    reason: str = ""


@dataclass(frozen=True)
class Fetched:
    """What came of fetching a study."""

    files: tuple[Path, ...]
    problems: tuple[str, ...]
    """What did not come, in words."""


def ignore_progress(_count: int) -> None:
    """For those who do not follow a transfer."""


class Archive(Protocol):
    """An archive that is being talked to; errors are :class:`InputError` in words."""

    def test(self) -> str:
        """Ask whether it is there and lets us in; answers what it said, in words."""
        ...

    def find(self, query: StudyQuery) -> list[StudyMatch]:
        """Studies that match."""
        ...

    def fetch(
        self, study_uid: str, folder: Path, progress: Callable[[int], object] = ignore_progress
    ) -> Fetched:
        """All objects of a study into a folder; `progress` is told how many came so far, and what
        it raises breaks the transfer off."""
        ...

    def store(self, paths: Sequence[Path]) -> Iterator[tuple[Path, StoreAnswer]]:
        """Send files; an answer for each, as it comes."""
        ...

    def read_back(self, reference: Dataset) -> Dataset | None:
        """An object as the archive has it, of the UIDs of `reference`; None if it has none."""
        ...


def check_query(query: StudyQuery) -> None:
    """Refuse a query for everything, and wildcards where an id is meant.

    Raises
    ------
    InputError
        What to change.
    """
    source = tr("query")
    if query == StudyQuery():
        raise InputError(source, tr("It asks for everything."), tr("Give an id, number or date."))
    if any(sign in query.patient_id + query.accession for sign in _WILDCARDS):
        reason = tr("Patient ID and accession number are looked for as they are, without * and ?.")
        raise InputError(source, reason)


def file_name(study_uid: str, sop_instance_uid: str) -> Path:
    """Where a fetched object lies below the folder; UIDs hold nothing but digits and dots."""
    parts = ("".join(c for c in uid if c in "0123456789.") for uid in (study_uid, sop_instance_uid))
    study, instance = (part.strip(".") or "0" for part in parts)
    return Path(study) / f"{instance}.dcm"
