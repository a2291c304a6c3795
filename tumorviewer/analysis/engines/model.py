"""A model that answers, whatever computes it. No torch.

Arrays are NumPy's, on this side of the engine: 155 feature maps are 40 MB, and are copied from a
GPU once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.trust.ood_detector import OodDetector
from tumorviewer.analysis.trust.similar_cases import SimilarCaseIndex
from tumorviewer.models.card import ModelCard

# Shape suffixes: N slices, T slices of a series, C channels, S input side, H W feature map,
# D embedding, K classes.

Floats = NDArray[np.float32]
Levels = NDArray[np.uint8]
"""``(N, S, S)`` grey levels, or ``(N, T, S, S)`` of slices with their neighbours."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network says of some slices."""

    features: Floats
    """``(N, C, H, W)``: the feature map that saliency explains."""
    logits: Floats
    """``(N, K)``."""
    stages: Floats | None
    """What :class:`~tumorviewer.analysis.trust.ood_detector.OodDetector` looks at; None for a model
    that cannot tell what is like its training data."""


class Model(ABC):
    """A network ready to answer, and its card."""

    card: ModelCard
    arrays: dict[str, NDArray[np.generic]]
    """As :func:`tumorviewer.models.bundle.read_trust_arrays` answers."""
    is_ensemble = False

    @cached_property
    def ood(self) -> OodDetector | None:
        """What is like its training data; None if nobody measured it."""
        known = self.card.trust.familiarity if self.card.trust else None
        return OodDetector(known, self.arrays) if known else None

    @cached_property
    def similar(self) -> SimilarCaseIndex | None:
        """Its training items; None if nobody made an index of them."""
        described = self.card.trust.similar if self.card.trust else None
        if described is None:
            return None
        arrays = {
            name.removeprefix("similar."): array
            for name, array in self.arrays.items()
            if name.startswith("similar.")
        }
        return SimilarCaseIndex(arrays, self.card.classes, described.sources)

    @property
    @abstractmethod
    def computed_by(self) -> str:
        """Device and engine, as a finding states them: ``"cpu (2 threads)"``."""

    @property
    @abstractmethod
    def has_moved(self) -> bool:
        """Whether it is elsewhere than where it was loaded to."""

    @property
    @abstractmethod
    def batch(self) -> int:
        """Slices at a time where there is memory for them."""

    @abstractmethod
    def free_memory(self) -> None:
        """Give back what is kept for the next batch, after memory ran out."""

    @abstractmethod
    def move_to_cpu(self) -> bool:
        """Whether it was on another device and runs on the CPU now."""

    @abstractmethod
    def ask(self, pictures: Levels) -> Answers:
        """What the network says of prepared slices."""

    @abstractmethod
    def logits_of(self, images_NTSS: Floats) -> Floats:
        """``(N, K)`` of grey images in 0–1."""

    @abstractmethod
    def embed(self, features_NCHW: Floats) -> Floats:
        """``(N, D)`` of feature maps."""

    @abstractmethod
    def disagreement(self, features_NCHW: Floats) -> NDArray[np.float64]:
        """``(N,)`` in 0–1, of an ensemble's members."""

    @abstractmethod
    def explain_features(
        self, method: str, features_NCHW: Floats, target: int, against: int | None = None
    ) -> Floats:
        """Raw maps ``(N, H, W)`` in the method's own units, negative values included.

        Parameters
        ----------
        method
            One of :data:`tumorviewer.analysis.methods.METHODS` that does not need the picture.
        target
            The class to explain, by its place among the logits.
        against
            Another class: the map then shows what speaks for ``target`` rather than for it.
        """

    @abstractmethod
    def explain_pictures(
        self,
        method: str,
        pictures: Levels,
        target: int,
        against: int | None = None,
        tick: Callable[[], None] | None = None,
    ) -> Floats:
        """As :meth:`explain_features`, for methods that need the pictures themselves.

        Parameters
        ----------
        tick
            Called before each forward pass; it may raise to stop.
        """


def to_images(pictures: Levels) -> Floats:
    """Grey levels as a network takes them: ``(N, T, S, S)`` in 0–1, with T = 1 of ``(N, S, S)``."""
    images: Floats = (pictures[:, None] if pictures.ndim == 3 else pictures).astype(np.float32)
    return images / np.float32(255)
