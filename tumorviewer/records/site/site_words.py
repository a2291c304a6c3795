"""Agreement and drift at this site in sentences, for the window and the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tumorviewer.export.wording import join_names
from tumorviewer.language import later, number, percent, tr, trn
from tumorviewer.records.site import drift
from tumorviewer.records.site.agreement import Agreement, Rate
from tumorviewer.records.site.drift import Alarm

_WATCHED = {
    "distance": later("Distance of the images from the training data"),
    "brightness": later("Brightness of the head"),
    "contrast": later("Contrast of the head"),
    "disagreement": later("Reader and model differ"),
}
GROUPS = {
    "vendor": later("Vendor"),
    "scanner": later("Scanner"),
    "field_strength": later("Field strength"),
    "sex": later("Sex"),
    "age": later("Age"),
}
FEW = 10
"""A share of fewer studies is said to be of few."""


def summarise_agreement(said: Agreement, labels: Mapping[str, str]) -> Iterator[str]:
    """How reader and model agree, a sentence each.

    Parameters
    ----------
    labels
        What a reader sees for each class.
    """
    if not said.model:
        yield tr("No model has answered here yet.")
        return
    yield trn(
        "{model} answered on {count} study.", "{model} answered on {count} studies.",
        said.answers, model=said.model,
    )  # fmt: skip
    if not said.rate.n:
        yield tr("Nobody has given a verdict on any of them yet.")
        return
    yield tr("Reader and model agree on {rate}.", rate=format_rate(said.rate))
    if said.unnamed:
        yield trn(
            "On {count} study more that was read the model named no class.",
            "On {count} studies more that were read the model named no class.",
            said.unnamed,
        )
    if said.several:
        yield trn(
            "{count} of these answers left several classes open; it agrees where the verdict is "
            "one of them.",
            "{count} of these answers left several classes open; they agree where the verdict is "
            "one of them.",
            said.several,
        )
    if said.before.n:
        yield tr("Where the verdict came before the answer was shown, on {rate}.",
                 rate=format_rate(said.before))  # fmt: skip
    if said.kappa is not None:
        yield tr(
            "Beyond chance: kappa {value} ({low} to {high}); 0 is chance, 1 is always.",
            value=number(said.kappa.value, ".2f"),
            low=number(said.kappa.low, ".2f"), high=number(said.kappa.high, ".2f"),
        )  # fmt: skip
    for reader, model, n in said.pairs[:3]:
        yield tr(
            "Reader {reader}, model {model}: {n}.",
            reader=tr(labels.get(reader, reader)),
            model=join_names([tr(labels.get(one, one)) for one in model]), n=n,
        )  # fmt: skip


def format_rate(said: Rate) -> str:
    """``17 of 20 (85 %; 64 to 95)``."""
    low, high = said.interval
    return tr(
        "{agreed} of {n} ({share}; {low} to {high})",
        agreed=number(said.agreed, ","), n=number(said.n, ","), share=percent(said.value),
        low=number(100 * low), high=number(100 * high),
    )  # fmt: skip


def describe_alarm(one: Alarm) -> str:
    """What was looked at, and what came of it."""
    watched = tr(_WATCHED[one.key])
    if not one.n:
        return tr("{what}: too few yet; {n} are needed.", what=watched, n=one.needed)
    form = _share if one.key == "disagreement" else _value
    if one.alarms:
        return tr("{what}: has changed, from {before} to {now}.",
                  what=watched, before=form(one.before), now=form(one.now))  # fmt: skip
    return tr("{what}: no change seen ({before}, now {now}).",
              what=watched, before=form(one.before), now=form(one.now))  # fmt: skip


def describe_watch() -> Iterator[str]:
    """How change is looked for, and how often it is seen where there is none."""
    yield tr(
        "The latest {latest} answers are compared with the first {first} (Kolmogorov–Smirnov); "
        "without any change one look in {often} alarms.",
        latest=drift.LATEST, first=drift.FIRST, often=round(1 / drift.FALSE_ALARMS),
    )  # fmt: skip
    yield tr(
        "Verdicts are watched for twice the odds of differing from the first {learnt} (cumulative "
        "sum); without any change up to {often} in 100 series of {horizon} verdicts alarm.",
        learnt=drift.LEARNT, often=drift.MEASURED_FALSE_ALARMS, horizon=drift.HORIZON,
    )  # fmt: skip


def agreement_lines(said: Agreement, labels: Mapping[str, str]) -> Iterator[str]:
    """Everything, as the command line prints it."""
    yield from summarise_agreement(said, labels)
    for month, of_month in said.months:
        yield f"  {month}: {format_rate(of_month)}"
    for group in said.groups:
        yield f"  {tr(GROUPS[group.key])} {group.name}: {format_rate(group.rate)}"
    if said.model:
        yield from map(describe_alarm, said.alarms)
        yield from describe_watch()


def _share(value: float) -> str:
    return percent(value)


def _value(value: float) -> str:
    return number(value, ".1f")
