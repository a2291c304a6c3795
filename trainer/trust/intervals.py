"""Held-out figures with intervals over groups, and parts of groups to fit and to judge on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation import bootstrap
from trainer.evaluation.bootstrap import Floats, Integers
from tumorviewer.models.trust_measures import Measured

_PARTS = 100
"""More groups than this are left out several at a time."""


def measure_with_interval(
    figures: Callable[[Floats], dict[str, float]], groups_N: Integers
) -> dict[str, Measured]:
    """Figures that can be had for any weights ``(N,)`` of the items."""
    plain = figures(np.ones(len(groups_N)))
    drawn = [figures(weight) for weight in bootstrap.draw_resamples(groups_N)]
    ends = {name: np.nanpercentile([one[name] for one in drawn], (2.5, 97.5)) for name in plain}
    return {
        name: Measured(*(round(float(one), 6) for one in (value, *ends[name])))
        for name, value in plain.items()
    }


def average_with_interval(
    values_N: NDArray[np.generic],
    groups_N: Integers,
    among_N: NDArray[np.bool_] | None = None,
) -> Measured:
    """The mean of a number that each item has, or the share of the items that are so.

    Parameters
    ----------
    among_N
        Those items that are asked; None for all. Which they are is drawn with the groups.
    """
    asked = np.ones(len(values_N)) if among_N is None else among_N.astype(np.float64)
    values = values_N.astype(np.float64) * asked

    def of(weight_N: Floats) -> dict[str, float]:
        total = asked @ weight_N
        return {"": float(values @ weight_N / total) if total else float("nan")}

    return measure_with_interval(of, groups_N)[""]


def leave_groups_out(groups_N: Integers) -> Iterator[tuple[Integers, Integers]]:
    """Rows to fit on and rows to judge: each group once among the latter, away from its own.

    Raises
    ------
    ValueError
        If there is only one group.
    """
    from sklearn.model_selection import GroupKFold  # type: ignore[import-untyped]

    parts = GroupKFold(min(_PARTS, len(np.unique(groups_N))))
    yield from parts.split(groups_N, groups=groups_N)
