"""How readers and model agree at this site over time, and whether its images or answers change.

Of each study the verdict that stands is held against the answer its reader had, or else the one
that the worklist shows; only answers of the model that was asked last count. A verdict agrees if it
is the class that the model named, or one of those that it left open. Where it named none there is
nothing to agree with: these are counted apart.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection, Row

from tumorviewer.records.site import drift
from tumorviewer.records.site.drift import Alarm
from tumorviewer.records.states import find_deciding, find_named_classes, verdict_agrees
from tumorviewer.records.storage.tables import findings, observations, studies, verdicts
from tumorviewer.records.store import RecordStore

_Z = 1.959963984540054
"""Of the normal distribution, for intervals of 95 %."""
_RESAMPLES = 1000
INPUTS = ("distance", "brightness", "contrast")
GROUPED = ("vendor", "scanner", "field_strength", "sex", "age")
"""What figures are given apart by, as far as DICOM says it."""
_AGES = ((0, 18), (18, 40), (40, 60), (60, 80), (80, 200))


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % interval (Wilson, JASA 1927)."""

    n: int
    agreed: int

    @property
    def value(self) -> float:
        """The share; NaN of nothing."""
        return self.agreed / self.n if self.n else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end; 0 to 1 of nothing."""
        if not self.n:
            return 0.0, 1.0
        share, square = self.value, _Z**2
        centre = (share + square / (2 * self.n)) / (1 + square / self.n)
        spread = share * (1 - share) / self.n + square / (4 * self.n**2)
        half = _Z / (1 + square / self.n) * spread**0.5
        return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True)
class Kappa:
    """Agreement beyond chance (Cohen, 1960); the interval by bootstrap over studies."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Group:
    """Agreement among studies that have something in common."""

    key: str
    """One of :data:`GROUPED`."""
    name: str
    rate: Rate


@dataclass(frozen=True)
class Agreement:
    """What a site's records say of the model that was asked last."""

    model: str = ""
    """Name and version; empty if none was asked."""
    answers: int = 0
    """Studies that it answered."""
    unnamed: int = 0
    """Of the read ones, those for which it named no class."""
    rate: Rate = field(default_factory=lambda: Rate(0, 0))
    before: Rate = field(default_factory=lambda: Rate(0, 0))
    """Where the verdict was given before the answer was shown."""
    kappa: Kappa | None = None
    """Where one class was named; None with less than two classes or ten readings."""
    months: tuple[tuple[str, Rate], ...] = ()
    """``YYYY-MM``, the oldest first."""
    groups: tuple[Group, ...] = ()
    pairs: tuple[tuple[str, tuple[str, ...], int], ...] = ()
    """Class of the reader, classes that the model named, and how often, where they differ; the most
    frequent first."""
    alarms: tuple[Alarm, ...] = ()
    """All that was looked at, whether it alarms or not."""
    several: int = 0
    """Of those that are counted, the ones for which it left several classes open."""


@dataclass(frozen=True)
class _Reading:
    time: str
    verdict: str
    said: tuple[str, ...]
    before: bool
    traits: Mapping[str, str]

    @property
    def agrees(self) -> bool | None:
        return verdict_agrees(self.verdict, self.said)


