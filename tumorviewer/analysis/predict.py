"""A model that torch runs: on any device, with every method."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from tumorviewer.analysis import device as devices
from tumorviewer.analysis import explain
from tumorviewer.analysis.engines.feature_watch import FeatureWatch
from tumorviewer.analysis.engines.model import Answers, Floats, Levels, Model, to_images
from tumorviewer.models import ModelCard, bundle, weights
from tumorviewer.networks import Classifier
from tumorviewer.networks.ensemble import Ensemble, measure_disagreement

# Shape suffixes: N slices, C channels, S input side, H W feature map, K classes.

BATCH = {"cpu": 4, "cuda": 64, "mps": 32}
"""Slices at a time. On a CPU larger batches are slower (fresh memory for each activation), and a
cancelled analysis stops between batches."""


@dataclass(eq=False)
class TorchModel(Model):
    """A network of torch, and where it runs."""

    card: ModelCard
    network: Classifier
    device: torch.device
    arrays: dict[str, NDArray[np.generic]] = field(default_factory=dict)
    _has_moved: bool = field(default=False, init=False)

    @property
    def is_ensemble(self) -> bool:  # type: ignore[override]
        """Whether its members may disagree."""
        return isinstance(self.network, Ensemble)

    @property
    def computed_by(self) -> str:
        """The device in words."""
        return devices.describe_device(self.device)

    @property
    def has_moved(self) -> bool:
        """Whether memory ran out where it was loaded to."""
        return self._has_moved

    @property
    def batch(self) -> int:
        """Slices at a time where there is memory for them."""
        return BATCH[self.device.type]

    def free_memory(self) -> None:
        """Give back what a GPU keeps for the next batch."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def move_to_cpu(self) -> bool:
        """Whether it was on another device and runs on the CPU now."""
        if self.device.type == "cpu":
            return False
        self.to(torch.device("cpu"))
        self._has_moved = True
        return True

    def to(self, device: torch.device) -> None:
        """Move to another device."""
        self.network.to(device)
        self.device = device

    def forward(self, pictures: Levels) -> tuple[Tensor, Tensor]:
        """Feature maps ``(N, C, H, W)`` and logits ``(N, K)``, both on the model's device."""
        with torch.inference_mode():
            features: Tensor = self.network.trunk(self.tensor(pictures))
            return features, self.network.head(features)

    def tensor(self, pictures: Levels) -> Tensor:
        """Pictures as the network takes them: float32 in 0–1 on its device, ``(N, 1, S, S)`` of
        ``(N, S, S)``, and ``(N, T, S, S)`` as they are."""
        x = torch.from_numpy(pictures).to(self.device)
        return (x[:, None] if x.ndim == 3 else x).float() / 255

    def ask(self, pictures: Levels) -> Answers:
        """What the network says of prepared slices."""
        known = self.ood.known if self.ood else None
        watch = FeatureWatch(self.network, known.stages, known.cells) if known else None
        with watch.watching() if watch else nullcontext():
            features, logits = self.forward(pictures)
        stages = watch.features() if watch else None
        return Answers(_to_numpy(features), _to_numpy(logits), stages)

    def logits_of(self, images_NTSS: Floats) -> Floats:
        """``(N, K)`` of grey images in 0–1."""
        with torch.inference_mode():
            return _to_numpy(self.network(self._on_device(images_NTSS)))

    def embed(self, features_NCHW: Floats) -> Floats:
        """``(N, D)`` of feature maps."""
        with torch.inference_mode():
            return _to_numpy(self.network.embed(self._on_device(features_NCHW)))

    def disagreement(self, features_NCHW: Floats) -> NDArray[np.float64]:
        """``(N,)`` in 0–1, of an ensemble's members."""
        assert isinstance(self.network, Ensemble)
        with torch.inference_mode():
            opinions = self.network.opinions(self._on_device(features_NCHW))
            measured: NDArray[np.float64] = measure_disagreement(opinions).cpu().numpy()
        return measured

    def explain_features(
        self, method: str, features_NCHW: Floats, target: int, against: int | None = None
    ) -> Floats:
        """Raw maps by pytorch-grad-cam, see :func:`explain.explain_features`."""
        features = self._on_device(features_NCHW)
        return explain.explain_features(method, self.network, features, target, against)

    def explain_pictures(
        self,
        method: str,
        pictures: Levels,
        target: int,
        against: int | None = None,
        tick: Callable[[], None] | None = None,
    ) -> Floats:
        """Raw maps of methods that need the pictures, see :func:`explain.explain_images`."""
        images = self._on_device(to_images(pictures))
        return explain.explain_images(method, self.network, images, target, tick, against)

    def _on_device(self, values: Floats) -> Tensor:
        return torch.from_numpy(np.require(values, requirements="W")).to(self.device)


def _to_numpy(values: Tensor) -> Floats:
    array: Floats = values.float().cpu().numpy()
    return array


def load_model(folder: Path, device: str = "auto") -> TorchModel:
    """Load a bundle, made fast for inference.

    Raises
    ------
    InputError
        If the bundle is refused or the device cannot be used.
    """
    chosen = devices.choose_device(device)
    card, network = weights.load_weights(folder)
    return TorchModel(
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
