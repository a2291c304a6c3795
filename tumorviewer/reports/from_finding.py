"""A finding, the study it is of and its reader's verdict as the content of documents."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np

from tumorviewer.analysis.finding import Finding
from tumorviewer.analysis.methods import METHODS
from tumorviewer.export.wording import explain_finding
from tumorviewer.records.entries import Verdict
from tumorviewer.reports.content import (
    AnswerContent,
    ClassProbability,
    ModelContent,
    ReportContent,
    VerdictContent,
)
from tumorviewer.study.dicom.elements import read_text
from tumorviewer.study.types import Series, Study, Volume, VolumeReader


def build_content(
    study: Study,
    series: Series,
    reader: VolumeReader,
    volume: Volume,
    finding: Finding,
    *,
    time: datetime,
    verdict: Verdict | None = None,
    limits: tuple[str, ...] = (),
) -> ReportContent:
    """What documents show of a finding.

    Parameters
    ----------
    time
        When the finding was made.
    limits
        Of the model, from its card.

    Raises
    ------
    InputError
        If a file of the series has changed or gone.
    """
    saliency = finding.saliency
    drawn = {} if saliency is None else {i: saliency.on_slice(i) for i in saliency.slices}
    content = ReportContent(
        volume=volume,
        answer=_answer(finding, volume, time, limits),
        verdict=None if verdict is None else _verdict(verdict, finding),
        maps={index: np.asarray(map_HW) for index, map_HW in drawn.items() if map_HW is not None},
        map_method="" if saliency is None else METHODS[saliency.method].title,
        patient_name=study.patient_name,
        patient_id=study.patient_id,
        study_date=study.date,
        study_description=study.description,
        series_title=series.title,
        labels=dict(finding.labels),
    )
    return _with_source(content, reader)


def _with_source(content: ReportContent, reader: VolumeReader) -> ReportContent:
    from tumorviewer.study.dicom.volume import DicomVolume

    if not isinstance(reader, DicomVolume):
        return content
    from tumorviewer.reports.dicom.headers import read_source

    source = read_source(reader)
    born = read_text(source.first, "PatientBirthDate")
    return replace(
        content,
        source=source,
        patient_birth_date=f"{born[:4]}-{born[4:6]}-{born[6:]}" if len(born) == 8 else "",
        patient_sex=read_text(source.first, "PatientSex"),
    )


def _answer(
    finding: Finding, volume: Volume, time: datetime, limits: tuple[str, ...]
) -> AnswerContent:
    shares = zip(finding.classes, finding.probabilities.tolist(), strict=True)
    ranked = [] if finding.is_outside else sorted(shares, key=lambda pair: -pair[1])
    model = finding.model
    return AnswerContent(
        classes=tuple(
            ClassProbability(name, finding.labels.get(name, name), share) for name, share in ranked
        ),
        named=finding.named_class,
        no_tumour=finding.no_tumour,
        sentences=explain_finding(finding, volume),
        model=ModelContent(model.name, model.version, model.sha256, limits),
        time=time,
        sets=() if finding.is_outside else tuple((s.promise, s.classes) for s in finding.sets),
        notes=(*finding.flags, *volume.notes),
        key_slices=finding.key_slices,
        judged=len(finding.slices),
    )


def _verdict(verdict: Verdict, finding: Finding) -> VerdictContent:
    return VerdictContent(
        name=verdict.label,
        label=finding.labels.get(verdict.label, verdict.label),
        reader=verdict.reader,
        time=datetime.fromisoformat(verdict.time),
        signed=verdict.signed,
        comment=verdict.comment,
        confidence=verdict.confidence,
    )
