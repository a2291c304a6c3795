"""Answers to unequal classes: weights in the loss, the focal loss, oversampling.

Shapes: N pictures, K classes.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


def compute_class_weights(labels_N: NDArray[np.int64], classes: int) -> Tensor:
    """``(K,)``, inverse to the classes' frequencies; their mean over the pictures is 1."""
    counts = np.bincount(labels_N, minlength=classes)
    weights = len(labels_N) / (classes * np.maximum(counts, 1))
    return torch.tensor(weights, dtype=torch.float32)


def compute_loss(
    logits_NK: Tensor, target_NK: Tensor, weights_K: Tensor | None, smoothing: float, gamma: float
) -> Tensor:
    """Mean over pictures of the cross-entropy, or of the focal loss where ``gamma`` is not 0.

    The sum is divided by N, and not by the sum of the weights as for labels that are numbers:
    the mean of a batch is then the mean of its parts, which accumulation and several processes
    rely on.

    Parameters
    ----------
    target_NK
        Probabilities: one-hot labels, perhaps mixed.
    smoothing
        Share of the target that is spread over all classes.
    gamma
        Of the focal loss, −Σ t (1 − p)^γ log p (Lin et al., ICCV 2017, equation 4): what is
        right already counts less.
    """
    if not gamma:
        return functional.cross_entropy(logits_NK, target_NK, weights_K, label_smoothing=smoothing)
    target_NK = target_NK * (1 - smoothing) + smoothing / target_NK.shape[1]
    log_p = functional.log_softmax(logits_NK, 1)
    each = -target_NK * (-torch.expm1(log_p)).clamp_min(1e-8) ** gamma * log_p
    if weights_K is not None:
        each = each * weights_K
    return each.sum(1).mean()


def shuffle_rows(
    rows_N: Tensor, labels_N: Tensor, oversample: bool, generator: torch.Generator
) -> Tensor:
    """Rows in random order; oversampled, every class is as frequent as the most frequent one.

    Pictures of the rarer classes are then repeated as equally often as possible, and none is
    left out.
    """
    if not oversample:
        return rows_N[torch.randperm(len(rows_N), generator=generator)]
    members = [rows_N[labels_N == label] for label in torch.unique(labels_N)]
    most = max(len(one) for one in members)
    drawn = torch.cat([_repeated(one, most, generator) for one in members])
    return drawn[torch.randperm(len(drawn), generator=generator)]


def _repeated(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    order = rows[torch.randperm(len(rows), generator=generator)]
    return order.repeat(-(-count // len(rows)))[:count]
