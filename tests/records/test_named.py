"""What an answer leaves open is kept with it, and shows in the list."""

from __future__ import annotations

import dataclasses

import pytest
from made import finding

from tumorviewer.analysis.finding import OodAssessment, PredictionSet, Variation


@pytest.fixture
def study(records, picture) -> int:
    return records.worklist.add(picture()).id


def test_sets_candidates_variation_and_kind_come_back(records, study) -> None:
    made = dataclasses.replace(
        finding((0.5, 0.4, 0.1, 0.0)),
        sets=(PredictionSet(0.9, ()), PredictionSet(0.99, ("glioma", "meningioma"))),
        abstains="No class reaches 81 %.",
        candidates=("glioma", "meningioma"),
        variation=Variation(3, "glioma", 0.5, 0.2, 0.7, ("meningioma",)),
        ood=OodAssessment("unusual", 4.2, ("It is far.",)),
    )
    back = records.findings.finding(records.findings.add(study, "v", made))
    for name in ("sets", "abstains", "candidates", "variation", "ood", "named_class"):
        assert getattr(back, name) == getattr(made, name)


def test_an_answer_that_names_no_class_is_wholly_in_doubt(records, study) -> None:
    unsure = dataclasses.replace(finding((0.6, 0.3, 0.1, 0.0)), abstains="No class reaches 81 %.")
    entry = records.findings.add(study, "v", unsure)
    assert entry.doubt == 1
    assert entry.tumour == pytest.approx(0.9)


def test_of_what_is_not_the_models_kind_no_tumour_is_told(records, study) -> None:
    far = dataclasses.replace(
        finding((0.9, 0.0, 0.1, 0.0)), ood=OodAssessment("outside", 9.0, ("CT.",))
    )
    entry = records.findings.add(study, "a", far)
    assert (entry.doubt, entry.tumour) == (1, None)
    records.findings.add(study, "b", finding((0.0, 0.6, 0.4, 0.0)))
    assert records.worklist.get(study).predicted_class == "meningioma"
