"""From a volume to the answer for its study, with a network that outlines what is bright."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.analysis.test_candidates import RULES, finder, head
from tumorviewer.analysis.finding import OodAssessment
from tumorviewer.analysis.pipeline import examine_volume, make_finding
from tumorviewer.analysis.whole_study.answering import answer_study
from tumorviewer.analysis.whole_study.decision import (
    Asked,
    decide_answer,
    name_candidate,
    refuse_study,
)
from tumorviewer.analysis.whole_study.study_answer import SeriesRead, StudyAnswer, StudyCandidate
from tumorviewer.imaging.display import IDENTITY
from tumorviewer.study.types import Placement, Volume

READ = SeriesRead("brain.nii", "brain.nii", None, "", "T1 + contrast")
FINDER = finder(replace(RULES, sequences=("T1 + contrast",)))


def brain(tumour: bool = False, slices: int = 30, step: float = 4.0) -> Volume:
    """A ball of brain, with or without something bright in it."""
    array = head(slices)
    z = np.linspace(-1.2, 1.2, slices)
    rows, columns = np.mgrid[-1:1:64j, -1:1:64j]
    array[(rows**2 + columns**2)[None] > (0.8 - 0.5 * z**2)[:, None, None]] = 0
    if tumour:
        array[12:18, 20:30, 24:36] = 220
    affine = np.diag([step, 2, 2, 1.0])
    return Volume(array, affine, Placement.PATIENT, "brain.nii", windows=(IDENTITY,))


def answered(volume: Volume, model, read: SeriesRead = READ) -> StudyAnswer:
    return answer_study(volume, FINDER, examine_volume(volume, model), read, ("T1 + contrast",))


def test_a_tumour_is_outlined_measured_and_named(model) -> None:
    answer = answered(brain(tumour=True), model)
    assert answer.answer == "kind"
    assert answer.series_read == READ
    (one,) = answer.candidates
    truth = brain(tumour=True).array == 220
    assert 2 * (one.mask & truth).sum() / (one.mask.sum() + truth.sum()) > 0.85
    assert one.slices == tuple(range(12, 18))
    assert one.volume_ml == pytest.approx(truth.sum() * 16 / 1000, rel=0.2)
    assert one.diameters_mm == pytest.approx((31.2, 26.0), abs=4)
    assert one.centre_mm == pytest.approx((58, 49, 59), abs=3)
    assert "meningioma" in one.named_classes
    assert sum(one.probabilities.values()) == pytest.approx(1)
    assert [identity.name for identity in answer.models] == ["painted", model.card.name]


def test_without_a_candidate_in_a_whole_brain_there_is_no_tumour(model) -> None:
    answer = answered(brain(step=4.5), model)
    assert (answer.answer, answer.candidates) == ("no_tumour", ())
    assert not answer.is_muted


@pytest.mark.parametrize(
    ("volume", "why"),
    [
        (brain(slices=14), "whole brain"),
        (replace(brain(step=4.5), array=brain(step=4.5).array[:16]), "whole brain"),
        (replace(brain(step=4.5), array=brain(step=4.5).array[:, :, :32]), "whole brain"),
        (
            replace(brain(step=4.5), array=brain(step=4.5).array * (np.arange(64) < 32)[:, None]),
            "whole brain",
        ),
        (brain(slices=12, step=20), "20 mm apart"),
        (brain(slices=1), "single slice"),
    ],
)
def test_what_does_not_show_all_of_the_brain_shows_no_absence(model, volume, why) -> None:
    answer = answered(volume, model)
    assert answer.answer == "cannot_say"
    assert why in answer.reason


@pytest.mark.parametrize("sequence", ["", "T1"])
def test_absence_is_said_only_of_a_sequence_that_shows_tumours(model, sequence) -> None:
    answer = answered(brain(), model, replace(READ, sequence=sequence))
    assert answer.answer == "cannot_say"
    assert "T1 + contrast" in answer.reason
    found = answered(brain(tumour=True), model, replace(READ, sequence=sequence))
    assert found.answer == "kind"
    assert found.is_muted


def test_pictures_keep_the_answer_of_the_classifier(model) -> None:
    picture = replace(brain(tumour=True, slices=1), placement=Placement.NONE)
    examination = examine_volume(picture, model)
    answer = answer_study(picture, None, examination, READ, ())
    named = make_finding(examination, None).named_class
    expected = "no_tumour" if named == "notumor" else "kind"
    assert answer.answer == expected
    assert answer.named_class == (named if expected == "kind" else None)


def test_without_a_model_that_outlines_a_volume_has_no_answer(model) -> None:
    volume = brain()
    answer = answer_study(volume, None, examine_volume(volume, model), READ, ())
    assert answer.answer == "cannot_say"


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        ({"a": 0.9, "b": 0.1}, {"a": 0.6, "b": 0.4}, ("a",)),
        ({"a": 0.9, "b": 0.1}, {}, ("a",)),
        ({"a": 0.9, "b": 0.1}, {"a": 0.2, "b": 0.8}, ("a", "b")),
        ({"a": 0.6, "b": 0.3, "c": 0.1}, {"a": 1.0}, ("a", "b")),
        ({}, {"a": 0.9, "b": 0.1}, ("a",)),
        ({}, {}, ()),
    ],
)
def test_one_kind_is_named_only_if_both_networks_agree(first, second, named) -> None:
    assert name_candidate(first, second) == named


def candidate() -> StudyCandidate:
    mask = np.zeros((4, 8, 8), np.bool_)
    mask[1:3, 2:5, 3:6] = True
    return StudyCandidate(
        0.9, {"glioma": 1.0}, ("glioma",), 1.0, (3.0, 2.0), (0.0, 0.0, 0.0), (1, 2), 1,
        np.packbits(mask), mask.shape,
    )  # fmt: skip


def test_a_mask_comes_back_as_it_was_packed() -> None:
    assert candidate().mask[1:3, 2:5, 3:6].all()
    assert candidate().mask.sum() == 18


def test_what_the_models_were_not_made_for_has_no_answer_and_doubt_mutes_one() -> None:
    asked = Asked("s", (), READ, ("T1 + contrast",), (), (), "notumor")
    outside = OodAssessment("outside", 0.0, ("It is CT.",))
    refused = decide_answer(asked, (candidate(),), "", outside)
    assert (refused.answer, refused.doubts) == ("cannot_say", ("It is CT.",))
    assert refused.candidates
    unusual = OodAssessment("unusual", 2.0, ("It is far.",))
    muted = decide_answer(asked, (candidate(),), "", unusual)
    assert (muted.answer, muted.named_class, muted.is_muted) == ("kind", "glioma", True)


def test_what_does_not_show_the_whole_brain_is_a_doubt_of_a_kind() -> None:
    asked = Asked("s", (), READ, ("T1 + contrast",), (), (), "notumor")
    answer = decide_answer(asked, (candidate(),), "It does not show the whole brain.", None)
    assert (answer.answer, answer.is_muted) == ("kind", True)
    assert answer.doubts == ("It does not show the whole brain.",)


def test_absence_is_muted_where_it_looks_unlike_the_training_data() -> None:
    asked = Asked("s", (), READ, ("T1 + contrast",), (), (), "notumor")
    answer = decide_answer(asked, (), "", OodAssessment("unusual", 2.0, ("It is far.",)))
    assert (answer.answer, answer.is_muted, answer.doubts) == ("no_tumour", True, ("It is far.",))


def test_an_uncertain_outline_is_neither_a_tumour_nor_its_absence() -> None:
    asked = Asked("s", (), READ, ("T1 + contrast",), (), (), "notumor", least_to_answer=0.95)
    answer = decide_answer(asked, (candidate(),), "", None)
    assert (answer.answer, answer.named_classes) == ("cannot_say", ())
    assert answer.candidates
    assert "uncertain" in answer.reason
    surer = replace(asked, least_to_answer=0.9)
    assert decide_answer(surer, (candidate(),), "", None).answer == "kind"


def test_a_study_without_the_right_series_says_what_it_holds() -> None:
    answer = refuse_study("s", ("T2", "FLAIR"))
    assert answer.answer == "cannot_say"
    assert "T1 with contrast" in answer.reason
    assert "T2, FLAIR" in answer.reason
