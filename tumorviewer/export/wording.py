"""One short paragraph that explains a finding, from its numbers and from nothing else. No torch.

Every sentence is a whole template, so that each language can order it as it needs; every number in
it is in the finding. A side is named only where the volume's affine says which it is, and a class
is the answer only if the finding names it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import numpy as np

from tumorviewer import language
from tumorviewer.analysis.finding import Finding, Variation
from tumorviewer.analysis.trust import map_verdict
from tumorviewer.analysis.trust.map_verdict import MapCheck
from tumorviewer.language import later, number, tr, trn
from tumorviewer.study.types import Placement, Volume

_RIVAL = 0.05
"""From this probability the second class is named too."""
_SAME = 0.999
"""A training case from this similarity is the image itself, or a copy."""
_OTHERS = 3
"""So many deciding slices are named beside the first."""
_OFF_CENTRE = 0.15
"""A map's peak lies to a side if it is further from the head's middle, in half heads."""
_WHERE = {
    (): later("The map is strongest near the middle of the head."),
    ("L",): later("The map is strongest on the patient's left."),
    ("R",): later("The map is strongest on the patient's right."),
    ("A",): later("The map is strongest in the front of the head, near the midline."),
    ("P",): later("The map is strongest in the back of the head, near the midline."),
    ("H",): later("The map is strongest in the upper part of the head."),
    ("F",): later("The map is strongest in the lower part of the head."),
    ("L", "A"): later("The map is strongest on the patient's left, towards the front."),
    ("L", "P"): later("The map is strongest on the patient's left, towards the back."),
    ("L", "H"): later("The map is strongest on the patient's left, in the upper part."),
    ("L", "F"): later("The map is strongest on the patient's left, in the lower part."),
    ("R", "A"): later("The map is strongest on the patient's right, towards the front."),
    ("R", "P"): later("The map is strongest on the patient's right, towards the back."),
    ("R", "H"): later("The map is strongest on the patient's right, in the upper part."),
    ("R", "F"): later("The map is strongest on the patient's right, in the lower part."),
    ("A", "H"): later("The map is strongest in the upper front of the head."),
    ("A", "F"): later("The map is strongest in the lower front of the head."),
    ("P", "H"): later("The map is strongest in the upper back of the head."),
    ("P", "F"): later("The map is strongest in the lower back of the head."),
}
_DIRECTIONS = (("R", "L"), ("A", "P"), ("F", "H"))
"""Of each axis of LPS+ coordinates: where it is negative, where positive (PS3.3 C.7.6.1.1.1)."""


def explain_finding(
    finding: Finding, volume: Volume | None = None, check: MapCheck | None = None
) -> str:
    """The paragraph, in the user's language.

    Parameters
    ----------
    volume
        That the finding is of; without it nothing is said of where in the head.
    check
        Of the map of the first deciding slice, if it was made.
    """
    if finding.ood is not None and finding.ood.level == "outside":
        return " ".join(_outside(finding))
    parts = (
        _abstention(finding) if finding.abstains else _answer(finding),
        _slices(finding),
        _map(finding, volume, check),
        _similar(finding),
        _doubts(finding),
    )
    return " ".join(sentence for part in parts for sentence in part)


def format_share(probability: float) -> str:
    """A probability for people: never a rounded 0 or 100 where it is neither."""
    if 0 < probability < 0.0005:
        return f"< {language.percent(0.001, 1)}"
    if 0.9995 <= probability < 1:
        return f"> {language.percent(0.999, 1)}"
    return language.percent(probability, 1)


def describe_device(device: str) -> str:
    """What computed, as a finding states it, in the reader's words: ``cpu (2 threads)``."""
    found = re.fullmatch(r"cpu \((\d+) threads?\)", device)
    if found is None:
        return device
    return trn("cpu ({count} thread)", "cpu ({count} threads)", int(found[1]))


def describe_variation(finding: Finding, found: Variation) -> str:
    """What small changes did to the answer of one slice."""
    many = len(finding.slices) > 1
    named = {
        "where": tr("Slice {n}", n=found.slice + 1) if many else tr("The picture"),
        "name": _label(finding, found.target),
        "share": format_share(found.unchanged),
        "low": format_share(found.low),
        "high": format_share(found.high),
    }
    if found.others:
        return tr(
            "{where}, mirrored, shifted, brighter or darker: its answer is not stable, {name} gets "
            "{low} to {high} instead of {share}, and may give way to {names}.",
            names=join_names(_labels(finding, found.others)), **named,
        )  # fmt: skip
    return tr(
        "{where}, mirrored, shifted, brighter or darker: its answer stays {name}, {low} to {high}; "
        "unchanged it is {share}.",
        **named,
    )


def join_names(names: list[str]) -> str:
    """Names as alternatives: ``glioma, meningioma or pituitary tumour``."""
    if len(names) < 2:
        return "".join(names)
    return tr("{names} or {last}", names=", ".join(names[:-1]), last=names[-1])


def _outside(finding: Finding) -> Iterator[str]:
    assert finding.ood is not None
    yield tr("No class is named: this does not look like what the model was made for.")
    yield from finding.ood.reasons


def _abstention(finding: Finding) -> Iterator[str]:
    yield tr("The model names no single class.")
    yield finding.abstains
    if finding.candidates:
        yield tr(
            "It leaves open: {names}.",
            names=join_names(_labels(finding, finding.candidates)),
        )


