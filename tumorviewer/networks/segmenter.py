"""What the segmenting architectures have in common, and their registry by name.

Shapes: N images, S side, K classes, C channels, H W feature map.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class Segmented(NamedTuple):
    """What a segmenter answers, all of it before sigmoid or softmax."""

    tumour: Tensor
    """``(N, 1, S, S)`` logits of a pixel to be tumour."""
    brain: Tensor | None = None
    """``(N, 1, S, S)`` logits of a pixel to be brain or tumour; None from the papers' networks."""
    classes: Tensor | None = None
    """``(N, K)`` logits of what the outlined tissue is; None from the papers' networks."""


class Segmenter(nn.Module):
    """A network that outlines. Images are grey in 0–1, ``(N, 1, S, S)``; volumes, for a network
    with :attr:`dimensions` 3, ``(N, 1, S, S, S)``."""

    dimensions = 2
    multiple: int
    """The side is a multiple of it."""
    pretrained = ""
    """Prefix of the tensors that published weights fill; empty: there are none."""
    published: Mapping[str, str] = MappingProxyType({})
    """Names of tensors in those published weights to the names here."""
    names = False
    """Whether it also outlines the brain and answers ``classes``: it then has :meth:`features`,
    :meth:`outlines` and :meth:`classify`."""

    def forward(self, x_N1SS: Tensor) -> Segmented:
        """Logits of grey images in 0–1."""
        raise NotImplementedError

    def features(self, x_N1SS: Tensor) -> list[Tensor]:
        """Feature maps, the deepest last."""
        raise NotImplementedError

    def outlines(self, maps: list[Tensor], side: int) -> Tensor:
        """Logits ``(N, 2, S, S)`` of tumour and of brain."""
        raise NotImplementedError

    def classify(self, map_NCHW: Tensor, outline_N1SS: Tensor) -> Tensor:
        """Logits ``(N, K)`` of what lies under an outline in 0–1, from the deepest map."""
        raise NotImplementedError


Builder = Callable[..., Segmenter]
_B = TypeVar("_B", bound=Builder)
_builders: dict[str, Builder] = {}


def register_segmenter(name: str) -> Callable[[_B], _B]:
    """Enter a builder ``(classes: int, **options) -> Segmenter`` under ``name``; ``classes`` counts
    what the outlined tissue may be."""

    def enter(builder: _B) -> _B:
        _builders[name] = builder
        return builder

    return enter


def segmenters() -> tuple[str, ...]:
    """The names that :func:`create_segmenter` knows."""
    return tuple(sorted(_builders))


def create_segmenter(name: str, classes: int, **options: Any) -> Segmenter:
    """Build an untrained segmenter.

    Raises
    ------
    ValueError
        If the name or an option is unknown.
    """
    if name not in _builders:
        msg = f"unknown segmenter {name!r}; known are {', '.join(segmenters())}"
        raise ValueError(msg)
    known = set(inspect.signature(_builders[name]).parameters) - {"classes"}
    if unknown := set(options) - known:
        msg = (
            f"{name} has no option {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}"
        )
        raise ValueError(msg)
    return _builders[name](classes, **options)


def fold_batch_norms(network: nn.Module) -> None:
    """Fold each batch normalisation into the convolution before it, in place, for inference; the
    answers are the same to rounding."""
    for part in network.modules():
        if not isinstance(part, nn.Sequential):
            continue
        for place in range(len(part) - 1):
            before, after = part[place], part[place + 1]
            if isinstance(before, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                part[place], part[place + 1] = fuse_conv_bn_eval(before, after), nn.Identity()
