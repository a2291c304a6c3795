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
    first = study_answer.candidates[0] if study_answer.answer == "kind" else None
    shares = sorted(first.probabilities.items(), key=lambda pair: -pair[1]) if first else []
    return replace(
        answer,
        classes=tuple(ClassProbability(name, content.label(name), share) for name, share in shares),
        named=named,
        either=study_answer.named_classes if named is None else (),
        sentences=study_answer.reason,
        sets=(),
        notes=(*study_answer.doubts, *answer.notes),
        key_slices=(first.key_slice,) if first else answer.key_slices,
    )


def _measurements(candidate: StudyCandidate) -> Iterator[tuple[str, str]]:
    if candidate.diameters_mm is not None:
        longest, across = (number(one, ".1f") for one in candidate.diameters_mm)
        yield tr("Diameters"), f"{longest} × {across} mm"
    if candidate.volume_ml is not None:
        yield tr("Volume"), f"{number(candidate.volume_ml, '.1f')} ml"
