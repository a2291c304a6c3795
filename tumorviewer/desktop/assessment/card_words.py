"""A model's card as a radiologist reads it: sections of sentences and small tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tumorviewer.analysis.methods import METHODS
from tumorviewer.analysis.trust import training_cohort
from tumorviewer.desktop.assessment import reliability
from tumorviewer.language import date, later, number, percent, tr
from tumorviewer.models import ModelCard
from tumorviewer.models.trust_measures import (
    MapMeasures,
    Measured,
    OodMeasures,
    OodTestSet,
    SimilarityIndex,
    Trust,
)

UNMEASURED = later("Nobody measured this of this model.")
_FIGURES = {
    "accuracy": later("Right answers"),
    "balanced_accuracy": later("Mean sensitivity of the classes"),
    "macro_precision": later("Mean precision of the classes"),
    "macro_f1": later("Mean F1 of the classes"),
    "roc_auc": later("Area under the ROC curve"),
}
_OF_CLASS = {
    "recall": later("Sensitivity"),
    "specificity": later("Specificity"),
    "precision": later("Precision"),
}
_AREAS = frozenset({"roc_auc", "macro_f1"})
"""Figures that are no shares of cases."""


@dataclass(frozen=True)
class CardTable:
    """Rows below headings; the first cell of a row names it."""

    name: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class CardSection:
    """One part of the card."""

    key: str
    title: str
    sentences: tuple[str, ...] = ()
    table: CardTable | None = None


def describe_card(card: ModelCard) -> Iterator[CardSection]:
    """All of the card, in the order that a reader needs it."""
    trust = card.trust
    yield CardSection("for", tr("What it is for"), (card.intended_use,))
    limits = card.limits or (tr("The card does not say."),)
    yield CardSection("not_for", tr("What it is not for, and where it fails"), limits)
    yield from _figures(card)
    yield _probabilities(trust)
    yield _out_of_distribution(trust.familiarity if trust else None)
    yield _maps(trust.maps if trust else None)
    yield _mistakes(card)
    yield _similar(trust.similar if trust else None)
    yield _cohort(card)
    yield _training(card)


def format_interval(measured: Measured, digits: int = 1) -> str:
    """A share with its interval: ``97.8 % (95.9 to 99.2)``."""
    return tr(
        "{value} ({low} to {high})",
        value=percent(measured.value, digits),
        low=number(100 * measured.low, f".{digits}f"),
        high=number(100 * measured.high, f".{digits}f"),
    )


def display_name(card: ModelCard, name: str) -> str:
    """What a reader sees for a class."""
    return tr(card.labels.get(name, name))


def tabulate_confusion(card: ModelCard) -> tuple[tuple[str, ...], list[list[int]]] | None:
    """Classes, and how often an item of each (a row) was given each (a column)."""
    for figures in card.figures.values():
        found = figures.get("confusion") if isinstance(figures, Mapping) else None
        if isinstance(found, Mapping) and found.get("matrix"):
            return tuple(display_name(card, name) for name in found["classes"]), found["matrix"]
    return None


def _measured(key: str, title: str, sentences: tuple[str, ...]) -> CardSection:
    return CardSection(key, title, sentences or (tr(UNMEASURED),))


def _probabilities(trust: Trust | None) -> CardSection:
    title = tr("Do its probabilities mean what they say?")
    said = tuple(reliability.describe_reliability(trust)) if trust and trust.calibration else ()
    return _measured("probability", title, said)


def _figures(card: ModelCard) -> Iterator[CardSection]:
    found = [figures for figures in card.figures.values() if _is_set(figures)]
    if not found:
        yield _measured("figures", tr("On whom it was tried, and how well it did"), ())
    for figures in found[:1]:
        yield CardSection(
            "figures",
            tr("On whom it was tried, and how well it did"),
            tuple(_tried(figures)),
            CardTable(
                tr("Figures of the whole"), ("", tr("Value"), tr("95 % interval")),
                tuple(_row(tr(words), key, figures) for key, words in _FIGURES.items()
                      if figures.get(key) is not None),
            ),
        )  # fmt: skip
        yield CardSection("classes", tr("Class by class"), (), _classes(card, figures))


def _is_set(figures: object) -> bool:
    return isinstance(figures, Mapping) and "accuracy" in figures and "n" in figures


def _tried(figures: Mapping[str, Any]) -> Iterator[str]:
    low, high = figures.get("intervals", {}).get("accuracy", (None, None))
    yield tr(
        "It was tried on {n} pictures of {groups} groups (patients, or pictures that are nearly "
        "the same) that it had not learned from.",
        n=number(figures["n"], ","), groups=number(figures.get("groups", 0), ","),
    )  # fmt: skip
    if low is not None and high is not None:
        yield tr(
            "Of 100 such pictures it classes {right} rightly; in 19 of 20 such trials it would "
            "be {low} to {high}.",
            right=number(100 * figures["accuracy"], ".0f"),
            low=number(100 * low, ".0f"), high=number(100 * high, ".0f"),
        )  # fmt: skip
    if figures.get("copyist_accuracy") is not None:
        yield tr(
            "Copying the class of the nearest training picture would be right for {copied} of 100: "
            "so much is memory.",
            copied=number(100 * figures["copyist_accuracy"], ".0f"),
        )
    yield tr("These are pictures of the same kind as the training data: at another site it may "
             "do worse.")  # fmt: skip


def _row(words: str, key: str, figures: Mapping[str, Any]) -> tuple[str, ...]:
    low, high = figures.get("intervals", {}).get(key, (None, None))
    within = "" if low is None or high is None else f"{_figure(key, low)}–{_figure(key, high)}"
    return words, _figure(key, figures[key]), within


def _figure(key: str, value: float) -> str:
    return number(value, ".3f") if key in _AREAS else percent(value, 1)


def _classes(card: ModelCard, figures: Mapping[str, Any]) -> CardTable | None:
    of_class = figures.get("per_class")
    if not isinstance(of_class, Mapping):
        return None
    rows = tuple(
        (display_name(card, name), number(one.get("n", 0), ","), *_cells(one))
        for name, one in of_class.items()
    )
    headings = ("", tr("Pictures"), *map(tr, _OF_CLASS.values()))
    return CardTable(tr("Figures of each class"), headings, rows)


def _cells(figures: Mapping[str, Any]) -> Iterator[str]:
    for key in _OF_CLASS:
        low, high = figures.get("intervals", {}).get(key, (None, None))
        value = figures.get(key)
        if value is None:
            yield "–"
        elif low is None or high is None:
            yield percent(value, 1)
        else:
            yield format_interval(Measured(value, low, high), 0)


def _out_of_distribution(known: OodMeasures | None) -> CardSection:
    title = tr("Does it know when an image is not of its kind?")
    if known is None:
        return _measured("kind", title, ())
    sentences = (
        tr(
            "Held-out pictures of its own kind that are refused: {refused}; marked as unusual or "
            "refused: {marked}.",
            refused=format_interval(known.false_alarms), marked=format_interval(known.marked),
        ),
        tr(
            "Telling other kinds of image from its own: area under the ROC curve {value} ({low} "
            "to {high}).",
            value=number(known.auroc.value, ".3f"),
            low=number(known.auroc.low, ".3f"), high=number(known.auroc.high, ".3f"),
        ),
    )  # fmt: skip
    rows = tuple(_kind(one) for one in (*known.kinds, *known.degraded)) + tuple(
        (
            tr(one.name),
            number(one.count),
            "–",
            percent(one.refused.value),
            percent(one.marked.value),
        )
        for one in known.sites
    )
    headings = ("", tr("Images"), "AUROC", tr("Refused"), tr("Marked or refused"))
    return CardSection(
        "kind", title, sentences, CardTable(tr("Other kinds of image"), headings, rows)
    )


def _kind(one: OodTestSet) -> tuple[str, ...]:
    area = number(one.auroc.value, ".3f")
    return tr(one.kind), number(one.count), area, percent(one.refused), percent(one.marked)


def _maps(known: MapMeasures | None) -> CardSection:
    title = tr("Do its maps point at the tumour?")
    if known is None:
        return _measured("maps", title, ())
    said = tr(
        "On {cases} held-out pictures of {groups} groups with an expert's outline; the default is "
        "{method}.",
        cases=number(known.cases, ","), groups=number(known.groups, ","),
        method=_method(known.default),
    )  # fmt: skip
    rows = tuple(
        (
            _method(one.method),
            format_interval(one.pointing, 0),
            format_interval(one.energy, 0),
            number(one.iou.value, ".2f"),
            number(one.road.value, "+.2f"),
            tr("passes") if one.passes else tr("fails"),
        )
        for one in known.scores
    )
    headings = (tr("Method"), tr("Highest point inside"), tr("Map inside"), "IoU", "ROAD",
                tr("Randomisation check"))  # fmt: skip
    return CardSection("maps", title, (said,), CardTable(tr("Saliency methods"), headings, rows))


def _method(name: str) -> str:
    return METHODS[name].title if name in METHODS else name


def _mistakes(card: ModelCard) -> CardSection:
    title = tr("Its worst mistakes")
    if card.trust is None:
        return _measured("mistakes", title, ())
    if not card.trust.mistakes:
        return CardSection("mistakes", title, (tr("On the held-out pictures it made none."),))
    said = tr("The surest of its wrong answers on held-out pictures, one of each group.")
    return CardSection("mistakes", title, (said,))


def _similar(known: SimilarityIndex | None) -> CardSection:
    title = tr("Are the similar cases it shows of the same class?")
    if known is None:
        return _measured("similar", title, ())
    said = tr(
        "Of the five training cases most like a held-out picture, each of another group, {right} "
        "have its class; drawn at random it would be {chance}. The index holds {n} cases.",
        right=format_interval(known.precision),
        chance=percent(known.chance),
        n=number(known.items, ","),
    )
    return CardSection(
        "similar", title, (said, tr("Data sets: {names}.", names="; ".join(known.sources)))
    )


def _cohort(card: ModelCard) -> CardSection:
    title = tr("Whom it was trained on")
    known = card.trust.cohort if card.trust else None
    if known is None:
        return _measured("cohort", title, ())
    rows = tuple(
        (
            training_cohort.capital(training_cohort.quantity_title(key)),
            training_cohort.format_range(key, values),
            training_cohort.format_quantity(key, values[4]),
        )
        for key, values in known.numbers.items()
        if key in training_cohort.NUMBERS
    )
    rows += tuple(
        (
            training_cohort.capital(training_cohort.quantity_title(key)),
            training_cohort.format_shares(shares),
            "",
        )
        for key, shares in known.shares.items()
        if key in training_cohort.SHARES
    )
    unsaid = training_cohort.compare_with_cohort(training_cohort.Facts(), known)
    headings = ("", tr("98 % of the training data"), tr("Half below"))
    return CardSection("cohort", title, unsaid, CardTable(tr("Training data"), headings, rows))


def _training(card: ModelCard) -> CardSection:
    data = card.training.get("data", {})
    lines: list[str] = []
    if data:
        lines.append(
            tr(
                "{name}: {items} pictures of {groups} groups. Licence of the data: {licence}.",
                name=data.get("name", "–"), items=number(data.get("items", 0), ","),
                groups=number(data.get("groups", 0), ","),
                licence=data.get("licence") or tr("not stated"),
            )
        )  # fmt: skip
    if counts := data.get("classes"):
        told = (f"{display_name(card, name)} {number(n, ',')}" for name, n in counts.items())
        lines.append(tr("Of each class: {classes}.", classes=", ".join(told)))
    lines.append(tr("Licence of the model: {licence}.", licence=card.licence or tr("not stated")))
    lines.append(tr("Made on {date}.", date=date(card.created)))
    return CardSection(
        "training", tr("Training data and licence"), (*lines, *_references(card.references))
    )


def _references(references: Sequence[str]) -> tuple[str, ...]:
    return (tr("Sources: {names}.", names="; ".join(references)),) if references else ()
