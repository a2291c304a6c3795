"""One volume before one model: probabilities and raw maps of its slices, in batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tumorviewer.analysis import explain, predict
from tumorviewer.analysis.methods import METHODS
from tumorviewer.analysis.predict import Batches, Model
from tumorviewer.analysis.slices import PreparedVolume, ReportProgress
from tumorviewer.language import tr
from tumorviewer.networks.ensemble import Ensemble, measure_disagreement

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
        self._features: dict[int, Tensor] = {}
        self._room = _KEPT_BYTES
        self._probabilities: NDArray[np.float64] | None = None
        is_ensemble = isinstance(model.network, Ensemble)
        self.disagreement = np.zeros(len(prepared.slices)) if is_ensemble else None
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
            self._probabilities = predict.softmax_probabilities(torch.cat(logits), self.model.card)
        return self._probabilities

    def embedding(self, position: int) -> NDArray[np.float32]:
        """``(D,)`` of one of the prepared slices."""
        features = self._features_of([position])
        with torch.inference_mode():
            embedded = self.model.network.embed(features)[0]
        answer: NDArray[np.float32] = embedded.float().cpu().numpy()
        return answer

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
        network, text = self.model.network, tr("Making saliency maps")

        def of_features(part: list[int]) -> NDArray[np.float32]:
            features = self._features_of(part)
            return explain.explain_features(method, network, features, target, against)

        def of_pictures(part: list[int]) -> NDArray[np.float32]:
            def tick() -> None:
                if progress:
                    progress(positions.index(part[0]), len(positions), text)

            pictures = self.model.tensor(self.prepared.pictures[part])
            return explain.explain_images(method, network, pictures, target, tick, against)

        if method in explain.NEEDS_PICTURE:
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

    def _predict(self, part: list[int]) -> Tensor:
        features, logits = self._forward(part)
        if features.nbytes <= self._room:
            self._room -= features.nbytes
            self._features.update(zip(part, features, strict=True))
        if isinstance(network := self.model.network, Ensemble) and self.disagreement is not None:
            self.disagreement[part] = measure_disagreement(network.opinions(features)).cpu().numpy()
        return logits.cpu()

    def _forward(self, part: list[int]) -> tuple[Tensor, Tensor]:
        familiar, pictures = self.model.ood, self.prepared.pictures[part]
        if familiar is None or self.distances is None:
            return self.model.forward(pictures)
        watch = familiar.watch(self.model.network)
        with watch.watching():
            answer = self.model.forward(pictures)
        self.distances[part] = familiar.distances(watch.features())
        return answer

    def _features_of(self, part: list[int]) -> Tensor:
        if not all(position in self._features for position in part):
            return self.model.forward(self.prepared.pictures[part])[0]
        kept = [self._features[position].to(self.model.device) for position in part]
        return torch.stack(kept)
