"""Temperature scaling (Guo et al., ICML 2017)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

_SPREAD = 0.5
"""Of the logarithm of temperatures that are expected, before any item is seen, around 0."""


def fit_temperature(logits_NK: NDArray[np.float64], labels_N: NDArray[np.int64]) -> float:
    """What logits are divided by: the most likely on held-out items, within 0.05–20.

    Where a few items are all answered rightly, the likelihood alone would be highest at 0, which
    makes every answer certain; a log-normal prior around 1 holds against that. Beside a hundred
    items and more it weighs little.
    """
    logits, labels = torch.from_numpy(logits_NK), torch.from_numpy(labels_N)
    logarithm = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([logarithm], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimiser.zero_grad()
        loss = functional.cross_entropy(logits / logarithm.exp(), labels, reduction="sum")
        loss = (loss + logarithm.square() / (2 * _SPREAD**2)) / len(labels)
        loss.backward()
        return float(loss.detach())

    optimiser.step(closure)
    return float(np.clip(float(logarithm.detach().exp()), 0.05, 20))
