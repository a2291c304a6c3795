"""Losses of outlines: cross-entropy, Dice (Milletari et al., 3DV 2016) and boundary (Kervadec et
al., MIDL 2019).

Shapes: N images, S side; logits, targets and ``known``, the pixels that count, ``(N, 1, S, S)``.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt  # type: ignore[import-untyped]
from torch import Tensor
from torch.nn import functional

_SMOOTH = 20.0
"""Pixels added to both sides of the Dice ratio, so that it is defined for an empty image."""


def cross_entropy_loss(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Mean over the known pixels."""
    each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (each * known).sum() / known.sum().clamp_min(1)


def dice_loss(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """One minus the soft Dice coefficient of each image with something outlined, their mean."""
    probability = logits.sigmoid() * known
    target = target * known
    overlap = (probability * target).flatten(1).sum(1)
    total = (probability + target).flatten(1).sum(1)
    each = 1 - (2 * overlap + _SMOOTH) / (total + _SMOOTH)
    outlined = target.flatten(1).any(1)
    return (each * outlined).sum() / outlined.sum().clamp_min(1)


def boundary_loss(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Mean of probability times signed distance to the outline (in sides, negative inside) over
    the images with something outlined."""
    distances = torch.from_numpy(_signed_distances(target.cpu().numpy() > 0)).to(logits)
    return (logits.sigmoid() * distances * known).mean()


def _signed_distances(
    inside_N1SS: NDArray[np.bool_],
) -> NDArray[np.float32]:
    found = np.zeros(inside_N1SS.shape, np.float32)
    for one, distances in zip(inside_N1SS[:, 0], found[:, 0], strict=True):
        if one.any():
            distances[:] = distance_transform_edt(~one) - distance_transform_edt(one)
    found /= inside_N1SS.shape[-1]
    return found
