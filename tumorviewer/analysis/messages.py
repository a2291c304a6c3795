"""What the desktop and the worker process say to each other. No torch, no Qt."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tumorviewer.analysis.finding import Finding, Saliency, SimilarCases, Variation
from tumorviewer.analysis.methods import BEST
from tumorviewer.analysis.slices import PreparedVolume
from tumorviewer.analysis.trust.map_verdict import MapCheck
from tumorviewer.analysis.whole_study.study_answer import SeriesRead, StudyAnswer
from tumorviewer.study.types import Volume

# Requests, from the desktop to its client.


@dataclass(frozen=True, eq=False)
class Analyse:
    """Ask a model about a volume; answered with a :class:`Finding`."""

    volume: Volume
    model: Path
    """The bundle's folder."""
    device: str = "auto"
    method: str | None = BEST
    """Of the saliency maps; None for none."""
    target: str | None = None
    """The class to explain; None for the predicted one."""


@dataclass(frozen=True, eq=False)
class Explain:
    """Ask for other saliency maps of a volume; answered with a :class:`Saliency`. It is quick for
    the volume and model that were analysed last."""

    volume: Volume
    model: Path
    method: str
    target: str
    slices: Sequence[int] | None = None
    """None for all, or for the deciding ones if the method is slow."""
    device: str = "auto"
    against: str = ""
    """A class to explain the target against; empty for none."""


@dataclass(frozen=True, eq=False)
class CheckMap:
    """Ask how far the saliency map of one slice may be believed; answered with a
    :class:`MapCheck`. It is quick for the volume and model that were analysed last."""

    volume: Volume
    model: Path
    method: str
    target: str
    index: int
    """Of the slice in the volume."""
    against: str = ""
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class FindSimilar:
    """Ask for the training items most like a slice; answered with :class:`SimilarCases`."""

    volume: Volume
    model: Path
    slice: int
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class Vary:
    """Ask what small changes do to the answer of a slice; answered with :class:`Variation`."""

    volume: Volume
    model: Path
    slice: int
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class AnswerStudy:
    """Ask what a study shows, from the volume that is read for it; answered with a
    :class:`StudyAnswer`. It is quicker for the volume and model that were analysed last."""

    volume: Volume
    model: Path
    """The bundle's folder of the model that names slices."""
    finder: Path | None
    """That of the model that outlines; None if there is none."""
    read: SeriesRead
    """Which series the volume is."""
    present: tuple[str, ...]
    """As :attr:`StudyAnswer.present`."""
    source: str = ""
    """Of the study; that of the series if empty."""
    device: str = "auto"


Request = Analyse | Explain | CheckMap | FindSimilar | Vary | AnswerStudy


# Events, from the client to the desktop. Each request ends in one Done, Failed or Cancelled.


@dataclass(frozen=True)
class SelfTest:
    """Whether this computer can analyse, and if not, why."""

    ok: bool
    """Whether models can run, if only on the CPU."""
    versions: dict[str, str]
    """Of each library that could be imported."""
    device: str
    """Where ``auto`` computes, in words; empty if nowhere."""
    problems: tuple[str, ...]
    """What cannot be used and why; an unusable GPU is one, and does not prevent an answer."""


@dataclass(frozen=True)
class Ready:
    """The worker has started and imported everything it needs."""

    selftest: SelfTest


@dataclass(frozen=True)
class ProgressEvent:
    """A request advances."""

    id: int
    done: int
    total: int
    text: str
    """What is being done."""


@dataclass(frozen=True, eq=False)
class Done:
    """A request is answered."""

    id: int
    result: Finding | Saliency | MapCheck | SimilarCases | Variation | StudyAnswer


@dataclass(frozen=True)
class Failed:
    """A request cannot be answered."""

    id: int
    message: str
    """For the reader."""
    detail: str = ""
    """For the log: where in the program it happened; nothing of the patient. Empty if it was the
    volume, which will not be judged another time either."""


@dataclass(frozen=True)
class RequestCancelled:
    """A request was given up, as asked."""

    id: int


@dataclass(frozen=True)
class Died:
    """The worker is gone; the next request starts another."""

    reason: str


def unexpected(identifier: int, message: str, error: Exception) -> Failed:
    """A failure with the kind and place of its error for the log; not its text, which may name a
    patient."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    detail = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
    return Failed(identifier, message, detail)


Event = Ready | ProgressEvent | Done | Failed | RequestCancelled | Died


# Between the client and its worker process.


@dataclass(frozen=True, eq=False)
class StudyTask:
    """What a task needs to answer for a study."""

    grey: Volume
    """As :func:`tumorviewer.analysis.slices.to_grey_volume` makes it."""
    finder: Path | None
    read: SeriesRead
    present: tuple[str, ...]
    source: str


@dataclass(frozen=True, eq=False)
class Task:
    """A request as it travels."""

    id: int
    model: Path
    device: str
    method: str | None
    target: str | None
    slices: Sequence[int] | None
    maps_only: bool
    """Whether the answer is a :class:`Saliency` and not a :class:`Finding`."""
    prepared: PreparedVolume | None
    """The volume as prepared slices; None if the worker has them."""
    against: str = ""
    checked: int | None = None
    """The slice whose map is to be checked; the answer is then a :class:`MapCheck`."""
    similar_to: int | None = None
    """The slice to find similar training items for; the answer is then :class:`SimilarCases`."""
    varied: int | None = None
    """The slice to change; the answer is then :class:`Variation`."""
    study: StudyTask | None = None
    """The answer is then a :class:`StudyAnswer`."""
