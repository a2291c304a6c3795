"""Whether a model's probabilities mean what they say, and which scaling makes them do so.

Shapes: N items, K classes.
"""

from __future__ import annotations

import numpy as np

from trainer.evaluation import metrics, performance_curves
from trainer.evaluation.bootstrap import Floats, Integers
from trainer.evaluation.metrics import Scorer
from trainer.trust import intervals
from trainer.trust.held_out import Apply, Fit, HeldOut
from tumorviewer.models.trust_measures import Bin, Calibration, Measured

METHOD = "Temperature scaling (Guo et al., ICML 2017)"
_LEAST = 1e-3
"""Isotonic regression says 0 and 1 of what it has not seen, which one surprise refutes for ever."""
_PENALTY = 1e-2
"""On what sets classes apart, so that a class that is missing from the fit keeps its scale."""


def fit_vector_scaling(logits_NK: Floats, labels_N: Integers) -> Apply:
    """A scale and a shift for each class (vector scaling; Guo et al., ICML 2017)."""
    import torch
    from torch.nn import functional

    logits, labels = torch.from_numpy(logits_NK), torch.from_numpy(labels_N)
    parts = torch.zeros((2, logits.shape[1]), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([parts], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimiser.zero_grad()
        scale, shift = parts
        apart = (scale - scale.mean()).square().sum() + shift.square().sum()
        loss = functional.cross_entropy(logits * scale.exp() + shift, labels) + _PENALTY * apart
        loss.backward()
        return float(loss.detach())

    optimiser.step(closure)
    scale, shift = parts.detach().numpy()
    return lambda logits: metrics.apply_softmax(logits * np.exp(scale) + shift)


def fit_isotonic_scaling(logits_NK: Floats, labels_N: Integers) -> Apply:
    """A rising step function for each class against the rest (Zadrozny and Elkan, KDD 2002)."""
    from sklearn.isotonic import IsotonicRegression  # type: ignore[import-untyped]

    probabilities = metrics.apply_softmax(logits_NK)
    steps = [
        IsotonicRegression(y_min=_LEAST, y_max=1 - _LEAST, out_of_bounds="clip").fit(
            probabilities[:, one], labels_N == one
        )
        for one in range(probabilities.shape[1])
    ]

    def apply(logits: Floats) -> Floats:
        plain = metrics.apply_softmax(logits)
        each = np.stack([step.predict(plain[:, one]) for one, step in enumerate(steps)], 1)
        return np.asarray(each / each.sum(1, keepdims=True))

    return apply


RIVALS: dict[str, Fit] = {
    "vector scaling": fit_vector_scaling,
    "isotonic regression by class": fit_isotonic_scaling,
}


def measure_calibration(held: HeldOut) -> Calibration:
    """Errors and reliability of plain and of scaled probabilities.

    One temperature does not change which class is the most probable one, and is what the program
    applies. The methods with more freedom stand beside it, to tell when it would not do: on every
    set that we measured they are worse on groups that they have not seen.
    """
    given = held.labels, held.groups
    plain, scaled = metrics.apply_softmax(held.logits), held.probabilities
    losses_N = _losses(scaled, held.labels)
    return Calibration(
        method=METHOD,
        before=_errors(plain, *given),
        after=_errors(scaled, *given),
        bins_before=_bins(plain, *given),
        bins_after=_bins(scaled, *given),
        rivals={
            name: intervals.average_with_interval(
                _losses(held.cross_fitted(fit), held.labels) - losses_N, held.groups
            )
            for name, fit in RIVALS.items()
        },
    )


def _losses(probabilities_NK: Floats, labels_N: Integers) -> Floats:
    own = probabilities_NK[np.arange(len(labels_N)), labels_N]
    return -np.log(np.maximum(own, np.finfo(np.float64).tiny))


def _errors(
    probabilities_NK: Floats, labels_N: Integers, groups_N: Integers
) -> dict[str, Measured]:
    scorer = Scorer(probabilities_NK, labels_N)
    return intervals.measure_with_interval(scorer.of_probabilities, groups_N)


def _bins(probabilities_NK: Floats, labels_N: Integers, groups_N: Integers) -> tuple[Bin, ...]:
    """By the probability of the predicted class, 15 of equal width, those that hold items."""
    confidence, right = probabilities_NK.max(1), probabilities_NK.argmax(1) == labels_N
    bins = performance_curves.split_equal_width(confidence)
    return tuple(
        Bin(
            int((bins == one).sum()),
            float(confidence[bins == one].mean()),
            intervals.average_with_interval(right, groups_N, bins == one),
        )
        for one in np.unique(bins)
    )
