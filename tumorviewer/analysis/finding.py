"""The one result of an analysis, and its saliency in the volume's own grid."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.methods import METHODS
from tumorviewer.analysis.preprocess import Box, restore_map
from tumorviewer.analysis.trust.map_verdict import MapCheck
from tumorviewer.language import tr, trn
from tumorviewer.study.notes import Note


@dataclass(frozen=True)
class ModelIdentity:
    """Which model answered."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, eq=False)
class Saliency:
    """Class activation maps of some slices, at the network's input resolution."""

    method: str
    target: str
    """The class that is explained."""
    class_agnostic: bool
    """True for EigenCAM: the map is the same whatever the class."""
    slices: tuple[int, ...]
    """Index in the volume of each map, ascending."""
    maps: NDArray[np.float32]
    """``(len(slices), S, S)`` in 0–1, each scaled to its own maximum, as pytorch-grad-cam does;
    all zero where the slice has no positive evidence."""
    peaks: NDArray[np.float32]
    """``(len(slices),)`` maximum of each map before scaling, in the method's own units."""
    strength: NDArray[np.float32]
    """``(len(slices),)`` in 0–1: the probability of a tumour on the slice. A map is drawn times
    its strength, so that "no tumour" is not stretched to full scale."""
    boxes: tuple[Box, ...]
    """Where each map lies on its slice."""
    shape: tuple[int, int]
    """Rows and columns of a slice."""
    notes: tuple[str, ...] = ()
    """What the reader must know of these maps, in words: empty ones, one map for all classes."""
    against: str = ""
    """A class that is not the target: the map then shows what speaks for the target rather than
    for that class."""
    checks: tuple[MapCheck, ...] = ()
    """Of the slices that were asked for."""

    def on_slice(self, index: int) -> NDArray[np.float32] | None:
        """The map of one slice in the volume's grid, ``(rows, columns)`` in 0–1 times strength;
        None if the slice has no map."""
        if index not in self.slices:
            return None
        at = self.slices.index(index)
        restored = restore_map(self.maps[at], self.boxes[at], self.shape)
        restored *= self.strength[at]
        return restored

    def levels_on_slice(self, index: int) -> NDArray[np.uint8] | None:
        """As :meth:`on_slice`, in 256 levels, which is quicker."""
        if index not in self.slices:
            return None
        at = self.slices.index(index)
        levels = np.rint(255 * self.maps[at] * self.strength[at]).astype(np.uint8)
        return restore_map(levels, self.boxes[at], self.shape)


def join_saliency(first: Saliency, second: Saliency, label: str) -> Saliency:
    """The maps of both, which are of one volume, method and class.

    Parameters
    ----------
    second
        Its map is taken where both have one of the same slice.
    label
        The class in words.
    """
    kept = [at for at, index in enumerate(first.slices) if index not in second.slices]
    slices = np.array([*(first.slices[at] for at in kept), *second.slices])
    boxes = [*(first.boxes[at] for at in kept), *second.boxes]
    order = np.argsort(slices)
    peaks = np.concatenate([first.peaks[kept], second.peaks])[order]
    return replace(
        second,
        slices=tuple(slices[order].tolist()),
        maps=np.concatenate([first.maps[kept], second.maps])[order],
        peaks=peaks,
        strength=np.concatenate([first.strength[kept], second.strength])[order],
        boxes=tuple(boxes[at] for at in order),
        notes=describe_maps(second.method, label, peaks),
    )


def describe_maps(method: str, label: str, peaks: NDArray[np.float32]) -> tuple[str, ...]:
    """:attr:`Saliency.notes` of maps with these peaks, for the class with this label."""
    chosen, notes = METHODS[method], []
    if chosen.class_agnostic:
        notes.append(tr("{title} shows the same map whatever the class.", title=chosen.title))
    if empty := int(np.count_nonzero(peaks <= 0)):
        told = trn(
            "No positive evidence for {label} on the slice: the map is empty there.",
            "No positive evidence for {label} on {empty} of {count} slices: the map is empty "
            "there.",
            len(peaks),
            label=tr(label),
            empty=empty,
        )
        notes.append(told)
    return tuple(notes)


