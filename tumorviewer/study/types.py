"""Study ▸ Series ▸ Volume, and the things that were left out.

Coordinates: voxel indices are ``(slice, row, column)``; patient coordinates are LPS+ millimetres
(x grows to the patient's left, y to the back, z to the head), as DICOM has them (PS3.3 C.7.6.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tumorviewer.study.notes import Note
from tumorviewer.study.stamps import Stamp


class Placement(Enum):
    """What a volume's affine is worth."""

    PATIENT = "patient"
    """Position and orientation in the patient are known: millimetres and letters."""
    SCALED = "scaled"
    """Only the pixel spacing is known: millimetres in the plane, no letters."""
    NONE = "none"
    """A picture: neither millimetres nor letters."""


@dataclass(frozen=True)
class Window:
    """A value-of-interest window (PS3.3 C.11.2.1.2), in the volume's own units."""

    centre: float
    width: float
    name: str = field(default="", compare=False)
    """What it is called: windows of other names may be the same."""
    function: str = "LINEAR"
    """``LINEAR``, ``LINEAR_EXACT`` or ``SIGMOID``."""


@dataclass(frozen=True, eq=False)
class Volume:
    """A stack of parallel slices: the only thing that knows where a pixel is."""

    array: NDArray[Any]
    """``(slice, row, column)`` after rescale in the narrowest dtype that holds the values exactly,
    or ``(slice, row, column, 3)`` uint8 RGB."""
    affine: NDArray[np.float64]
    """4×4, takes ``(slice, row, column, 1)`` at voxel centres to LPS+ mm; unit steps where
    ``placement`` says that there are no millimetres."""
    placement: Placement
    source: str
    """The file or folder it came from, as the user knows it. Shown, never logged."""
    series_instance_uid: str | None = None
    label: str = ""
    """Which volume of its series this is (``"echo 2"``); empty if it is the only one."""
    windows: tuple[Window, ...] = ()
    """Windows that the file itself states, the default first."""
    voi_lut: tuple[float, NDArray[Any]] | None = None
    """VOI LUT of the file (PS3.3 C.11.2.1.1): first mapped value, table scaled to 0–255."""
    inverted: bool = False
    """MONOCHROME1: low values are white."""
    units: str = ""
    """``"HU"`` and the like where the file states it."""
    notes: tuple[Note, ...] = ()
    """What a reader must know: gaps, uneven spacing, doubled slices, disagreeing sform, …"""
    positions: NDArray[np.float64] | None = None
    """``(slice, 3)`` LPS+ mm of each slice's first voxel, where slices are not evenly spaced and
    the affine is only near the truth."""
    missing: tuple[int, ...] = ()
    """Slices that could not be read; they hold the least value of the others."""
    padding: tuple[float, float] | None = None
    """Values, from and to, that stand for "no pixel here" (PS3.3 C.7.5.1.1.2)."""
    frame_of_reference: str | None = None
    """Frame of Reference UID (PS3.3 C.7.4.1): volumes that share it share their coordinates."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """As :attr:`Series.tags`."""

    @property
    def is_colour(self) -> bool:
        """Whether the array holds RGB."""
        return self.array.ndim == 4

    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbours along slice, row and column, mm (1 where unknown)."""
        steps = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(steps[0]), float(steps[1]), float(steps[2])


LoadingProgress = Callable[[Volume, int], None]
"""Told, while a volume loads, the volume as it fills and the index of the slice just filled. The
callback may raise :class:`tumorviewer.errors.Cancelled`."""


class SourceFile(NamedTuple):
    """A file that pixels are read from."""

    path: Path
    source: str
    """What the user knows it as: another name than the path if it was unpacked."""
    stamp: Stamp
    """As it was when it was opened."""


class VolumeReader(Protocol):
    """A volume that can be loaded: its headers were read, its pixels were not."""

    @property
    def label(self) -> str:
        """As :attr:`Volume.label`."""
        ...

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        ...

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """What holds its pixels, in the order of its slices, each file once."""
        ...

    @property
    def repeats(self) -> bool:
        """Whether it shows the same anatomy as an earlier one in its series (a later time point
        or gradient direction), so that analysing the first is enough."""
        ...

    @property
    def affine(self) -> NDArray[np.float64] | None:
        """As :attr:`Volume.affine`, where its place in the patient is known."""
        ...

    @property
    def notes(self) -> tuple[Note, ...]:
        """What is known before loading, as :attr:`Volume.notes`."""
        ...

    def load(self, progress: LoadingProgress | None = None) -> Volume:
        """Read the pixels, the middle slice first.

        Raises
        ------
        InputError
            If the pixels cannot be read.
        """
        ...


@dataclass(frozen=True)
class Series:
    """One acquisition: one or more volumes (echoes, orientations, time points, pages)."""

    title: str
    """What a list shows: description or file name."""
    volumes: tuple[VolumeReader, ...]
    source: str
    """The file or folder it came from."""
    uid: str | None = None
    """Series Instance UID; None for NIfTI and pictures."""
    modality: str = ""
    number: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    """DICOM keywords to text, for corner text and recognising sequences."""


@dataclass(frozen=True)
class Refused:
    """Something that was brought and is not shown, with the reason."""

    source: str
    reason: str
    remedy: str = ""
    is_error: bool = True
    """False for legal things that have no pixels to show (a structured report, a DICOMDIR)."""


@dataclass(frozen=True)
class Study:
    """Everything of one patient's one examination; a NIfTI file or picture is one of its own."""

    title: str
    series: tuple[Series, ...]
    uid: str | None = None
    patient_name: str = ""
    patient_id: str = ""
    date: str = ""
    """``YYYY-MM-DD`` or empty."""
    description: str = ""
    keep: object = field(default=None, repr=False, compare=False)
    """Holds the files of an unpacked archive for as long as the study lives."""


@dataclass(frozen=True)
class Opened:
    """The answer to opening some paths: what can be shown, and everything that cannot."""

    studies: tuple[Study, ...]
    refused: tuple[Refused, ...]
