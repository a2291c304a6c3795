"""A study's answer in documents: outlined together, measured, and nothing that only ranks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.reports.made import clean_series, content
from tests.reports.test_dicom_objects import evaluations
from tumorviewer.analysis.finding import ModelIdentity
from tumorviewer.analysis.whole_study.study_answer import (
    SeriesRead,
    StudyAnswer,
    StudyCandidate,
    pack_mask,
)
from tumorviewer.reports.dicom.segmentation import build_segmentation
from tumorviewer.reports.dicom.structured_report import build_structured_report
from tumorviewer.reports.from_study_answer import with_study_answer

KINDS = {"glioma": 0.7, "meningioma": 0.2, "pituitary": 0.1}


def candidate(mask: np.ndarray, *named: str) -> StudyCandidate:
    return StudyCandidate(
        probability=0.6, probabilities=KINDS, named_classes=named, volume_ml=1.234,
        diameters_mm=(12.34, 8.0), centre_mm=(0.0, 0.0, 0.0), slices=(1,), key_slice=1,
        packed=pack_mask(mask), shape=mask.shape,
    )  # fmt: skip


def study_answer(kind: str, named: tuple[str, ...], *masks: np.ndarray) -> StudyAnswer:
    return StudyAnswer(
        source="s", answer=kind, named_classes=named, reason="Because.",
        series_read=SeriesRead("s", "T1", None, "", "t1c"), present=("t1c",),
        candidates=tuple(candidate(mask, *named) for mask in masks), doubts=("Doubtful.",),
        models=(ModelIdentity("finder", "3", "cd" * 32),),
    )  # fmt: skip


@pytest.fixture
def result(tmp_path):
    return replace(content(clean_series(tmp_path / "in", "upwards")), outline=None)


@pytest.fixture
def masks(result):
    shape = result.volume.array.shape
    first, second = np.zeros(shape, bool), np.zeros(shape, bool)
    first[1, 5:9, 6:12], second[4, 8:14, 10:16] = True, True
    return first, second


def test_a_kind_is_outlined_measured_and_named(result, masks) -> None:
    made = with_study_answer(result, study_answer("kind", ("glioma",), *masks))
    assert np.array_equal(made.outline, masks[0] | masks[1])
    assert dict(made.measurements) == {"Diameters": "12.3 × 8.0 mm", "Volume": "1.2 ml"}
    assert {one.name: one.probability for one in made.answer.classes} == KINDS
    assert made.answer.presence == "present"
    assert made.answer.notes[0] == "Doubtful."
    assert build_segmentation(made).SegmentSequence[0].SegmentAlgorithmName == "finder"
    assert "Glioma" in evaluations(build_structured_report(made), "answer").values()


def test_two_kinds_are_a_tumour_of_which_no_one_is_named(result, masks) -> None:
    made = with_study_answer(result, study_answer("kind", ("glioma", "meningioma"), masks[0]))
    found = evaluations(build_structured_report(made), "answer")
    assert found["Presence"] == "Present"
    assert "Glioma" not in found.values()
    assert made.answer.named is None


@pytest.mark.parametrize(
    ("kind", "presence"), [("no_tumour", "absent"), ("cannot_say", "indeterminate")]
)
def test_none_found_and_cannot_say_outline_nothing(result, masks, kind, presence) -> None:
    made = with_study_answer(result, study_answer(kind, (), masks[0]))
    assert made.answer.presence == presence
    assert made.outline is None
    assert made.measurements == ()
    assert made.answer.classes == ()
