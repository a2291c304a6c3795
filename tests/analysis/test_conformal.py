"""Which classes an answer leaves open, by the thresholds of a card."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tumorviewer.analysis.trust import conformal
from tumorviewer.models.card import Architecture, ModelCard, Preprocessing, Weights
from tumorviewer.models.trust_measures import (
    Abstention,
    CoverageLevel,
    JointNaming,
    Measured,
    Pooling,
    PredictionSets,
    Trust,
)

CLASSES = ("glioma", "meningioma", "notumor", "pituitary")
SOME = Measured(0.9, 0.8, 1.0)


def card(trust: Trust | None) -> ModelCard:
    return ModelCard(
        name="m", version="1", title="M", architecture=Architecture("light"), classes=CLASSES,
        labels={name: name.title() for name in CLASSES}, no_tumour="notumor",
        preprocessing=Preprocessing(), weights=Weights("0" * 64, 1), created="2026-11-21",
        summary="", intended_use="", limits=(), licence="", training={}, figures={}, trust=trust,
    )  # fmt: skip


def level(promise: float, least: float) -> CoverageLevel:
    return CoverageLevel(promise, least, SOME, SOME, 0.0, 1.0, {})


MEASURED = Trust(
    100,
    20,
    sets=PredictionSets("LAC", (level(0.9, 0.95), level(0.95, 0.6), level(0.99, 0.02))),
    abstention=Abstention(
        "rule", 0.8, SOME, Measured(0.987, 0.9, 1.0), SOME, JointNaming(0.15, SOME, SOME)
    ),
    pooling=Pooling(23, 20, Measured(0.97, 0.9, 1.0), Measured(0.956, 0.87, 1.0), SOME, SOME, SOME),
)  # fmt: skip


def judged(*probabilities: float, trust: Trust | None = MEASURED, is_volume: bool = False):
    return conformal.apply_thresholds(card(trust), np.array(probabilities), is_volume=is_volume)


def test_a_sure_answer_leaves_one_class_at_every_promise():
    said = judged(0.001, 0.001, 0.001, 0.997)
    assert [one.classes for one in said.sets] == [("pituitary",)] * 3
    assert [one.promise for one in said.sets] == [0.9, 0.95, 0.99]
    assert (said.candidates, said.abstains, said.flags) == ((), "", ())


def test_where_no_class_is_as_probable_as_usual_the_set_is_empty_and_the_next_has_the_answer():
    said = judged(0.85, 0.12, 0.02, 0.01)
    assert [one.classes for one in said.sets] == [
        (), ("glioma",), ("glioma", "meningioma", "notumor"),
    ]  # fmt: skip
    assert not said.abstains


def test_an_unsure_answer_names_the_classes_that_remain_most_probable_first():
    said = judged(0.30, 0.60, 0.06, 0.04)
    assert said.candidates == ("meningioma", "glioma")
    assert "80 %" in said.abstains
    assert "98.7 %" in said.abstains


def test_one_class_alone_is_never_named_with_doubt():
    assert judged(0.79, 0.08, 0.07, 0.06).candidates == ("glioma", "meningioma")


def test_what_rules_nothing_out_names_no_class():
    said = judged(0.3, 0.25, 0.25, 0.2)
    assert said.candidates == ()
    assert said.abstains


def test_a_volume_gets_no_promise_and_says_why():
    said = judged(0.9, 0.05, 0.03, 0.02, is_volume=True)
    assert said.sets == ()
    (flag,) = said.flags
    assert "no volumes" in flag
    assert "23" in flag
    assert "96 %" in flag


@pytest.mark.parametrize("is_volume", [False, True])
def test_a_model_that_nobody_measured_always_answers_and_that_is_said(is_volume):
    said = judged(0.4, 0.3, 0.2, 0.1, trust=None, is_volume=is_volume)
    assert (said.sets, said.candidates, said.abstains) == ((), (), "")
    (flag,) = said.flags
    assert "it names a class whatever the image shows" in flag


def test_a_model_that_was_never_unsure_names_no_candidates():
    assert MEASURED.abstention is not None
    alone = dataclasses.replace(
        MEASURED, abstention=dataclasses.replace(MEASURED.abstention, together=None)
    )
    assert judged(0.5, 0.4, 0.06, 0.04, trust=alone).candidates == ()
