"""From the probabilities of slices to those of the volume, and the slices that decide. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorviewer.language import tr

# Shape suffixes: N slices, K classes.

LEAST_AREA = 0.5
"""Slices that show less of the head than this share of the fullest slice have no vote: a
classifier of slices is trained on pictures through the brain, not on vertex, skull base or neck."""
DECIDING_SHARE = 0.1
"""Share of the voting slices over which the volume's probabilities are averaged."""


@dataclass(frozen=True, eq=False)
class PooledAnswer:
    """What slices say together."""

    probabilities: NDArray[np.float64]
    """``(K,)``, sum 1."""
    key: tuple[int, ...]
    """Positions of the deciding slices among those given, most telling first."""
    rule: str
    """How it was done, in words."""


def pool_slices(
    probabilities_NK: NDArray[np.float64],
    areas_N: NDArray[np.float64],
    no_tumour: int | None,
    *,
    ordered: bool,
) -> PooledAnswer:
    """Average over the slices that look most like a tumour.

    A tumour fills few slices of a volume, so averaging all of them would hide it, while the
    maximum would let one odd slice decide. Hence each voting slice is first averaged with its two
    neighbours, and the volume's probabilities are the mean over the tenth of the voting slices
    where a tumour is then most probable. Without a class for "no tumour" every voting slice counts
    alike.

    Parameters
    ----------
    probabilities_NK
        Of the judged slices in the order of the stack, each row with sum 1.
    areas_N
        How much of the head each of them shows, in any unit.
    no_tumour
        Column of the class that means that there is no tumour, if there is one.
    ordered
        Whether neighbours in the stack are neighbours in the patient; pictures that only share a
        file are not averaged with each other first.
    """
    if len(probabilities_NK) == 1:
        return PooledAnswer(probabilities_NK[0], (0,), tr("A single slice."))
    voters = np.flatnonzero(areas_N >= LEAST_AREA * areas_N.max())
    votes = probabilities_NK[voters]
    is_smooth = ordered and len(voters) > 2
    if is_smooth:
        votes = _with_neighbours(votes)
    every = len(voters)
    deciding = max(1, round(DECIDING_SHARE * every))
    if no_tumour is None:
        pooled = votes.mean(axis=0)
        telling = _descending(votes[:, int(np.argmax(pooled))])[:deciding]
        rule = tr("Mean over {n} slices", n=every)
    else:
        telling = _descending(1 - votes[:, no_tumour])[:deciding]
        pooled = votes[telling].mean(axis=0)
        rule = tr(
            "Mean over the {deciding} of {every} slices where a tumour is most probable",
            deciding=deciding,
            every=every,
        )
    return PooledAnswer(
        pooled / pooled.sum(),
        tuple(int(position) for position in voters[telling]),
        _in_words(rule, is_smooth, len(probabilities_NK) - every),
    )


def _descending(values_N: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.argsort(-values_N, kind="stable")


def _with_neighbours(votes_NK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each row with the ones before and after it; the ends count themselves twice."""
    padded = np.pad(votes_NK, ((1, 1), (0, 0)), mode="edge")
    mean: NDArray[np.float64] = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    return mean


def _in_words(rule: str, is_smooth: bool, without_vote: int) -> str:
    if is_smooth:
        rule += tr(", each averaged with its neighbours")
    if without_vote:
        rule += tr(
            "; no vote for {n} that show less than half of the head's largest section",
            n=without_vote,
        )
    return f"{rule}."
