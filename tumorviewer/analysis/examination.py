"""One volume before one model: probabilities and raw maps of its slices, in batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.engines.batches import Batches, softmax_probabilities
from tumorviewer.analysis.engines.model import Floats, Model
from tumorviewer.analysis.methods import METHODS
from tumorviewer.analysis.slices import PreparedVolume, ReportProgress
from tumorviewer.language import tr

# Shape suffixes: N slices, C channels, H W feature map, K classes.

_KEPT_BYTES = 2**27
"""Feature maps kept after prediction; what is over is computed again when it is explained."""
_T = TypeVar("_T")


class Examination:
    """Runs the trunk once for prediction and explanation: feature maps are kept, within bounds,
    so that another method or class can be asked for at little cost."""

    def __init__(self, prepared: PreparedVolume, model: Model) -> None:
        self.prepared = prepared
        self.model = model
        self._batches = Batches(model)
        self._features: dict[int, Floats] = {}
        self._room = _KEPT_BYTES
        self._probabilities: NDArray[np.float64] | None = None
        self.disagreement = np.zeros(len(prepared.slices)) if model.is_ensemble else None
        """``(slices,)`` of an ensemble's members, 0–1, once :meth:`probabilities` was asked for."""
        self.distances = np.zeros(len(prepared.slices)) if model.ood else None
        """``(slices,)`` from the training data, likewise; None for a model that cannot tell."""

    @property
    def flags(self) -> tuple[str, ...]:
        """Where memory ran out, in words."""
        return tuple(self._batches.flags)

    def probabilities(self, progress: ReportProgress | None = None) -> NDArray[np.float64]:
        """``(slices, classes)`` of every prepared slice; computed once.

        Raises
        ------
        InputError
            If the model's answer is not finite, or memory does not suffice.
        """
        if self._probabilities is None:
            every = list(range(len(self.prepared.slices)))
            logits = self._each(self._predict, every, tr("Looking at slices"), progress)
            self._probabilities = softmax_probabilities(np.concatenate(logits), self.model.card)
        return self._probabilities

    def embedding(self, position: int) -> NDArray[np.float32]:
        """``(D,)`` of one of the prepared slices."""
        embedding: Floats = self.model.embed(self._features_of([position]))[0]
        return embedding

    def raw_maps(
        self,
        method: str,
        target: int,
        positions: list[int],
        progress: ReportProgress | None = None,
        against: int | None = None,
    ) -> NDArray[np.float32]:
        """Maps before scaling, ``(len(positions), H, W)``, at the feature map's resolution.

        Parameters
        ----------
        target
            The class to explain, by its place among the card's classes.
        positions
            Which of the prepared slices.
        against
            The class that the map speaks against, or None.
        """
        model, text = self.model, tr("Making saliency maps")

        def of_features(part: list[int]) -> Floats:
            return model.explain_features(method, self._features_of(part), target, against)

        def of_pictures(part: list[int]) -> Floats:
            def tick() -> None:
                if progress:
                    progress(positions.index(part[0]), len(positions), text)

            pictures = self.prepared.pictures[part]
            return model.explain_pictures(method, pictures, target, against, tick)

        if METHODS[method].needs_picture:
            most = 1 if METHODS[method].is_slow else None
            maps = self._each(of_pictures, positions, text, progress, most)
        else:
            maps = self._each(of_features, positions, text, progress)
        return np.concatenate(maps)

    def _each(
        self,
        work: Callable[[list[int]], _T],
        positions: list[int],
        text: str,
        progress: ReportProgress | None,
        most: int | None = None,
    ) -> list[_T]:
        results: list[_T] = []
        done = 0
        for part, result in self._batches.run(positions, work, most):
            results.append(result)
            done += len(part)
            if progress:
                progress(done, len(positions), text)
        return results

    def _predict(self, part: list[int]) -> Floats:
        answers = self.model.ask(self.prepared.pictures[part])
        if answers.features.nbytes <= self._room:
            self._room -= answers.features.nbytes
            self._features.update(zip(part, answers.features, strict=True))
        if self.disagreement is not None:
            self.disagreement[part] = self.model.disagreement(answers.features)
        if self.distances is not None and self.model.ood and answers.stages is not None:
            self.distances[part] = self.model.ood.distances(answers.stages)
        return answers.logits

    def _features_of(self, part: list[int]) -> Floats:
        if not all(position in self._features for position in part):
            return self.model.ask(self.prepared.pictures[part]).features
        return np.stack([self._features[position] for position in part])
