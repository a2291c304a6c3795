"""A loaded model, and running it in batches that fit the memory there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from tumorviewer.analysis import device as devices
from tumorviewer.analysis.trust.ood_detector import OodDetector
from tumorviewer.analysis.trust.similar_cases import SimilarCaseIndex
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.models import ModelCard, bundle, weights
from tumorviewer.networks import Classifier
from tumorviewer.networks.ensemble import Ensemble

# Shape suffixes: N slices, C channels, S input side, H W feature map, K classes.

BATCH = {"cpu": 4, "cuda": 64, "mps": 32}
"""Slices at a time. On a CPU larger batches are slower (fresh memory for each activation), and a
cancelled analysis stops between batches."""
_T = TypeVar("_T")


@dataclass(eq=False)
class Model:
    """A network ready to answer, where it runs, and its card."""

    card: ModelCard
    network: Classifier
    device: torch.device
    arrays: dict[str, NDArray[np.generic]] = field(default_factory=dict)
    """As :func:`tumorviewer.models.bundle.read_trust_arrays` answers."""

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

    def forward(self, pictures: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        """Feature maps ``(N, C, H, W)`` and logits ``(N, K)``, both on the model's device."""
        with torch.inference_mode():
            features: Tensor = self.network.trunk(self.tensor(pictures))
            return features, self.network.head(features)

    def tensor(self, pictures: NDArray[np.uint8]) -> Tensor:
        """Pictures as the network takes them: float32 in 0–1 on its device, ``(N, 1, S, S)`` of
        ``(N, S, S)``, and ``(N, T, S, S)`` as they are."""
        x = torch.from_numpy(pictures).to(self.device)
        return (x[:, None] if x.ndim == 3 else x).float() / 255

    def to(self, device: torch.device) -> None:
        """Move to another device."""
        self.network.to(device)
        self.device = device


def load_model(folder: Path, device: str = "auto") -> Model:
    """Load a bundle, made fast for inference.

    Raises
    ------
    InputError
        If the bundle is refused or the device cannot be used.
    """
    chosen = devices.choose_device(device)
    card, network = weights.load_weights(folder)
    return Model(
        card, optimise_network(network).to(chosen), chosen, bundle.read_trust_arrays(folder)
    )


def optimise_network(network: Classifier) -> Classifier:
    """Freeze a network for inference and, where its graph can be traced, fold each batch
    normalisation of the trunk into the convolution before it; the answers are the same to rounding.

    Folding and channels-last memory together halve the time on a CPU.
    """
    network.eval().requires_grad_(False)
    for part in network.networks() if isinstance(network, Ensemble) else [network]:
        part.trunk = _fused(part.trunk)
    return network.to(memory_format=torch.channels_last)


def _fused(part: nn.Module) -> nn.Module:
    try:
        return fuse(part).requires_grad_(False)
    except (torch.fx.proxy.TraceError, TypeError, RuntimeError):  # data-dependent control flow
        return part


def softmax_probabilities(logits_NK: Tensor, card: ModelCard) -> NDArray[np.float64]:
    """Softmax of the logits over the card's temperature (Guo et al., ICML 2017).

    Raises
    ------
    InputError
        If a logit is not finite.
    """
    logits_NK = logits_NK.double().cpu()
    if not logits_NK.isfinite().all():
        raise InputError(
            card.name,
            tr("The model gave an answer that is not a number."),
            tr("Choose another model."),
        )
    answer: NDArray[np.float64] = (logits_NK / card.temperature).softmax(dim=1).numpy()
    return answer


@dataclass
class Batches:
    """Cuts work into batches; when memory runs out into smaller ones, then moves to the CPU."""

    model: Model
    flags: list[str] = field(default_factory=list)
    """Where memory ran out, in words."""

    def __post_init__(self) -> None:
        self._size = BATCH[self.model.device.type]

    def run(
        self, positions: list[int], work: Callable[[list[int]], _T], most: int | None = None
    ) -> Iterator[tuple[list[int], _T]]:
        """``work`` on successive parts of ``positions``, of at most ``most`` each.

        Raises
        ------
        InputError
            If there is not even memory for one at a time on the CPU.
        """
        start = 0
        while start < len(positions):
            part = positions[start : start + min(self._size, most or self._size)]
            try:
                done = work(part)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                done = None
            if done is None:
                self._make_do(len(part))
                continue
            start += len(part)
            yield part, done

    def _make_do(self, tried: int) -> None:
        """With less memory: half the batch, and the CPU when that was one."""
        if self.model.device.type == "cuda":
            torch.cuda.empty_cache()
        if tried > 1:
            self._size = tried // 2
            self._say(tr("Memory ran short; the slices were computed in smaller batches."))
        elif self.model.device.type != "cpu":
            name = devices.describe_device(self.model.device)
            self._say(tr("{name} ran out of memory; the rest was computed on the CPU.", name=name))
            self.model.to(torch.device("cpu"))
            self._size = BATCH["cpu"]
        else:
            raise InputError(
                self.model.card.name,
                tr("There is not enough memory to run the model."),
                tr("Close other programs, or choose a smaller model."),
            )

    def _say(self, flag: str) -> None:
        if flag not in self.flags:
            self.flags.append(flag)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch or NumPy means that memory ran out, on any device."""
    signs = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(
        sign in str(error).lower() for sign in signs
    )
