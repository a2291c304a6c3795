"""A model's answers to what was held out of its training, cross-fitted.

What a group's probabilities are scaled by was fitted without it.
Shapes: N items, K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation import metrics
from trainer.evaluation.bootstrap import Floats, Integers
from trainer.evaluation.temperature_scaling import fit_temperature
from trainer.trust import intervals
from trainer.trust.model_outputs import ModelOutputs

Apply = Callable[[Floats], Floats]
"""From logits to probabilities, ``(N, K)``."""
Fit = Callable[[Floats, Integers], Apply]
"""From logits and labels to that."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Labelled logits of held-out items."""

    logits: Floats
    """``(N, K)``."""
    labels: Integers
    """``(N,)``."""
    groups: Integers
    """``(N,)``, at least two different ones."""
    names: list[str]
    """Of the items."""
    classes: tuple[str, ...]
    no_tumour: int | None
    """Which class means that there is no tumour."""
    temperature: float
    """That the program applies."""

    @classmethod
    def of(cls, evidence: ModelOutputs) -> HeldOut:
        """What was held out of a run."""
        rows, card = evidence.held, evidence.model.card
        return cls(
            evidence.logits[rows],
            evidence.labels[rows],
            evidence.groups[rows],
            [evidence.material.dataset.items[row].name for row in rows],
            card.classes,
            card.classes.index(card.no_tumour) if card.no_tumour else None,
            card.temperature,
        )

    @cached_property
    def probabilities(self) -> Floats:
        """``(N, K)``, each group's by the temperature of the others: what figures are made from."""
        return self.cross_fitted(fit_temperature_scaling)

    @property
    def applied(self) -> Floats:
        """``(N, K)`` as the program gives them: what its thresholds are made from."""
        return metrics.apply_softmax(self.logits / self.temperature)

    @property
    def right(self) -> NDArray[np.bool_]:
        """``(N,)``, whatever the temperature."""
        return np.asarray(self.logits.argmax(1) == self.labels)

    def cross_fitted(self, fit: Fit) -> Floats:
        """Probabilities ``(N, K)``, each group's by what was fitted on the others."""
        probabilities = np.empty_like(self.logits)
        for others, own in intervals.leave_groups_out(self.groups):
            apply = fit(self.logits[others], self.labels[others])
            probabilities[own] = apply(self.logits[own])
        return probabilities


def fit_temperature_scaling(logits_NK: Floats, labels_N: Integers) -> Apply:
    """One number for all classes."""
    temperature = fit_temperature(logits_NK, labels_N)
    return lambda logits: metrics.apply_softmax(logits / temperature)
