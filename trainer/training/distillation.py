"""Finished models as teachers: their averaged probabilities on the student's pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from tumorviewer.errors import InputError
from tumorviewer.models import Preprocessing, weights

SoftTargets = Callable[[Tensor], Tensor]
"""Pictures ``(N, 1, S, S)`` to a teacher's probabilities ``(N, K)``."""


@dataclass(frozen=True)
class Distillation:
    """How much a teacher counts beside the labels."""

    teacher: SoftTargets
    weight: float
    temperature: float


def load_teachers(
    folders: list[Path],
    classes: tuple[str, ...],
    preprocessing: Preprocessing,
    held_out: str,
    device: torch.device,
) -> SoftTargets:
    """The ensemble of some bundles.

    Parameters
    ----------
    held_out
        Fingerprint of the student's validation items: a teacher must not have seen them.

    Raises
    ------
    InputError
        If a bundle is refused, has other classes or another crop, or was trained on items that
        the student is validated on.
    """
    teachers = []
    for folder in folders:
        card, network = weights.load_weights(folder)
        theirs = card.preprocessing
        if card.classes != classes:
            raise InputError(str(folder), f"The teacher knows {', '.join(card.classes)}.")
        if (theirs.crop, theirs.margin) != (preprocessing.crop, preprocessing.margin):
            raise InputError(str(folder), "The teacher crops pictures in another way.")
        if held_out and card.training.get("split", {}).get("validation_sha256") != held_out:
            reason = "The teacher was not trained on this split, and may know validation items."
            raise InputError(str(folder), reason, "Name the teachers of each fold with {fold}.")
        network = network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        teachers.append((network, theirs.size, card.temperature))

    def soft_targets(pictures_N1SS: Tensor) -> Tensor:
        total: Tensor | None = None
        for network, size, temperature in teachers:
            seen = pictures_N1SS
            if seen.shape[-1] != size:
                seen = functional.interpolate(seen, (size, size), mode="bilinear", antialias=True)
            probabilities = torch.softmax(network(seen).float() / temperature, 1)
            total = probabilities if total is None else total + probabilities
        assert total is not None
        return total / len(teachers)

    return soft_targets
