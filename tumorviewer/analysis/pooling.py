"""From the probabilities of slices to those of the volume, and the slices that decide. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Shape suffixes: N slices, K classes.

LEAST_AREA = 0.3
"""Slices that show less of the head than this share of the fullest slice have no vote: a
classifier of slices is trained on pictures through the brain, not on vertex, skull base or neck."""
DECIDING_SHARE = 0.1
"""Share of the voting slices over which the volume's probabilities are averaged."""


@dataclass(frozen=True, eq=False)
class Pooled:
    """What slices say together."""

    probabilities: NDArray[np.float64]
    """``(K,)``, sum 1."""
    key: tuple[int, ...]
    """Positions of the deciding slices among those given, most telling first."""
    rule: str
    """How it was done, in words."""


def pool(
    probabilities_NK: NDArray[np.float64],
    areas_N: NDArray[np.float64],
    no_tumour: int | None,
    *,
    ordered: bool,
) -> Pooled:
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
        return Pooled(probabilities_NK[0], (0,), "A single slice.")
    voters = np.flatnonzero(areas_N >= LEAST_AREA * areas_N.max())
    votes = probabilities_NK[voters]
    smooth = ordered and len(votes) > 2
    if smooth:
        votes = _with_neighbours(votes)
    if no_tumour is None:
        pooled = votes.mean(axis=0)
        telling = votes[:, int(np.argmax(pooled))]
        rule = f"Mean over {len(voters)} slices"
        count = _deciding(len(voters))
    else:
        telling = 1 - votes[:, no_tumour]
        count = _deciding(len(voters))
        pooled = votes[np.argsort(-telling, kind="stable")[:count]].mean(axis=0)
        rule = f"Mean over the {count} of {len(voters)} slices where a tumour is most probable"
    key = voters[np.argsort(-telling, kind="stable")[:count]]
    return Pooled(
        pooled / pooled.sum(),
        tuple(int(position) for position in key),
        _in_words(rule, smooth, len(probabilities_NK) - len(voters)),
    )


def _deciding(voters: int) -> int:
    return max(1, round(DECIDING_SHARE * voters))


def _with_neighbours(votes_NK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each row with the ones before and after it; the ends count themselves twice."""
    padded = np.pad(votes_NK, ((1, 1), (0, 0)), mode="edge")
    mean: NDArray[np.float64] = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    return mean


def _in_words(rule: str, smooth: bool, without_vote: int) -> str:
    parts = [rule]
    if smooth:
        parts.append("each averaged with its neighbours")
    if without_vote:
        parts.append(
            f"{without_vote} slices that show less than {LEAST_AREA:.0%} of the largest section "
            "of the head have no vote"
        )
    return "; ".join(parts).replace("; each", ", each") + "."
