"""A study's answer, with what it outlines, in the content of documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tumorviewer.analysis.whole_study.study_answer import StudyAnswer, StudyCandidate
from tumorviewer.language import number, tr
from tumorviewer.reports.content import (
    AnswerContent,
    ClassProbability,
    ModelContent,
    ReportContent,
)
from tumorviewer.study.types import Placement


def with_study_answer(content: ReportContent, study_answer: StudyAnswer) -> ReportContent:
    """The content of a finding on the volume that was read, with the answer for its study.

    The candidates of the answer are outlined together; the first is measured. The probability of a
    candidate only ranks and is not written.
    """
    found = study_answer.candidates if study_answer.answer == "kind" else ()
    outline = np.logical_or.reduce([one.mask for one in found]) if found else None
    first = study_answer.models[0] if study_answer.models else None
    model = None if first is None else ModelContent(first.name, first.version, first.sha256)
    return replace(
        content,
        answer=_answer(content, study_answer),
        outline=outline,
        outline_model=model if found else None,
        measurements=tuple(_measurements(found[0])) if found else (),
    )


def _answer(content: ReportContent, study_answer: StudyAnswer) -> AnswerContent:
    answer = content.answer
    named = study_answer.named_class
    if study_answer.answer == "no_tumour":
        named = answer.no_tumour
    first = next(iter(study_answer.candidates), None) if study_answer.answer == "kind" else None
    is_picture = study_answer.answer != "cannot_say" and content.volume.placement is Placement.NONE
    return replace(
        answer,
        classes=answer.classes if is_picture else tuple(_classes(content, first)),
        named=named,
        either=study_answer.named_classes if named is None else (),
        sentences=study_answer.reason,
        sets=(),
        notes=(*study_answer.doubts, *answer.notes),
        key_slices=(first.key_slice,) if first else answer.key_slices,
    )


def _classes(
    content: ReportContent, candidate: StudyCandidate | None
) -> Iterator[ClassProbability]:
    shares = {} if candidate is None else candidate.probabilities
    for name, share in sorted(shares.items(), key=lambda pair: -pair[1]):
        yield ClassProbability(name, content.label(name), share)


def _measurements(candidate: StudyCandidate) -> Iterator[tuple[str, str]]:
    if candidate.diameters_mm is not None:
        longest, across = (number(one, ".1f") for one in candidate.diameters_mm)
        yield tr("Diameters"), f"{longest} × {across} mm"
    if candidate.volume_ml is not None:
        yield tr("Volume"), f"{number(candidate.volume_ml, '.1f')} ml"
