"""The answers for studies come back as they were kept, and the worklist shows them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tumorviewer.analysis.finding import ModelIdentity
from tumorviewer.analysis.whole_study.study_answer import (
    SeriesRead,
    StudyAnswer,
    StudyCandidate,
    pack_mask,
)


def candidate(probability: float = 0.9) -> StudyCandidate:
    mask = np.zeros((5, 9, 7), np.bool_)
    mask[1:4, 2:6, 3:5] = True
    return StudyCandidate(
        probability=probability,
        probabilities={"glioma": 0.95, "meningioma": 0.05},
        named_classes=("glioma",),
        volume_ml=1.5,
        diameters_mm=(20.0, 10.0),
        centre_mm=(1.0, -2.0, 3.0),
        slices=(1, 2, 3),
        key_slice=2,
        packed=pack_mask(mask),
        shape=mask.shape,
    )


ANSWER = StudyAnswer(
    source="here",
    answer="kind",
    named_classes=("glioma",),
    reason="Outlined.",
    series_read=SeriesRead("here", "t1 gd", "1.2", "", "T1 + contrast"),
    present=("T1 + contrast", "T2"),
    candidates=(candidate(), candidate(0.5)),
    models=(ModelIdentity("finder", "1", "0" * 64),),
    labels=(("glioma", "Glioma"),),
    no_tumour="notumor",
)


@pytest.fixture
def number(records, dicom) -> int:
    return records.worklist.add(dicom(count=3)).id


def test_an_answer_comes_back_with_its_outlines(records, number) -> None:
    assert records.study_answers.latest(number) is None
    records.study_answers.add(number, ANSWER)
    back = records.study_answers.latest(number)
    for field in dataclasses.fields(StudyAnswer):
        if field.name != "candidates":
            assert getattr(back, field.name) == getattr(ANSWER, field.name)
    for kept, given in zip(back.candidates, ANSWER.candidates, strict=True):
        np.testing.assert_array_equal(kept.mask, given.mask)
        assert (kept.volume_ml, kept.diameters_mm, kept.centre_mm) == (1.5, (20, 10), (1, -2, 3))
    assert records.trail.entries(number)[0].action == "study answered"
    assert records.trail.verify() == []


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, ("glioma", 0.9, pytest.approx(0.05))),
        ({"doubts": ("It is far.",)}, ("glioma", 0.9, 0.75)),
        ({"named_classes": ("glioma", "meningioma")}, ("glioma", 0.9, 1.0)),
        (
            {"answer": "no_tumour", "named_classes": (), "candidates": ()},
            ("notumor", 0.0, 0.0),
        ),
        ({"answer": "cannot_say", "named_classes": (), "candidates": ()}, (None, None, 1.0)),
    ],
)
def test_the_worklist_shows_it(records, number, changes, shown) -> None:
    records.study_answers.add(number, dataclasses.replace(ANSWER, **changes))
    entry = records.worklist.get(number)
    assert (entry.predicted_class, entry.tumour, entry.doubt) == shown


def test_a_verdict_is_held_against_the_answer_for_the_study(records, number) -> None:
    records.study_answers.add(number, ANSWER)
    records.verdicts.give(number, "meningioma", before_answer=False)
    assert records.worklist.get(number).disagrees
    absent = dataclasses.replace(ANSWER, answer="no_tumour", named_classes=(), candidates=())
    records.study_answers.add(number, absent)
    assert records.worklist.get(number).disagrees


def test_an_answer_counts_until_a_file_changes(records, dicom, number) -> None:
    records.study_answers.add(number, ANSWER)
    records.worklist.add(dicom(count=4))
    assert records.study_answers.latest(number) is None


def test_it_leaves_with_its_study(records, number) -> None:
    records.study_answers.add(number, ANSWER)
    records.worklist.remove(number)
    assert records.worklist.find() == []
