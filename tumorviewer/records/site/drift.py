"""Whether what comes in, or how often reader and model differ, has changed.

Inputs: the latest answers against the first ones, by the two-sample Kolmogorov–Smirnov test
(Smirnov, 1939). Agreement: Page's cumulative sum for a rate that doubles its odds (Page, 1954;
Steiner et al., Biostatistics 2000). Each states how often it would alarm without any change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

FIRST, LATEST = 100, 50
"""Answers that are compared: the first ones at this site, and the latest."""
FALSE_ALARMS = 0.01
"""Of each look at the inputs together, and of each series of :data:`HORIZON` verdicts."""
MEASURED_FALSE_ALARMS = 3
"""In so many of 100 series of :data:`HORIZON` verdicts the cumulative sum alarms without change:
0.7 to 2.8 for rates of disagreement from 2 to 30 %, as ``tests/records/test_agreement.py`` draws
them. It is more than aimed at since the usual rate is learnt from a few verdicts."""
HORIZON = 500
LEARNT = 100
"""Verdicts from which the usual rate of disagreement is taken."""
ODDS = 2.0
"""Change of the odds of disagreement that is looked for."""
_RUNS = 4000


@dataclass(frozen=True)
class Alarm:
    """One thing that was looked at."""

    key: str
    """``distance``, ``brightness``, ``contrast``, or ``disagreement``."""
    alarms: bool
    before: float
    """Median of the first answers, or the usual rate."""
    now: float
    """Median of the latest answers, or the rate of the latest verdicts."""
    n: int
    """Answers or verdicts that were looked at; 0 if there are not enough."""
    needed: int
    """So many are enough."""


def watch_inputs(inputs: Mapping[str, NDArray[np.float64]]) -> Iterator[Alarm]:
    """One for each quantity; the chance of a false alarm is shared among them (Bonferroni)."""
    for key, values in inputs.items():
        yield _of_input(key, values, FALSE_ALARMS / len(inputs))


def _of_input(key: str, values: NDArray[np.float64], level: float) -> Alarm:
    from scipy.stats import ks_2samp  # type: ignore[import-untyped]

    needed = FIRST + LATEST
    if len(values) < needed:
        return Alarm(key, False, np.nan, np.nan, 0, needed)
    first, latest = values[:FIRST], values[-LATEST:]
    alarms = bool(ks_2samp(first, latest).pvalue < level)
    medians = float(np.median(first)), float(np.median(latest))
    return Alarm(key, alarms, *medians, len(values), needed)


def watch_agreement(disagreed: NDArray[np.bool_]) -> Alarm:
    """Whether reader and model differ more often than they did in the first verdicts.

    Parameters
    ----------
    disagreed
        Of each verdict, by time.
    """
    if len(disagreed) <= LEARNT:
        return Alarm("disagreement", False, np.nan, np.nan, 0, LEARNT + 1)
    usual = float(usual_rate(disagreed[None, :LEARNT])[0])
    later = disagreed[LEARNT:][-HORIZON:]
    sums = cumulative_sums(later[None], np.array([usual]))[0]
    alarms = bool(sums.max() > alarm_threshold(round(usual, 3)))
    return Alarm(
        "disagreement", alarms, usual, float(later[-LATEST:].mean()), len(later), LEARNT + 1
    )


def usual_rate(disagreed_RN: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Of each row of verdicts, with two of each kind added (Agresti and Coull, 1998): that nobody
    ever differs cannot be learnt from a few."""
    rates: NDArray[np.float64] = (disagreed_RN.sum(axis=1) + 2) / (disagreed_RN.shape[1] + 4)
    return rates


def cumulative_sums(
    disagreed_RN: NDArray[np.bool_], usual_R: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Page's sums of log likelihood ratios, never below zero, along each row of verdicts."""
    changed_R = ODDS * usual_R / (1 - usual_R + ODDS * usual_R)
    up_R, down_R = np.log(changed_R / usual_R), np.log((1 - changed_R) / (1 - usual_R))
    sums = np.zeros(disagreed_RN.shape)
    total = np.zeros(len(disagreed_RN))
    for at in range(disagreed_RN.shape[1]):
        total = np.maximum(0.0, total + np.where(disagreed_RN[:, at], up_R, down_R))
        sums[:, at] = total
    return sums


@cache
def alarm_threshold(usual: float) -> float:
    """What the sum passes in :data:`FALSE_ALARMS` of series of :data:`HORIZON` verdicts without
    change, by simulation of learning the usual rate and of watching."""
    drawn = np.random.default_rng(0).random((_RUNS, LEARNT + HORIZON)) < usual
    highest = cumulative_sums(drawn[:, LEARNT:], usual_rate(drawn[:, :LEARNT])).max(axis=1)
    return float(np.quantile(highest, 1 - FALSE_ALARMS))
