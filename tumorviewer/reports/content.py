"""Everything that a document needs, taken at the moment it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from tumorviewer.study.types import Volume

RESEARCH_USE = "Research use only"
Presence = Literal["present", "absent", "indeterminate"]


@dataclass(frozen=True)
class ClassProbability:
    """What the model gives one class."""

    name: str
    """In the model's card."""
    label: str
    """English display name."""
    probability: float


@dataclass(frozen=True)
class ModelContent:
    """Which model answered."""

    name: str
    version: str
    sha256: str
    limits: tuple[str, ...] = ()


@dataclass(frozen=True)
class AnswerContent:
    """What the model says of a study, or of its one volume."""

    classes: tuple[ClassProbability, ...]
    """Most probable first; empty where the image is out of the model's distribution."""
    named: str | None
    """The class that is the answer; None where the model abstains."""
    no_tumour: str | None
    """The class that means "no tumour found"."""
    sentences: str
    """The answer in words."""
    model: ModelContent
    time: datetime
    """When it was computed, with a time zone."""
    sets: tuple[tuple[float, tuple[str, ...]], ...] = ()
    """Coverage and class names of each prediction set."""
    notes: tuple[str, ...] = ()
    """What a reader must know of it."""
    key_slices: tuple[int, ...] = ()
    """Indices in the volume, most telling first."""
    judged: int = 0
    """How many slices were judged."""
    either: tuple[str, ...] = ()
    """The classes that it may be, where there is a tumour and no single one is named."""

    @property
    def presence(self) -> Presence:
        """Whether it says that there is a tumour."""
        if self.named is not None:
            return "absent" if self.named == self.no_tumour else "present"
        return "present" if self.either else "indeterminate"


@dataclass(frozen=True)
class VerdictContent:
    """What a reader decided."""

    name: str
    """Of the class, in the model's card."""
    label: str
    reader: str
    time: datetime
    signed: bool
    comment: str = ""
    confidence: float | None = None


@dataclass(frozen=True)
class FrameReference:
    """The frame that a slice was read from."""

    header: int
    """Index among the headers of the source series."""
    frame: int
    """From 1, in its instance."""


@dataclass(frozen=True, eq=False)
class SourceSeries:
    """The DICOM series that was read."""

    headers: tuple[Dataset, ...]
    """Of its instances, without pixels, repaired on a copy."""
    frames: tuple[FrameReference, ...]
    """Of each slice of the volume."""
    repairs: tuple[str, ...] = ()
    """What was repaired, in words."""

    @property
    def first(self) -> Dataset:
        """The header that stands for the series, patient and study."""
        return self.headers[0]

    @property
    def is_multi_frame(self) -> bool:
        """Whether its frames are in one instance."""
        return "NumberOfFrames" in self.first and int(self.first.NumberOfFrames) > 1


@dataclass(frozen=True, eq=False)
class ReportContent:
    """A result with everything that its documents show."""

    volume: Volume
    answer: AnswerContent
    source: SourceSeries | None = None
    """None where the volume was not read from DICOM."""
    verdict: VerdictContent | None = None
    outline: NDArray[np.bool_] | None = None
    """``(slice, row, column)`` on the volume's grid."""
    outline_model: ModelContent | None = None
    """The model that drew the outline; None where a reader did."""
    outline_by: str = ""
    """The reader who drew it."""
    maps: Mapping[int, NDArray[np.float32]] = field(default_factory=dict)
    """Saliency by slice, ``(rows, columns)`` in 0–1, times its strength."""
    map_method: str = ""
    patient_name: str = ""
    patient_id: str = ""
    patient_birth_date: str = ""
    patient_sex: str = ""
    study_date: str = ""
    study_description: str = ""
    series_title: str = ""
    measurements: tuple[tuple[str, str], ...] = ()
    """Name and value with unit, in words."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """English display names by class name."""

    def label(self, name: str) -> str:
        """What a class is called in English."""
        return self.labels.get(name, name)
