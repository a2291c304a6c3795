"""The one result of an analysis, and its saliency in the volume's own grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.preprocess import Box, restore


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

    def on_slice(self, index: int) -> NDArray[np.float32] | None:
        """The map of one slice in the volume's grid, ``(rows, columns)`` in 0–1 times strength;
        None if the slice has no map."""
        if index not in self.slices:
            return None
        at = self.slices.index(index)
        restored = restore(self.maps[at], self.boxes[at], self.shape)
        restored *= self.strength[at]
        return restored


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

    @property
    def predicted_class(self) -> str:
        """The most probable class."""
        return self.classes[int(np.argmax(self.probabilities))]
