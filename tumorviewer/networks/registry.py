"""One registry of architectures by name, and what they all have in common."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

# Shape suffixes: N pictures, T slices of a series, C channels, S input side, H W feature map,
# D embedding, K classes.


IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
"""Mean and deviation of red, green and blue that torchvision's weights expect."""
HALF = ([0.5] * 3, [0.5] * 3)
"""Those that take 0–1 to −1–1, as TensorFlow's weights expect it."""


class Classifier(nn.Module):
    """A network cut in two at the feature map that saliency explains, its head cut in two again.

    ``trunk`` takes pictures to that map, ``(N, C, H, W)``; ``head`` takes the map to an embedding
    ``(N, D)`` and that to ``(N, K)`` logits. A family decides where to cut. Gradient-based maps
    need to differentiate the head alone, a frozen network needs to be trained from its embeddings
    alone.

    Pictures are grey in 0–1: ``(N, 1, S, S)``, or ``(N, 2k + 1, S, S)`` with ``k`` neighbouring
    slices on each side, in the order of the stack, for a network that
    :attr:`takes_neighbours` (``Preprocessing.neighbours`` of its card).
    """

    trunk: nn.Module
    head: nn.Module
    """A sequence of steps, except in an ensemble, which overrides what cuts it."""
    embedding: int = 2
    """So many of the head's steps make the embedding."""
    input_size: int
    """The side that the family was designed for; other sizes work."""
    smallest: int = 32
    """The least side that leaves something to classify."""
    attends = False
    """Whether the network has attention of its own, which :meth:`scores` answers."""
    is_guidable = False
    """Whether :meth:`scores` answers anything."""
    takes_neighbours = False
    """Whether the channels of a picture are neighbouring slices."""
    pretrained = "trunk."
    """Prefix of the tensors that published weights of the family fill."""
    upper: tuple[str, ...] = ("head.",)
    """Prefixes of what is trained when only the upper layers are."""
    torchvision = ""
    """Name of torchvision's model whose published weights fit, if there is one."""
    normalises_as_torchvision = True
    """Whether pictures reach those weights as torchvision normalises them."""
    published: Mapping[str, str] = MappingProxyType({})
    """Names of tensors in those published weights to the names here."""

    def forward(self, x_NTSS: Tensor) -> Tensor:
        """Logits of grey pictures in 0–1."""
        logits: Tensor = self.head(self.trunk(x_NTSS))
        return logits

    def embed(self, maps_NCHW: Tensor) -> Tensor:
        """Embedding ``(N, D)`` of feature maps."""
        assert isinstance(self.head, nn.Sequential)
        embedded: Tensor = self.head[: self.embedding](maps_NCHW)
        return embedded

    def classify(self, embedding_ND: Tensor) -> Tensor:
        """Logits ``(N, K)`` of an embedding: ``head(maps) == classify(embed(maps))``."""
        assert isinstance(self.head, nn.Sequential)
        logits: Tensor = self.head[self.embedding :](embedding_ND)
        return logits

    def scores(self, maps_NCHW: Tensor) -> Tensor | None:  # noqa: ARG002
        """What each place of the map says: attention before its softmax, ``(N, 1, H, W)``, or the
        classes' activation maps, ``(N, K, H, W)``. Guided training holds it against outlines of
        the tumour."""
        return None

    def shown(self, maps_NCHW: Tensor) -> Tensor:
        """The channels of the feature map that saliency is drawn from: all, unless some of them
        do not belong to places of the picture."""
        return maps_NCHW

    def objection(self, size: int, neighbours: int) -> str:
        """Why it cannot take pictures of that side and with so many neighbouring slices on each
        side, in a sentence; empty if it can."""
        if neighbours and not self.takes_neighbours:
            return "The network takes no neighbouring slices."
        if size < self.smallest:
            return f"Pictures of {size} pixels are too small for it; it needs {self.smallest}."
        return ""


def match_tensors(theirs: nn.Module, ours: nn.Module) -> dict[str, str]:
    """Names in ``theirs`` to names in ``ours`` of the tensors that both share."""
    names = {id(tensor): name for name, tensor in ours.state_dict(keep_vars=True).items()}
    return {
        name: names[id(tensor)]
        for name, tensor in theirs.state_dict(keep_vars=True).items()
        if id(tensor) in names
    }


Builder = Callable[..., Classifier]
_B = TypeVar("_B", bound=Builder)
_builders: dict[str, Builder] = {}


def register_architecture(name: str) -> Callable[[_B], _B]:
    """Enter a builder ``(classes: int, **options) -> Classifier`` under ``name``."""

    def enter(builder: _B) -> _B:
        _builders[name] = builder
        return builder

    return enter


def list_architectures() -> tuple[str, ...]:
    """The names that :func:`create_network` knows."""
    return tuple(sorted(_builders))


def create_network(name: str, classes: int, **options: Any) -> Classifier:
    """Build an untrained network.

    Raises
    ------
    ValueError
        If the name or an option is unknown.
    """
    if name not in _builders:
        msg = f"unknown architecture {name!r}; known are {', '.join(list_architectures())}"
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