class Agreements:
    """Looks at findings and verdicts together."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def measure(self) -> Agreement:
        """Look at everything that is kept."""
        with self._store.reading() as connection:
            model = _model(connection)
            if model is None:
                return Agreement()
            readings = _readings(connection, model.model_sha256)
            inputs = _inputs(connection, model.model_sha256)
            answered = _answered(connection, model.model_sha256)
        named = [one for one in readings if one.agrees is not None]
        single = [one for one in named if len(one.said) == 1]
        disagreed = np.array([not one.agrees for one in named], bool)
        return Agreement(
            model=f"{model.model_name} {model.model_version}",
            answers=answered,
            unnamed=len(readings) - len(named),
            several=len(named) - len(single),
            rate=_rate(named),
            before=_rate(one for one in named if one.before),
            kappa=_kappa(single),
            months=tuple(_by(named, lambda one: one.time[:7]).items()),
            groups=tuple(_groups(named)),
            pairs=_pairs(named),
            alarms=(*drift.watch_inputs(inputs), drift.watch_agreement(disagreed)),
        )

    def labels(self) -> dict[str, str]:
        """What a reader sees for each class of the model that answered last."""
        with self._store.reading() as connection:
            model = _model(connection)
        return dict(json.loads(model.document)["labels"]) if model is not None else {}


def _model(connection: Connection) -> Row[Any] | None:
    query = sa.select(findings).where(findings.c.predicted_class.is_not(None))
    return connection.execute(query.order_by(findings.c.id.desc()).limit(1)).first()


def _answered(connection: Connection, sha256: str) -> int:
    counted = sa.select(sa.func.count(findings.c.study.distinct()))
    chosen = (findings.c.model_sha256 == sha256, findings.c.predicted_class.is_not(None))
    return int(connection.execute(counted.where(*chosen)).scalar_one())


def _readings(connection: Connection, sha256: str) -> list[_Reading]:
    """Of each read study the verdict that stands, by time."""
    correction = verdicts.alias()
    corrected = sa.exists().where(correction.c.corrects == verdicts.c.id)
    query = (
        sa.select(verdicts, *(studies.c[key] for key in GROUPED))
        .join(studies, studies.c.id == verdicts.c.study)
        .where(sa.not_(corrected))
        .order_by(verdicts.c.id)
    )
    last = {row.study: row for row in connection.execute(query)}
    found = (_reading(connection, row, sha256) for row in last.values())
    return sorted((one for one in found if one is not None), key=lambda one: one.time)


def _reading(connection: Connection, row: Row[Any], sha256: str) -> _Reading | None:
    number = row.finding
    if number is None:
        shown = find_deciding(connection, row.study)
        number = shown.id if shown else None
    ours = (findings.c.id == number, findings.c.model_sha256 == sha256)
    if number is None or connection.execute(sa.select(findings.c.id).where(*ours)).first() is None:
        return None
    return _Reading(
        row.time, row.label, find_named_classes(connection, number), row.before_answer, _traits(row)
    )


def _traits(row: Row[Any]) -> dict[str, str]:
    told = {key: getattr(row, key) for key in ("vendor", "scanner", "sex")}
    if row.field_strength is not None:
        told["field_strength"] = f"{row.field_strength:.1f} T"
    if row.age is not None:
        told["age"] = next((f"{low}–{high - 1}" for low, high in _AGES if row.age < high), "")
    return {key: text for key, text in told.items() if text}


def _inputs(connection: Connection, sha256: str) -> dict[str, NDArray[np.float64]]:
    """What was observed of the answers, the oldest first."""
    query = (
        sa.select(*(observations.c[key] for key in INPUTS))
        .join(findings, findings.c.id == observations.c.finding)
        .where(findings.c.model_sha256 == sha256)
        .order_by(findings.c.id)
    )
    rows = connection.execute(query).all()
    told = {key: [getattr(row, key) for row in rows] for key in INPUTS}
    return {
        key: np.array([one for one in values if one is not None], float)
        for key, values in told.items()
    }


def _rate(readings: Iterable[_Reading]) -> Rate:
    agree = [one.agrees for one in readings]
    return Rate(len(agree), agree.count(True))


def _by(readings: Sequence[_Reading], key: Callable[[_Reading], str]) -> dict[str, Rate]:
    parts: defaultdict[str, list[_Reading]] = defaultdict(list)
    for one in readings:
        if name := key(one):
            parts[name].append(one)
    return {name: _rate(parts[name]) for name in sorted(parts)}


def _groups(readings: Sequence[_Reading]) -> Iterable[Group]:
    for key in GROUPED:
        of_key = _by(readings, lambda one, key=key: one.traits.get(key, ""))  # type: ignore[misc]
        yield from (Group(key, name, rate) for name, rate in of_key.items())


def _pairs(readings: Sequence[_Reading]) -> tuple[tuple[str, tuple[str, ...], int], ...]:
    counts = Counter((one.verdict, one.said) for one in readings if not one.agrees)
    return tuple((reader, model, n) for (reader, model), n in counts.most_common())


def _kappa(readings: Sequence[_Reading]) -> Kappa | None:
    names = sorted({name for one in readings for name in (one.verdict, *one.said)})
    if len(readings) < 10 or len(names) < 2:
        return None
    place = {name: at for at, name in enumerate(names)}
    pairs = np.array([(place[one.verdict], place[one.said[0]]) for one in readings])
    generator = np.random.default_rng(0)
    drawn = generator.integers(0, len(pairs), (_RESAMPLES, len(pairs)))
    values = [cohen_kappa(pairs[rows], len(names)) for rows in drawn]
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return Kappa(cohen_kappa(pairs, len(names)), float(low), float(high))


def cohen_kappa(pairs_N2: NDArray[np.integer], classes: int) -> float:
    """Cohen's kappa of two raters; NaN where both name one class only."""
    table = np.zeros((classes, classes))
    np.add.at(table, (pairs_N2[:, 0], pairs_N2[:, 1]), 1 / len(pairs_N2))
    chance = float(table.sum(0) @ table.sum(1))
    return float((np.trace(table) - chance) / (1 - chance)) if chance < 1 else float("nan")
