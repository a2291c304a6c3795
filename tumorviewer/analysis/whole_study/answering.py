"""A volume and two networks to the answer for its study: outline, name, answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tumorviewer.analysis.examination import Examination
from tumorviewer.analysis.finding import Finding, ModelIdentity, OodAssessment
from tumorviewer.analysis.pipeline import make_finding
from tumorviewer.analysis.slices import ReportProgress
from tumorviewer.analysis.trust.out_of_distribution import assess_distribution
from tumorviewer.analysis.whole_study import decision
from tumorviewer.analysis.whole_study.decision import Asked
from tumorviewer.analysis.whole_study.outline_measures import (
    measure_centre_mm,
    measure_diameters_mm,
    measure_volume_ml,
)
from tumorviewer.analysis.whole_study.study_answer import (
    SeriesRead,
    StudyAnswer,
    StudyCandidate,
    pack_mask,
)
from tumorviewer.language import tr
from tumorviewer.models import ModelCard
from tumorviewer.study.types import Placement, Volume

if TYPE_CHECKING:
    from tumorviewer.analysis.candidates import CandidateOutline, Finder, Outlines

_MOST = 10
"""Candidates that are listed."""


def answer_study(
    volume: Volume,
    finder: Finder | None,
    examination: Examination,
    read: SeriesRead,
    present: tuple[str, ...],
    source: str = "",
    finding: Finding | None = None,
    progress: ReportProgress | None = None,
) -> StudyAnswer:
    """Outline candidates in the volume that is read, name each, and answer for the study.

    Parameters
    ----------
    volume
        Of the series that :func:`tumorviewer.analysis.whole_study.series_choice.rank_series` puts
        first.
    finder
        What outlines; without it only pictures are answered.
    examination
        The same volume before the classifier of slices.
    read, present
        Which series it is, and what else the study holds.
    source
        Of the study; that of the series by default.
    finding
        What the examination found, if it was asked for before.
    progress
        Told after each batch of slices; it may raise to stop.

    Raises
    ------
    InputError
        If memory does not suffice.
    """
    finding = finding or make_finding(examination, None, progress=progress)
    if volume.placement is Placement.NONE:
        return decision.answer_picture(finding, read, present)
    if finder is None:
        reason = tr("No model that outlines tumours is installed.")
        return decision.refuse_study(source or read.source, present, reason, (finding.model,))
    from tumorviewer.analysis.candidates import find_candidates  # scipy, for volumes alone

    outlines = find_candidates(volume, finder, progress)
    asked = Asked(
        source=source or read.source,
        present=present,
        read=read,
        readable=finder.rules.sequences,
        models=(_identity(finder.card), finding.model),
        labels=tuple(finding.labels.items()),
        no_tumour=finding.no_tumour,
        least_to_answer=finder.rules.least_to_answer,
    )
    candidates = tuple(_candidate(one, volume, finding) for one in outlines.candidates[:_MOST])
    gaps = decision.find_gaps(outlines.brain, outlines.brain_slices, volume)
    ood = _assess(examination, _deciding_slices(outlines))
    return decision.decide_answer(asked, candidates, gaps, ood)


def _candidate(outline: CandidateOutline, volume: Volume, finding: Finding) -> StudyCandidate:
    second = decision.ask_classifier(finding, outline.slices)
    _, row_mm, column_mm = volume.spacing()
    is_placed = volume.placement is Placement.PATIENT
    return StudyCandidate(
        probability=outline.probability,
        probabilities=outline.classes or second,
        named_classes=decision.name_candidate(outline.classes, second),
        volume_ml=measure_volume_ml(outline.mask, volume),
        diameters_mm=measure_diameters_mm(outline.mask[outline.key_slice], row_mm, column_mm)
        if is_placed
        else None,
        centre_mm=measure_centre_mm(outline.mask, volume),
        slices=outline.slices,
        key_slice=outline.key_slice,
        packed=pack_mask(outline.mask),
        shape=outline.mask.shape,
    )


def _deciding_slices(outlines: Outlines) -> tuple[int, ...]:
    """Those of the most probable candidate; without one, the middle half of the brain's."""
    if outlines.candidates:
        return outlines.candidates[0].slices
    quarter = len(outlines.brain_slices) // 4
    return outlines.brain_slices[quarter : len(outlines.brain_slices) - quarter]


def _assess(examination: Examination, slices: Sequence[int]) -> OodAssessment | None:
    """Whether the slices that the answer rests on are what the models were made for.

    Modality, body part and size can put them outside. The classifier's distance cannot: it was not
    made for all that the model that outlines reads, so there it is a doubt.
    """
    detector, distances_N = examination.model.ood, examination.distances
    prepared = examination.prepared
    key = [at for at, index in enumerate(prepared.slices) if index in set(slices)]
    if detector is None or distances_N is None or not key:
        return None
    nearby_N = np.zeros_like(distances_N)
    stated = assess_distribution(prepared, detector.known, nearby_N, key)
    whole = assess_distribution(prepared, detector.known, distances_N, key)
    if stated.level == "outside" or whole.level == "inside":
        return whole
    return replace(whole, level="unusual")


def _identity(card: ModelCard) -> ModelIdentity:
    return ModelIdentity(card.name, card.version, card.weights.sha256)
