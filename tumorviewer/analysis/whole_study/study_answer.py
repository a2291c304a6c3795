"""The answer for a study: a kind of tumour, none found, or why neither can be said. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.finding import ModelIdentity

AnswerKind = Literal["kind", "no_tumour", "cannot_say"]


@dataclass(frozen=True)
class SeriesRead:
    """Which volume of a study the answer is from; travels to the worker."""

    source: str
    """File or folder of the series."""
    title: str
    series_instance_uid: str | None
    volume: str
    """Label of the volume within its series."""
    sequence: str
    """A value of :class:`tumorviewer.imaging.sequences.Sequence`; empty if nothing tells."""
    doubt: str = ""
    """What makes the sequence uncertain, in words."""


@dataclass(frozen=True, eq=False)
class StudyCandidate:
    """One thing in a volume that could be a tumour."""

    probability: float
    """0–1, that it is a tumour. Ranks candidates; it is not calibrated on studies."""
    probabilities: dict[str, float]
    """Of the kinds of tumour, by class, sum 1; empty if it could not be named."""
    named_classes: tuple[str, ...]
    """The kind; the two most probable ones where one alone is not sure enough."""
    volume_ml: float | None
    """None where there are no millimetres, like the next two."""
    diameters_mm: tuple[float, float] | None
    """Longest diameter in the slice of its largest area, and the longest across it."""
    centre_mm: tuple[float, float, float] | None
    """LPS+, of its voxels' centre of mass."""
    slices: tuple[int, ...]
    """That it appears in, ascending, from 0."""
    key_slice: int
    """Of its largest area."""
    packed: NDArray[np.uint8]
    """:attr:`mask` as bits, what travels and is kept."""
    shape: tuple[int, int, int]
    """Slices, rows, columns of the volume."""

    @property
    def named_class(self) -> str | None:
        """The kind, if it is a single one."""
        return self.named_classes[0] if len(self.named_classes) == 1 else None

    @property
    def mask(self) -> NDArray[np.bool_]:
        """``(slice, row, column)`` in the volume's own grid."""
        count = int(np.prod(self.shape))
        return np.unpackbits(self.packed, count=count).astype(np.bool_).reshape(self.shape)


def pack_mask(mask_DHW: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A mask as :attr:`StudyCandidate.packed`."""
    return np.packbits(mask_DHW)


@dataclass(frozen=True, eq=False)
class StudyAnswer:
    """What is said of one study."""

    source: str
    """File or folder of the study."""
    answer: AnswerKind
    named_classes: tuple[str, ...]
    """The kind, or the two that it may be; none for the other answers."""
    reason: str
    """In words: what the answer rests on, or why there is none."""
    series_read: SeriesRead | None
    """None if the study holds nothing that the model reads."""
    present: tuple[str, ...]
    """What the study holds: its sequences as far as they are known, else titles of series."""
    candidates: tuple[StudyCandidate, ...] = ()
    """The most probable first."""
    doubts: tuple[str, ...] = ()
    """Why the answer must not be relied on, in words. It is then shown without emphasis."""
    models: tuple[ModelIdentity, ...] = ()
    """Which models were asked, the one that outlines first."""
    labels: tuple[tuple[str, str], ...] = ()
    """Classes with what a reader sees for each."""
    no_tumour: str | None = None
    """The class that means that there is none."""

    @property
    def named_class(self) -> str | None:
        """The kind, if it is a single one."""
        return self.named_classes[0] if len(self.named_classes) == 1 else None

    @property
    def agreeing_classes(self) -> tuple[str, ...]:
        """The classes that a reader who agrees may give; none where nothing was answered."""
        if self.answer == "no_tumour":
            return (self.no_tumour,) if self.no_tumour else ()
        return self.named_classes

    @property
    def is_muted(self) -> bool:
        """Whether the headline is shown without emphasis."""
        return bool(self.doubts) or self.answer == "cannot_say"
