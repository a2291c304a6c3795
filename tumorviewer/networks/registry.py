"""One registry of architectures by name, and what they all have in common."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

# Shape suffixes: N pictures, C channels, S input side, H W feature map, K classes.


class Classifier(nn.Module):
    """A network cut in two at the feature map that saliency explains.

    ``trunk`` takes ``(N, 1, S, S)`` to that map, ``(N, C, H, W)``; ``head`` takes the map to
    ``(N, K)`` logits. A family decides where to cut; gradient-based maps then need to
    differentiate the head alone.
    """

    trunk: nn.Module
    head: nn.Module
    input_size: int
    """The side that the family was designed for; other sizes work."""
    pretrained = "trunk."
    """Prefix of the tensors that published weights of the family fill."""

    def forward(self, x_N1SS: Tensor) -> Tensor:
        """Logits of grey pictures in 0–1."""
        logits: Tensor = self.head(self.trunk(x_N1SS))
        return logits


Builder = Callable[..., Classifier]
_B = TypeVar("_B", bound=Builder)
_builders: dict[str, Builder] = {}


def register(name: str) -> Callable[[_B], _B]:
    """Enter a builder ``(classes: int, **options) -> Classifier`` under ``name``."""

    def enter(builder: _B) -> _B:
        _builders[name] = builder
        return builder

    return enter


def architectures() -> tuple[str, ...]:
    """The names that :func:`create` knows."""
    return tuple(sorted(_builders))


def create(name: str, classes: int, **options: Any) -> Classifier:
    """Build an untrained network.

    Raises
    ------
    ValueError
        If the name or an option is unknown.
    """
    if name not in _builders:
        msg = f"unknown architecture {name!r}; known are {', '.join(architectures())}"
        raise ValueError(msg)
    known = set(inspect.signature(_builders[name]).parameters) - {"classes"}
    if unknown := set(options) - known:
        msg = (
            f"{name} has no option {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}"
        )
        raise ValueError(msg)
    return _builders[name](classes, **options)


class Normalise(nn.Module):
    """Grey 0–1 to what a trunk was designed for: ``(x − mean) / std``, on one or three channels."""

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        # on the CPU even when the network is laid out on the meta device: no file holds them
        self.register_buffer(
            "mean", torch.tensor(mean, device="cpu").view(1, -1, 1, 1), persistent=False
        )
        self.register_buffer(
            "std", torch.tensor(std, device="cpu").view(1, -1, 1, 1), persistent=False
        )

    def forward(self, x_N1SS: Tensor) -> Tensor:
        """``(N, 1, S, S)`` to ``(N, len(mean), S, S)``."""
        return (x_N1SS - self.mean) / self.std  # type: ignore[operator]