def _answer(finding: Finding) -> Iterator[str]:
    name, probability = _label(finding, finding.predicted_class), format_share(_highest(finding))
    if len(finding.slices) > 1:
        yield trn(
            "From {count} slice, the answer is: {name}, with a probability of {share}.",
            "From {count} slices, the answer is: {name}, with a probability of {share}.",
            len(finding.slices), name=name, share=probability,
        )  # fmt: skip
        yield tr("This probability is pooled from slices and not calibrated on volumes.")
    else:
        yield tr("The answer is: {name}, with a probability of {share}.",
                 name=name, share=probability)  # fmt: skip
        yield _promise(finding)


def _promise(finding: Finding) -> str:
    if not finding.sets:
        return tr("How often such an answer is correct was not measured.")
    widest = finding.sets[-1]
    promise = language.percent(widest.promise)
    if not widest.classes:
        return tr("No class is like the cases on which the promise of {promise} was made.",
                  promise=promise)  # fmt: skip
    if len(widest.classes) == 1:
        return tr("At a promise of {promise} no other class remains possible.", promise=promise)
    return tr("At a promise of {promise} it may be {names}.",
              promise=promise, names=join_names(_labels(finding, widest.classes)))  # fmt: skip


def _slices(finding: Finding) -> Iterator[str]:
    if len(finding.slices) < 2 or not finding.key_slices:
        return
    first, *others = (number(index + 1) for index in finding.key_slices[: _OTHERS + 1])
    if others:
        yield tr("Slice {n} decided most, then {others}.", n=first, others=", ".join(others))
    else:
        yield tr("Slice {n} decided.", n=first)


def _map(finding: Finding, volume: Volume | None, check: MapCheck | None) -> Iterator[str]:
    if not _explains_the_answer(finding):
        return
    if check is not None and check.verdict != "passes":
        yield tr(check.nothing) or tr("The map failed its checks; where it points says little.")
        yield from map_verdict.failure_reasons(check)
        return
    directions = _place(finding, volume)
    if directions is not None:
        yield tr(_WHERE[directions])
    elif volume is not None and volume.placement is not Placement.PATIENT:
        yield tr("The image does not say how the patient lies in it, so no side is named.")
    if check is not None:
        yield tr("The map passed its checks.")


def _explains_the_answer(finding: Finding) -> bool:
    """Whether the map is of the most probable class, which is one that can be pointed at."""
    saliency, predicted = finding.saliency, finding.predicted_class
    if saliency is None or predicted == finding.no_tumour:
        return False
    return saliency.target == predicted and not saliency.against


def _place(finding: Finding, volume: Volume | None) -> tuple[str, ...] | None:
    """Where the first deciding slice's map has its peak, seen from the middle of the head, as
    letters of :data:`_DIRECTIONS`; None if that is not known."""
    saliency = finding.saliency
    if volume is None or volume.placement is not Placement.PATIENT or saliency is None:
        return None
    index = next((one for one in finding.key_slices if one in saliency.slices), None)
    if index is None or not saliency.maps[at := saliency.slices.index(index)].any():
        return None
    side = saliency.maps.shape[1]
    row, column = np.unravel_index(saliency.maps[at].argmax(), (side, side))
    halves = (np.array([row, column]) + 0.5) / side * 2 - 1
    steps = volume.affine[:3, 1:3]  # mm along rows and columns
    lengths = np.linalg.norm(steps, axis=0)
    axes = sorted(set(np.abs(steps / lengths).argmax(axis=0).tolist()))
    offset = steps @ halves / lengths.max()
    return tuple(
        _DIRECTIONS[axis][int(offset[axis] > 0)] for axis in axes if abs(offset[axis]) > _OFF_CENTRE
    )


def _similar(finding: Finding) -> Iterator[str]:
    if finding.similar is None or not finding.similar.cases:
        return
    votes = Counter(case.label for case in finding.similar.cases)
    counted = (f"{_label(finding, name)} {number(n)}" for name, n in votes.most_common())
    yield tr(
        "The {n} most similar training cases: {votes}.",
        n=len(finding.similar.cases), votes=", ".join(counted),
    )  # fmt: skip
    if finding.similar.cases[0].similarity >= _SAME:
        yield tr("One of them is all but this very image: the model may have learned from it.")


def _doubts(finding: Finding) -> Iterator[str]:
    if not finding.abstains and len(finding.classes) > 1:
        second = int(np.argsort(-finding.probabilities, kind="stable")[1])
        if finding.probabilities[second] >= _RIVAL:
            yield tr("Next comes {name} with {share}.",
                     name=_label(finding, finding.classes[second]),
                     share=format_share(float(finding.probabilities[second])))  # fmt: skip
    if finding.variation is not None:
        yield describe_variation(finding, finding.variation)
    if finding.disagreement is not None and len(finding.disagreement):
        yield tr("The networks of the ensemble disagree by {value} (0: none, 1: wholly).",
                 value=number(float(finding.disagreement.max()), ".2f"))  # fmt: skip
    if finding.ood is not None and finding.ood.level == "unusual":
        yield tr("The image is unusual for the model.")
        yield from finding.ood.reasons


def _highest(finding: Finding) -> float:
    return float(finding.probabilities.max())


def _labels(finding: Finding, names: tuple[str, ...]) -> list[str]:
    return [_label(finding, name) for name in names]


def _label(finding: Finding, name: str) -> str:
    return tr(finding.labels.get(name, name))
