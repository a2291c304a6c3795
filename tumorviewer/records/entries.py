"""What is kept: entries of the worklist, findings, verdicts, annotations and the audit trail.

Times are UTC, ISO 8601 with milliseconds (``2026-11-21T12:43:00.000Z``): they sort as text.
A ``study`` is :attr:`WorklistEntry.id`; a ``volume`` is what
:func:`tumorviewer.records.identity.volume_key` says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from tumorviewer.analysis.finding import ModelIdentity


class StudyState(Enum):
    """How far a study has come."""

    NEW = "new"
    ANALYSED = "analysed"
    READ = "read"
    """A reader gave a verdict that agrees with the model, or no model named a class."""
    DISAGREES = "disagrees"
    """A reader gave a verdict that is none of the classes that the model named."""
    SIGNED = "signed"


class OnDisk(Enum):
    """What became of a study's files."""

    THERE = "there"
    CHANGED = "changed"
    GONE = "gone"


class WorklistOrder(Enum):
    """What the worklist is sorted by; the newest study first among equals."""

    NEWEST = "newest"
    PRIORITY = "priority"
    TUMOUR = "tumour"
    """Most probable tumour first."""
    DOUBT = "doubt"
    """Most doubtful answer first."""
    PATIENT = "patient"
    ADDED = "added"
    """Last added first."""


@dataclass(frozen=True)
class WorklistQuery:
    """Which studies to show; what is empty does not restrict."""

    text: str = ""
    """Words that all occur in name, patient id, description, title, modality, date or path."""
    states: tuple[StudyState, ...] = ()
    classes: tuple[str, ...] = ()
    """Of the reader's verdict, or of the model where there is none."""
    since: str = ""
    """``YYYY-MM-DD``, that day included."""
    until: str = ""
    order: WorklistOrder = WorklistOrder.NEWEST


@dataclass(frozen=True)
class WorklistEntry:
    """A line of the worklist."""

    id: int
    key: str
    """SHA-256 of what identifies the study, wherever its files lie."""
    uid: str | None
    """Study Instance UID."""
    title: str
    patient_name: str
    """Shown in the window only: never logged, never in the audit trail."""
    patient_id: str
    """As :attr:`patient_name`."""
    pseudonym: str
    """Keyed hash of the patient: the same for all studies of one patient."""
    description: str
    modality: str
    date: str
    source: str
    """File or folder that it was opened from."""
    state: StudyState
    priority: int
    """Higher is earlier."""
    on_disk: OnDisk
    added: str
    predicted_class: str | None
    tumour: float | None
    """Probability of a tumour; None if not analysed, if the model has no class for none, or if it
    is not the model's kind of image."""
    doubt: float | None
    """Entropy of the answer, 0 (certain) to 1 (all classes alike, or no class is named)."""
    verdict_class: str | None
    disagrees: bool
    """Whether the model named one class or several, and the verdict is none of them; signed or
    not."""
    refused: str
    """Why the model asked last could not judge it, or a volume of it; empty if it could."""


@dataclass(frozen=True)
class FindingEntry:
    """What one model said of one volume, as it was kept."""

    id: int
    study: int
    volume: str
    time: str
    model: ModelIdentity
    predicted_class: str
    tumour: float | None
    doubt: float
    """As :attr:`WorklistEntry.doubt`."""
    margin: float
    """Probability of the first class less that of the second."""
    document: Mapping[str, Any]
    """As ``classify --json``, and ``labels`` and ``no_tumour``."""


@dataclass(frozen=True)
class Verdict:
    """What a reader decided. It is never overwritten: a correction is another one."""

    id: int
    study: int
    label: str
    """The class, by its name in the model's card."""
    confidence: float | None
    """0–1, as the reader stated it."""
    comment: str
    reader: str
    time: str
    before_answer: bool
    """Whether it was given before the model's answer was shown."""
    signed: bool
    corrects: int | None
    """The verdict that this one takes the place of."""
    finding: int | None
    """The finding that the reader had before them, if any."""
    volume: str | None
    """The volume that it is about; None for the study."""
    slices: tuple[int, ...]
    """Where the reader sees it, indices in the volume; empty if not stated."""


@dataclass(frozen=True)
class Annotation:
    """A measurement, text or point, in patient space."""

    id: str
    """Chosen by who makes it: a UUID."""
    type: str
    """``distance``, ``angle``, ``ellipse``, ``text``, …"""
    volume: str
    points_mm: tuple[tuple[float, float, float], ...]
    """LPS+ mm; ``(column, row, slice)``, whole numbers at pixel centres, where the volume is a
    picture without millimetres: what its affine of unit steps makes of them."""
    text: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    """What was measured, and anything else its maker wants back."""


@dataclass(frozen=True)
class AuditEntry:
    """Who did what, and when; each entry holds the hash of the one before it."""

    number: int
    """From 1, without gaps."""
    time: str
    who: str
    host: str
    action: str
    study: str | None
    """:attr:`WorklistEntry.key`."""
    details: Mapping[str, Any]
    previous: str
    """Hash of the entry before; 64 zeros for the first."""

    @property
    def hash(self) -> str:
        """SHA-256 of the previous hash and of everything else as canonical JSON."""
        return digest_json(asdict(self))


@dataclass(frozen=True)
class Fault:
    """Something that the audit trail shows was tampered with or lost."""

    number: int | None
    """Of the entry where it shows; None if it is no entry."""
    reason: str


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, without spaces, ASCII only: the same text for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest_json(value: Any) -> str:
    """SHA-256 of :func:`canonical_json`."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
