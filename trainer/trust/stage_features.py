"""What a model's stages make of pictures: the features that kinds of image are told apart by.

Shapes: N pictures, T slices of a series, S side, C channels of all stages together, H W parts of
the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainer.tools.progress import Progress
from tumorviewer.analysis.engines.batches import Batches
from tumorviewer.analysis.engines.feature_watch import FeatureWatch
from tumorviewer.analysis.predict import TorchModel

Features = NDArray[np.float32]
Pictures = NDArray[np.uint8]

CELLS = 4
"""Each stage is averaged over so many by so many parts of the picture."""
_PARTS = 4
"""The narrowest stage of each fourth of the network is looked at, and the last."""


@dataclass(frozen=True)
class FeatureExtractor:
    """Looks at pictures with the stages of a model's network."""

    model: TorchModel
    stages: Mapping[str, int]
    """By name, how many channels each has."""
    progress: Progress

    def choices(self) -> Iterator[tuple[str, tuple[str, ...], slice]]:
        """Stages that one may look at, in words, by name, and as channels of the features."""
        *_, (last, channels) = self.stages.items()
        yield "the last stage", (last,), slice(-channels, None)
        if len(self.stages) > 1:
            yield f"{len(self.stages)} stages", tuple(self.stages), slice(None)

    def look(self, what: str, pictures: Pictures) -> Features:
        """``(N, C, H, W)`` of pictures ``(N, S, S)`` or ``(N, T, S, S)``; for a network of series,
        single ones are repeated in the place of their neighbours."""
        neighbours = self.model.card.preprocessing.neighbours
        if neighbours and pictures.ndim == 3:
            pictures = np.repeat(pictures[:, None], 2 * neighbours + 1, axis=1)
        watch = FeatureWatch(self.model.network, tuple(self.stages), CELLS)
        found: list[Features] = []

        def ask(part: list[int]) -> Features:
            with watch.watching(), torch.inference_mode():
                self.model.network.trunk(self.model.tensor(np.ascontiguousarray(pictures[part])))
            return watch.features()

        for part, features in Batches(self.model).run(list(range(len(pictures))), ask):
            found.append(features)
            self.progress(f"looking at {what}", part[-1] + 1, len(pictures))
        return np.concatenate(found)

    def look_at_all(self, kinds: Mapping[str, Pictures]) -> dict[str, Features]:
        """As :meth:`look`, by name."""
        return {name: self.look(name, pictures) for name, pictures in kinds.items()}


def make_feature_extractor(
    model: TorchModel, picture: Pictures, progress: Progress
) -> FeatureExtractor:
    """One for the stages that a network has.

    Parameters
    ----------
    picture
        Any ``(1, S, S)`` or ``(1, T, S, S)``, to find them by.
    """
    channels: dict[str, int] = {}

    def note(name: str, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[-1] > 1:
            channels[name] = output.shape[1]

    trunk = model.network.trunk
    leaves = {f"trunk.{name}": one for name, one in trunk.named_modules() if _is_leaf(name, one)}
    hooks = [
        one.register_forward_hook(lambda _module, _inputs, output, name=name: note(name, output))
        for name, one in leaves.items()
    ]
    try:
        with torch.inference_mode():
            last = trunk(model.tensor(picture)).shape[1]
    finally:
        for hook in hooks:
            hook.remove()
    stages = {name: channels[name] for name in _narrowest(channels)} | {"trunk": last}
    return FeatureExtractor(model, stages, progress)


def _is_leaf(name: str, module: nn.Module) -> bool:
    return bool(name) and not any(module.children())


def _narrowest(channels: Mapping[str, int]) -> list[str]:
    """Of each fourth but the first, which sees edges only: the last stage with the fewest."""
    parts = np.array_split(np.array(list(channels)), _PARTS)[1:]
    return [
        str(min(part[::-1], key=lambda name: channels[str(name)])) for part in parts if len(part)
    ]
