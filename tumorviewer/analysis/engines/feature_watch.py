"""What the stages of a torch network compute, for the distance from the training data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional


class FeatureWatch:
    """Takes what some stages of a network compute, averaged over parts of the picture."""

    def __init__(self, network: nn.Module, stages: Sequence[str], cells: int) -> None:
        self._network, self._stages, self._cells = network, stages, cells
        self._taken: dict[str, Tensor] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Each forward pass meanwhile replaces what was taken before."""
        hooks = [
            self._network.get_submodule(name).register_forward_hook(partial(self._take, name))
            for name in self._stages
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _take(self, name: str, module: nn.Module, inputs: object, output: Tensor) -> None:  # noqa: ARG002
        self._taken[name] = functional.adaptive_avg_pool2d(output, self._cells)

    def features(self) -> NDArray[np.float32]:
        """``(N, C, H, W)`` of the last forward pass."""
        features: NDArray[np.float32] = self.stacked().cpu().numpy()
        return features

    def stacked(self) -> Tensor:
        """The same where the network runs."""
        return torch.cat([self._taken[name].float() for name in self._stages], 1)
