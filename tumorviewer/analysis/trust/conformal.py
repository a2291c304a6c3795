"""Which classes an answer leaves open, and when it names none. No torch.

Pictures are judged by what was measured on held-out pictures. A volume's probability is pooled from
slices and calibrated on no volume: it gets no prediction sets, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.finding import PredictionSet
from tumorviewer.language import percent, tr
from tumorviewer.models import ModelCard
from tumorviewer.models.trust_measures import Abstention, CoverageLevel, Pooling, Trust

# Shape suffix: K classes.


@dataclass(frozen=True)
class Openness:
    """How much an answer leaves open, as :class:`tumorviewer.analysis.finding.Finding` has it."""

    sets: tuple[PredictionSet, ...] = ()
    candidates: tuple[str, ...] = ()
    abstains: str = ""
    flags: tuple[str, ...] = ()


def apply_thresholds(
    card: ModelCard, probabilities_K: NDArray[np.float64], *, is_volume: bool
) -> Openness:
    """Apply a card's thresholds to an answer.

    A class is named if it is probable enough (selective classification; Geifman and El-Yaniv,
    NeurIPS 2017). If none is, some are named together: the conformal set of such cases only, as the
    sets of all cases promise nothing of the unclear ones (Mondrian sets; Vovk et al., 2005). Where
    these are all classes there are no candidates: nothing is ruled out.

    Parameters
    ----------
    probabilities_K
        As the reader sees them, in the order of the card's classes.
    is_volume
        Whether they were pooled from slices: the thresholds of pictures are then applied for want
        of better ones, without a promise.
    """
    trust = card.trust
    levels = trust.sets.levels if trust and trust.sets else ()
    abstention = trust.abstention if trust else None
    candidates: tuple[str, ...] = ()
    abstains = ""
    if abstention is not None and probabilities_K.max() < abstention.least:
        candidates = _candidates(card, abstention, probabilities_K)
        abstains = _reason(abstention, bool(candidates))
    return Openness(
        () if is_volume else tuple(_set(card, level, probabilities_K) for level in levels),
        candidates,
        abstains,
        tuple(_doubts(trust, is_volume)),
    )


def _doubts(trust: Trust | None, is_volume: bool) -> Iterator[str]:
    if trust is None:
        yield tr(
            "Nobody has measured how far this model may be trusted: it names a class whatever the "
            "image shows."
        )
    elif is_volume:
        yield _uncalibrated(trust.pooling)


def _set(
    card: ModelCard, level: CoverageLevel, probabilities_K: NDArray[np.float64]
) -> PredictionSet:
    count = int(np.count_nonzero(probabilities_K >= level.least))
    return PredictionSet(level.promise, _first(card, probabilities_K, count))


def _candidates(
    card: ModelCard, abstention: Abstention, probabilities_K: NDArray[np.float64]
) -> tuple[str, ...]:
    if abstention.together is None:
        return ()
    count = max(2, int(np.count_nonzero(probabilities_K >= abstention.together.least)))
    return _first(card, probabilities_K, count) if count < len(card.classes) else ()


def _first(card: ModelCard, probabilities_K: NDArray[np.float64], count: int) -> tuple[str, ...]:
    order = np.argsort(-probabilities_K, kind="stable")
    return tuple(card.classes[at] for at in order[:count])


def _reason(abstention: Abstention, has_candidates: bool) -> str:
    said = tr(
        "No class reaches {least}, from which on the model names one. It does so for {share} of "
        "held-out pictures, and is then right in {accuracy}.",
        least=percent(abstention.least),
        share=percent(abstention.answered.value),
        accuracy=percent(abstention.accuracy.value, 1),
    )
    if not has_candidates or abstention.together is None:
        return said
    share = percent(abstention.together.coverage.value)
    return f"{said} " + tr(
        "Otherwise the classes that it leaves open hold the true one in {share}.", share=share
    )


def _uncalibrated(pooling: Pooling | None) -> str:
    said = tr("The probability is pooled from slices and was calibrated on no volumes.")
    if pooling is None:
        return said
    tried = tr(
        "Of {n} sets of pictures that stand in for volumes it was right in {right} ({low} to "
        "{high}), and said {share} on average.",
        n=pooling.series,
        right=percent(pooling.right.value),
        low=percent(pooling.right.low),
        high=percent(pooling.right.high),
        share=percent(pooling.said.value),
    )
    return f"{said} {tried}"