@dataclass(frozen=True)
class PredictionSet:
    """Classes that hold the true one as often as promised (conformal prediction)."""

    promise: float
    """0.9: in nine of ten cases like those it was calibrated on."""
    classes: tuple[str, ...]
    """Most probable first; empty where no class is like the cases it was calibrated on."""


@dataclass(frozen=True)
class OodAssessment:
    """Whether this is what the model was made for."""

    level: Literal["inside", "unusual", "outside"]
    """Outside: no class is shown unless the reader insists."""
    distance: float
    """From the training data, in the unit of the card's thresholds."""
    reasons: tuple[str, ...]
    """Why it is not inside, in words."""


@dataclass(frozen=True)
class SimilarCase:
    """A training item that looks to the model much as a slice does."""

    label: str
    """Its class."""
    source: str
    """The data set it is from."""
    similarity: float
    """Cosine of the embeddings, at most 1."""
    digest: str
    """Of its file, as :func:`tumorviewer.models.bundle.item_digest` has it."""
    slice: int
    """Index in its volume; -1 for a picture."""
    row: int
    """In the model's index."""


@dataclass(frozen=True)
class SimilarCases:
    """The training items most like one slice, each of another patient or group."""

    slice: int
    """Index in the volume."""
    cases: tuple[SimilarCase, ...]
    """The most similar first."""


@dataclass(frozen=True)
class Variation:
    """What a slice's answer becomes if the picture is mirrored, shifted, brighter or darker."""

    slice: int
    """Index in the volume."""
    target: str
    """Its most probable class, unchanged."""
    unchanged: float
    """Probability of that class."""
    low: float
    """The lowest that it gets by a change."""
    high: float
    others: tuple[str, ...]
    """Classes that some change makes the most probable one."""


@dataclass(frozen=True, eq=False)
class Finding:
    """What one model says of one volume."""

    source: str
    series_instance_uid: str | None
    volume: str
    """Label of the volume within its series."""
    model: ModelIdentity
    classes: tuple[str, ...]
    labels: dict[str, str]
    no_tumour: str | None
    probabilities: NDArray[np.float64]
    """``(classes,)`` for the volume, sum 1."""
    slices: tuple[int, ...]
    """The slices that were judged, ascending; blank ones are not among them."""
    slice_probabilities: NDArray[np.float64]
    """``(len(slices), classes)``."""
    pooling: str
    """The rule from slices to volume, in words."""
    key_slices: tuple[int, ...]
    """The deciding slices, most telling first."""
    saliency: Saliency | None
    flags: tuple[str, ...]
    """What the reader must know of this answer, in words."""
    device: str
    """Where it was computed: ``"cpu (2 threads)"``, ``"cuda: NVIDIA H100"``."""
    disagreement: NDArray[np.float64] | None = None
    """``(len(slices),)`` in 0–1, Jensen-Shannon divergence of an ensemble's members; None for a
    single network."""
    sets: tuple[PredictionSet, ...] = ()
    """By rising promise; none for a model without calibrated sets."""
    abstains: str = ""
    """Why no single class is named, in words; empty if one is."""
    candidates: tuple[str, ...] = ()
    """The classes that are then named together, most probable first; none where that would rule
    nothing out."""
    variation: Variation | None = None
    """Of the most telling slice; None if it was not asked for."""
    ood: OodAssessment | None = None
    """None for a model that does not know its own kind."""
    similar: SimilarCases | None = None
    """To the most telling slice; None for a model without an index of its training items."""
    inputs: dict[str, float] = field(default_factory=dict)
    """Medians over the deciding slices of what
    :func:`tumorviewer.analysis.trust.training_cohort.measure_intensities` answers."""
    notes: tuple[Note, ...] = ()
    """What was noted of the volume when it was read."""

    @property
    def named_class(self) -> str | None:
        """The class to show: the most probable one, unless the model abstains or this is not its
        kind of image."""
        return None if self.abstains or self.is_outside else self.predicted_class

    @property
    def is_outside(self) -> bool:
        """Whether this is not the model's kind of image: no class is shown unless the reader
        insists."""
        return self.ood is not None and self.ood.level == "outside"

    @property
    def predicted_class(self) -> str:
        """The most probable class."""
        return self.classes[int(np.argmax(self.probabilities))]
