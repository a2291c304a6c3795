"""What the trainer's numbers say, in English and in Turkish."""

from __future__ import annotations

import pytest

from tumorviewer import language
from tumorviewer.models import cautions, evidence
from tumorviewer.models.evidence import OverlapBasis

AUDIT = {
    "items": 400, "groups": 300, "groups_of_classes": {"glioma": 280, "notumor": 4},
    "groups_with_several_labels": 1, "items_in_them": 3, "pairs_with_two_labels": 2,
    "twin_share_between_splits": {"val": 0.0, "test": 0.123}, "patients_in_several_splits": 1,
    "pairs_in_two_groups": 5, "unreadable": 1, "blank_items": ["a", "b"], "synthetic": 7,
    "items_with_a_near_duplicate": 40, "volumes": 3, "slices": "middle 5",
    "against": {"data": "other", "pairs": 4, "patients_in_both": 1, "pairs_with_two_labels": 0,
                "share_with_a_twin_there": 0.01, "share_of_those_with_a_twin_here": 0.5},
    "shortcuts": [
        {"by": "dark margins", "balanced_accuracy": 0.9, "chance": 0.5, "is_telling": True,
         "visible": True},
        {"by": "the source", "balanced_accuracy": 1.0, "chance": 0.5, "is_telling": True,
         "visible": False},
        {"by": "corners", "balanced_accuracy": 0.5, "chance": 0.5, "is_telling": False,
         "visible": True},
    ],
}  # fmt: skip
UNSEEN = {
    "known": OverlapBasis.FILES,
    "share": 0.0,
    "in_files": 0.0,
    "twins": None,
    "is_leaky": False,
}
COMPARISON = {
    "candidate": {"name": "new", "version": "2"}, "current": {"name": "old", "version": ""},
    "data": {"n": 60, "groups": 12}, "verdict": "better",
    "figures": {
        "accuracy": {"candidate": 0.9, "current": 0.85, "difference": 0.05,
                     "interval": [-0.01, 0.11]},
        "macro_f1": {"candidate": 0.9, "current": 0.8, "difference": 0.1, "interval": [0.02, 0.2]},
        "log_loss": {"candidate": 0.3, "current": 0.3, "difference": 0.0, "interval": [-0.1, 0.1]},
    },
    "seen": {"candidate": UNSEEN, "current": UNSEEN | {"share": 0.25, "in_files": 0.25}},
}  # fmt: skip


@pytest.fixture
def turkish(monkeypatch):
    monkeypatch.setenv(language.VARIABLE, "tr")
    language.current_language.cache_clear()
    yield
    monkeypatch.undo()
    language.current_language.cache_clear()


def test_every_caution_of_an_audit_is_a_sentence_with_its_numbers():
    assert cautions.of_audit(AUDIT) == [
        "1 group carries several labels (3 items in all, 2 pairs of copies with two labels): of "
        "such copies one label is wrong.",
        "12.3 % of the test part have a near-duplicate in the training part: figures on it say in "
        "part how well a model remembers.",
        "1 patient has items in several parts of the official split.",
        "5 near-duplicate pairs lie in different groups: splits by them leak.",
        "1.0 % of the items have a near-duplicate in other, and 50.0 % of its items have one here: "
        "a model trained on one is not tested by the other.",
        "1 patient is in both.",
        "7 items say that a generator made them: none of them may be judged on.",
        "1 item that cannot be read: left out.",
        "2 items with nothing to see: nearly all pixels alike.",
        "40 of 400 items (10.0 %) have a near-duplicate among them; count 300 groups, not items, "
        "and split by them.",
        "The classes are uneven: 280 groups of glioma, 4 of notumor.",
        "The class notumor has only 4 groups: its figures will be uncertain.",
        "By dark margins alone the class is told in 90 % (chance 50 %): a model may learn that "
        "instead.",
        "By the source alone the class is told in 100 % (chance 50 %). No model sees that, but "
        "where it stands for the source, class and source are confounded.",
        "Of volumes for which no table states the slices the middle 5 carry the label of the "
        "volume, by rule and not by reading.",
    ]


def test_an_audit_without_faults_says_nothing():
    assert cautions.of_audit({"items": 80, "groups": 80, "groups_of_classes": {"a": 40}}) == []


def test_cautions_are_said_in_the_readers_language(turkish):
    said = cautions.of_audit(AUDIT)
    assert "notumor sınıfında yalnızca 4 grup var: ölçümleri belirsiz olacak." in said
    assert any("%90 oranında bilinebiliyor: koyu kenarlar" in one for one in said)
    english = (" of ", " the ", " and ", " have ", " a ")
    assert [one for one in said if any(word in one for word in english)] == []


def test_a_comparison_is_said_from_its_numbers():
    assert evidence.describe_comparison(COMPARISON) == (
        "new 2 is better than old. Accuracy 90.0 % against 85.0 %, +5.0 percentage points (−1.0 to "
        "+11.0). F1 90.0 % against 80.0 %, +10.0 percentage points (+2.0 to +20.0). On 60 items in "
        "12 groups. With so few groups the intervals are themselves uncertain. old: 25.0 % of the "
        "items were in the model's training or validation data."
    )


def test_a_comparison_is_said_in_the_readers_language(turkish):
    said = evidence.describe_comparison(COMPARISON)
    assert said.startswith("new 2, old modelinden daha iyi. Doğruluk %85,0 yerine %90,0: +5,0")
    assert "12 gruptaki 60 öğe üzerinde." in said


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"known": "nothing", "in_files": None}, "in the training data is not known"),
        ({"known": "same data"}, "the very data"),
        ({"in_files": 0.5}, "50.0 % of the items were in"),
        ({"in_files": 0.5, "twins": 0.75}, "75.0 % of the items are in the training data named"),
        ({}, "copies saved anew may have been"),
        ({"known": "validation"}, "slightly optimistic"),
        ({"known": "validation", "is_leaky": True}, "twins of its items were in training"),
        ({"known": "table"}, "what the model has seen."),
        ({"known": "out-of-fold table"}, "they are out-of-fold ones"),
    ],
)
def test_what_a_training_saw_of_the_judged_items_is_said(changed, words):
    assert words in evidence.describe_overlap(UNSEEN | changed)


@pytest.mark.parametrize(
    ("split", "keep", "more", "words"),
    [
        ({}, "best", {}, "The best epoch by log loss on the validation part. The temperature was "
         "fitted on the part that is judged: the figures are slightly optimistic."),
        ({"test_items": 9}, "last", {}, "The last epoch. The temperature was fitted on the "
         "validation part. The figures are of a part that chose nothing."),
        ({"is_leaky": True}, "best", {}, "a leaky random split"),
        ({"validation_items": 0}, "best", {}, "no validation was made"),
        ({"validation_items": 0}, "best", {"figures_from": {}}, "a grouped cross-validation"),
        ({}, "best", {"initial_weights": {"held_out_seen": 0.3}}, "trained on 30 % of the part"),
    ],
)  # fmt: skip
def test_how_a_model_was_chosen_is_said(split, keep, more, words):
    split = {"validation_items": 9, "test_items": 0, "is_leaky": False} | split
    settings = {"training": {"keep": keep, "monitor": "log_loss"}}
    assert words in evidence.describe_selection({"split": split, "config": settings} | more)
