"""The paragraph on a finding: nothing in it that the finding does not say."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorviewer import language
from tumorviewer.analysis.finding import (
    Finding,
    ModelIdentity,
    OodAssessment,
    PredictionSet,
    Saliency,
    SimilarCase,
    SimilarCases,
)
from tumorviewer.analysis.preprocess import Box
from tumorviewer.analysis.trust.map_verdict import MapCheck
from tumorviewer.export import wording
from tumorviewer.study.types import Placement, Volume

CLASSES = ("glioma", "meningioma", "notumor", "pituitary")
LABELS = dict(zip(CLASSES, ("Glioma", "Meningioma", "No tumour", "Pituitary tumour"), strict=True))
AXIAL = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], float)
CORONAL = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]], float)
SIDES = re.compile(r"\b(left|right|front|back|upper|lower|sol\w*|sağ\w*)\b", re.IGNORECASE)


@pytest.fixture(autouse=True)
def _in_english():
    yield
    language.use_language("en")


def saliency(row: int, column: int, index: int = 0) -> Saliency:
    maps = np.zeros((1, 9, 9), np.float32)
    maps[0, row, column] = 1
    one = np.ones(1, np.float32)
    box = (Box(0, 0, 9),)
    return Saliency("gradcam", "glioma", False, (index,), maps, one, one, box, (9, 9))


def finding(**changes: object) -> Finding:
    plain = Finding(
        source="s",
        series_instance_uid=None,
        volume="",
        model=ModelIdentity("m", "1", "0" * 64),
        classes=CLASSES,
        labels=LABELS,
        no_tumour="notumor",
        probabilities=np.array([0.9, 0.06, 0.03, 0.01]),
        slices=(0,),
        slice_probabilities=np.array([[0.9, 0.06, 0.03, 0.01]]),
        pooling="",
        key_slices=(0,),
        saliency=saliency(4, 8),
        flags=(),
        device="cpu",
    )
    return replace(plain, **changes)


def volume(placement: Placement, affine: np.ndarray = AXIAL) -> Volume:
    return Volume(np.zeros((1, 9, 9), np.uint8), affine, placement, "s")


def case(label: str) -> SimilarCase:
    return SimilarCase(label, "set", 0.9, "0" * 16, -1, 0)


@st.composite
def findings(draw) -> Finding:
    shares = np.array(draw(st.lists(st.floats(0.001, 1), min_size=4, max_size=4)))
    shares = shares / shares.sum()
    count = draw(st.integers(1, 300))
    slices = tuple(range(count))
    key = tuple(draw(st.permutations(slices[:6])))
    names = st.lists(st.sampled_from(CLASSES), max_size=4, unique=True).map(tuple)
    sets = draw(st.sampled_from([(), (0.9,), (0.9, 0.95)]))
    cases = tuple(map(case, draw(st.lists(st.sampled_from(CLASSES), max_size=5))))
    level = draw(st.sampled_from(["inside", "unusual", "outside", None]))
    return finding(
        probabilities=shares,
        slices=slices,
        slice_probabilities=np.tile(shares, (count, 1)),
        key_slices=key,
        saliency=saliency(draw(st.integers(0, 8)), draw(st.integers(0, 8)), key[0]),
        sets=tuple(PredictionSet(promise, draw(names)) for promise in sets),
        abstains=draw(st.sampled_from(["", "No class reaches 71 %."])),
        candidates=draw(names),
        ood=level
        and OodAssessment(level, 3.2, () if level == "inside" else ("It is not a head.",)),
        similar=draw(st.sampled_from([None, SimilarCases(key[0], cases)])),
        disagreement=draw(st.sampled_from([None, np.full(count, 0.25)])),
    )


def numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:[.,]\d+)?", text))


def said(one: Finding) -> set[str]:
    """Every number of a finding as the paragraph may write it."""
    allowed = {"0", "1", "99.9", "0.1", str(len(one.slices))}  # the scale of disagreement, bounds
    allowed |= {f"{100 * share:.1f}" for share in one.probabilities}
    allowed |= {f"{100 * each.promise:.0f}" for each in one.sets}
    allowed |= {str(index + 1) for index in one.key_slices}
    allowed |= numbers(one.abstains)
    if one.similar:
        votes = [case.label for case in one.similar.cases]
        allowed |= {str(len(votes)), *(str(votes.count(name)) for name in votes)}
    if one.disagreement is not None:
        allowed.add(f"{one.disagreement.max():.2f}")
    return allowed


@settings(max_examples=60, deadline=None)
@given(findings(), st.sampled_from(list(Placement)), st.sampled_from(["en", "tr"]))
def test_every_number_is_in_the_finding(one, placement, spoken):
    language.use_language(spoken)
    text = wording.explain_finding(one, volume(placement)).replace(",", ".")
    assert numbers(text.replace(". ", " ; ")) <= said(one)


@settings(max_examples=60, deadline=None)
@given(findings(), st.sampled_from([Placement.NONE, Placement.SCALED]), st.sampled_from("et"))
def test_no_side_is_named_where_orientation_is_unknown(one, placement, letter):
    language.use_language({"e": "en", "t": "tr"}[letter])
    assert not SIDES.search(wording.explain_finding(one, volume(placement)))
    assert not SIDES.search(wording.explain_finding(one))


@settings(max_examples=60, deadline=None)
@given(findings())
def test_a_class_is_the_answer_only_if_the_finding_names_it(one):
    text = wording.explain_finding(one, volume(Placement.PATIENT))
    assert ("the answer is" in text.lower()) == (one.named_class is not None)
    if one.ood and one.ood.level == "outside":
        assert not any(label in text for label in LABELS.values())


@pytest.mark.parametrize(
    ("affine", "row", "column", "where"),
    [
        (AXIAL, 4, 8, "on the patient's left."),
        (AXIAL, 4, 0, "on the patient's right."),
        (AXIAL, 0, 8, "on the patient's left, towards the front."),
        (AXIAL, 8, 4, "in the back of the head, near the midline."),
        (AXIAL, 4, 4, "near the middle of the head."),
        (CORONAL, 0, 0, "on the patient's right, in the upper part."),
        (CORONAL, 8, 4, "in the lower part of the head."),
        (AXIAL @ np.diag([1, 1, -1, 1.0]), 4, 8, "on the patient's right."),
    ],
)
def test_sides_are_those_of_the_patient(affine, row, column, where):
    one = finding(saliency=saliency(row, column))
    assert where in wording.explain_finding(one, volume(Placement.PATIENT, affine))


def test_oblique_planes_name_two_directions_at_most():
    turned = AXIAL.copy()
    turned[:3, 1] = (0, np.sqrt(0.5), np.sqrt(0.5))
    one = finding(saliency=saliency(8, 8))
    assert "on the patient's left" in wording.explain_finding(
        one, volume(Placement.PATIENT, turned)
    )


def test_an_image_that_was_trained_on_is_told():
    same = replace(case("glioma"), similarity=0.9995)
    like = replace(same, similarity=0.99)
    said = [
        wording.explain_finding(finding(similar=SimilarCases(0, (one,)))) for one in (same, like)
    ]
    assert ["may have learned from it" in text for text in said] == [True, False]


def test_nothing_is_pointed_at_where_there_is_no_tumour_or_the_map_failed():
    none = finding(probabilities=np.array([0.02, 0.02, 0.95, 0.01]))
    assert "map" not in wording.explain_finding(none, volume(Placement.PATIENT))
    other = finding(saliency=replace(saliency(4, 8), target="meningioma"))
    assert "map" not in wording.explain_finding(other, volume(Placement.PATIENT))
    failed = MapCheck(0, "gradcam", "glioma", deletion=0.1, insertion=0.4, inside=0.9)
    text = wording.explain_finding(finding(), volume(Placement.PATIENT), failed)
    assert "failed its checks" in text
    assert not SIDES.search(text)


def test_it_reads_as_a_paragraph():
    one = finding(
        sets=(PredictionSet(0.95, ("glioma", "meningioma")),),
        similar=SimilarCases(0, tuple(map(case, (*["glioma"] * 4, "meningioma")))),
    )
    assert wording.explain_finding(one, volume(Placement.PATIENT)) == (
        "The answer is: Glioma, with a probability of 90.0 %. At a promise of 95 % it may be "
        "Glioma or Meningioma. The map is strongest on the patient's left. The 5 most similar "
        "training cases: Glioma 4, Meningioma 1. Next comes Meningioma with 6.0 %."
    )


@pytest.mark.parametrize(
    ("code", "words"), [("en", "cpu (1 thread)"), ("tr", "cpu (1 iş parçacığı)")]
)
def test_a_stored_device_is_put_into_words_when_it_is_shown(monkeypatch, code, words):
    monkeypatch.setenv(language.VARIABLE, code)
    language.current_language.cache_clear()
    try:
        assert wording.describe_device("cpu (1 thread)") == words
        assert wording.describe_device("cuda: NVIDIA H100") == "cuda: NVIDIA H100"
    finally:
        monkeypatch.undo()
        language.current_language.cache_clear()
