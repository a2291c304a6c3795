"""From candidates to the answer for the study. No torch.

Shapes: D H W slices, rows, columns of the volume that was read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.finding import Finding, ModelIdentity, OodAssessment
from tumorviewer.analysis.whole_study.study_answer import SeriesRead, StudyAnswer, StudyCandidate
from tumorviewer.language import number, tr
from tumorviewer.study.types import Volume

NAMED_FROM = 0.8
"""Probability from which a kind is named alone, if both networks agree on it."""
_WHOLE_MM = 90.0
"""The brain of an adult is longer than this in every direction."""
_LEAST_ML = 850.0
"""The brain of an adult holds more than this."""
_THICKEST_MM = 8.0
"""Between slices further apart a tumour may lie unseen."""
_CUT = 0.6
"""The brain goes on beyond the volume where an outermost slice shows this share of its largest
section."""


@dataclass(frozen=True)
class Asked:
    """What was asked about a study: everything but what the networks said."""

    source: str
    present: tuple[str, ...]
    read: SeriesRead
    readable: tuple[str, ...]
    """Sequences whose tumours the model that outlines was trained on."""
    models: tuple[ModelIdentity, ...]
    labels: tuple[tuple[str, str], ...]
    no_tumour: str | None
    least_to_answer: float = 0.0
    """As :attr:`tumorviewer.models.card.SegmentationRules.least_to_answer`."""


def name_candidate(
    probabilities: Mapping[str, float], second_opinion: Mapping[str, float]
) -> tuple[str, ...]:
    """The kind of a candidate, or the two that it may be.

    One kind is named if it is probable enough and the classifier of slices, asked about the same
    slices, finds the same kind the most probable.

    Parameters
    ----------
    probabilities
        Of the kinds, from the network that outlined it; may be empty.
    second_opinion
        Of the kinds, from the classifier; may be empty.
    """
    first = _by_probability(probabilities or second_opinion)
    if len(first) < 2:
        return first
    other = _by_probability(second_opinion)
    if other and other[0] != first[0]:
        return first[0], other[0]
    return first[:1] if (probabilities or second_opinion)[first[0]] >= NAMED_FROM else first[:2]


def ask_classifier(finding: Finding, slices: Sequence[int]) -> dict[str, float]:
    """Mean probabilities of the kinds of tumour on some slices, sum 1; empty if none of them was
    judged."""
    rows = [at for at, index in enumerate(finding.slices) if index in set(slices)]
    kinds = [at for at, name in enumerate(finding.classes) if name != finding.no_tumour]
    if not rows or not kinds:
        return {}
    mean_K = finding.slice_probabilities[rows].mean(0)[kinds]
    total = float(mean_K.sum()) or 1.0
    return {finding.classes[at]: float(p) / total for at, p in zip(kinds, mean_K, strict=True)}


def find_gaps(brain_DHW: NDArray[np.bool_], brain_slices: Sequence[int], volume: Volume) -> str:
    """Why a volume cannot show that there is no tumour anywhere, in words; empty if it can."""
    if not brain_slices:
        return tr("No brain is seen in it.")
    spacing = volume.spacing()[0]
    if len(volume.array) < 2:
        return tr("It is a single slice.")
    if spacing > _THICKEST_MM:
        return tr("Its slices are {distance} mm apart.", distance=number(spacing))
    areas = brain_DHW.sum((1, 2))
    is_cut = max(areas[0], areas[-1]) > _CUT * areas.max()
    brain_ml = float(areas.sum() * np.prod(volume.spacing())) / 1000
    shortest = min(_measure_extents_mm(brain_DHW, brain_slices, volume))
    if is_cut or brain_ml < _LEAST_ML or shortest < _WHOLE_MM:
        return tr("It does not show the whole brain.")
    return ""


def _measure_extents_mm(
    brain_DHW: NDArray[np.bool_], brain_slices: Sequence[int], volume: Volume
) -> Iterator[float]:
    """How far the brain reaches along slices, rows and columns."""
    first, last = brain_slices[0], brain_slices[-1]
    section_HW = brain_DHW[first : last + 1].any(0)
    for spacing, shown in zip(
        volume.spacing(),
        (np.array([first, last]), *np.nonzero(section_HW)),
        strict=True,
    ):
        yield float(np.ptp(shown) + 1) * spacing


def decide_answer(
    asked: Asked, candidates: tuple[StudyCandidate, ...], gaps: str, ood: OodAssessment | None
) -> StudyAnswer:
    """The answer that candidates, or their absence, give for a study.

    Parameters
    ----------
    candidates
        The most probable first.
    gaps
        As :func:`find_gaps` answers; a doubt where there are candidates.
    ood
        Of the slices that the answer rests on; None if nobody measured it.
    """
    doubts = (*_doubts(asked, candidates, ood), *([gaps] if candidates and gaps else []))
    if ood is not None and ood.level == "outside":
        reason = tr("This does not look like what the model was made for.")
        return _answer(asked, "cannot_say", reason, candidates, doubts)
    if candidates:
        if candidates[0].probability < asked.least_to_answer:
            reason = tr("What is outlined may be a tumour or not: it is too uncertain.")
            return _answer(asked, "cannot_say", reason, candidates, doubts)
        if named := candidates[0].named_classes:
            return _answer(asked, "kind", _found(candidates), candidates, doubts, named)
        return _answer(
            asked, "cannot_say", tr("What was outlined could not be named."), candidates, doubts
        )
    sequence = asked.read.sequence
    if sequence not in asked.readable:
        name = tr(sequence) if sequence else tr("a series that does not say what it is")
        reason = tr(
            "Nothing was found, but {sequence} does not rule a tumour out: the model was trained "
            "on {readable}.",
            sequence=name,
            readable=", ".join(map(tr, asked.readable)),
        )
        return _answer(asked, "cannot_say", reason, (), doubts)
    if gaps:
        return _answer(asked, "cannot_say", f"{tr('Nothing was found.')} {gaps}", (), doubts)
    return _answer(asked, "no_tumour", tr("No tumour was found."), (), doubts)


def refuse_study(
    source: str,
    present: tuple[str, ...],
    reason: str = "",
    models: tuple[ModelIdentity, ...] = (),
) -> StudyAnswer:
    """The answer for a study without a series to read, or whose series could not be read."""
    said = reason or tr(
        "This study does not hold what the model reads: T1 with contrast. It holds: {present}.",
        present=", ".join(present) or tr("nothing"),
    )
    return StudyAnswer(source, "cannot_say", (), said, None, present, models=models)


def answer_picture(finding: Finding, read: SeriesRead, present: tuple[str, ...]) -> StudyAnswer:
    """The answer for pictures without a place in the patient: that of the classifier."""
    doubts = finding.ood.reasons if finding.ood else ()
    labels = tuple(finding.labels.items())
    asked = Asked(read.source, present, read, (), (finding.model,), labels, finding.no_tumour)
    if finding.is_outside:
        reason = tr("This does not look like what the model was made for.")
        return _answer(asked, "cannot_say", reason, (), doubts)
    named = (finding.named_class,) if finding.named_class else finding.candidates
    if named == (finding.no_tumour,):
        return _answer(asked, "no_tumour", tr("No tumour was found."), (), doubts)
    if 0 < len(named) <= 2 and finding.no_tumour not in named:
        return _answer(asked, "kind", finding.abstains, (), doubts, named)
    return _answer(asked, "cannot_say", finding.abstains, (), doubts)


def _by_probability(probabilities: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(sorted(probabilities, key=lambda name: -probabilities[name]))


def _doubts(
    asked: Asked, candidates: Sequence[StudyCandidate], ood: OodAssessment | None
) -> Iterator[str]:
    if ood is not None:
        yield from ood.reasons
    if not candidates:
        return
    sequence = asked.read.sequence
    if not sequence:
        yield tr("Nothing says that the series is T1 with contrast.")
    elif sequence not in asked.readable:
        yield tr(
            "The model was trained on {readable}; this is {sequence}.",
            readable=", ".join(map(tr, asked.readable)),
            sequence=tr(sequence),
        )


def _found(candidates: Sequence[StudyCandidate]) -> str:
    first = candidates[0]
    shown = tr("slices {first} to {last}", first=first.slices[0] + 1, last=first.slices[-1] + 1)
    if first.volume_ml is None or first.diameters_mm is None:
        return tr("Outlined in {slices}.", slices=shown)
    longest, across = first.diameters_mm
    return tr(
        "Outlined in {slices}: {volume} ml, {longest} × {across} mm.",
        slices=shown,
        volume=number(first.volume_ml, ".1f"),
        longest=number(longest),
        across=number(across),
    )


def _answer(
    asked: Asked,
    answer: str,
    reason: str,
    candidates: tuple[StudyCandidate, ...],
    doubts: tuple[str, ...],
    named: tuple[str, ...] = (),
) -> StudyAnswer:
    return StudyAnswer(
        source=asked.source,
        answer=answer,  # type: ignore[arg-type]
        named_classes=named,
        reason=reason,
        series_read=asked.read,
        present=asked.present,
        candidates=candidates,
        doubts=doubts,
        models=asked.models,
        labels=asked.labels,
        no_tumour=asked.no_tumour,
    )
