"""Findings, verdicts and marks: what models and readers said."""

from __future__ import annotations

import dataclasses
import sqlite3

import numpy as np
import pytest
from made import finding

from tumorviewer.analysis.finding import ModelIdentity, Saliency
from tumorviewer.analysis.preprocess import Box
from tumorviewer.errors import InputError
from tumorviewer.records import Annotation, Records, StudyState


@pytest.fixture
def study(records, picture) -> int:
    return records.worklist.add(picture()).id


def saliency(side: int) -> Saliency:
    maps = np.random.default_rng(0).random((2, side, side), np.float32)
    return Saliency(
        "gradcam", "glioma", False, (3, 5), maps, np.array([1, 2], np.float32),
        np.array([0.5, 1], np.float32), (Box(0, 0, 9), Box(-1, 2, 8)), (40, 30), ("A note.",),
    )  # fmt: skip


def test_a_finding_sets_what_the_list_sorts_by(records, study) -> None:
    entry = records.findings.add(study, "v", finding((0.5, 0.25, 0.25, 0)))
    assert (entry.tumour, entry.margin) == (pytest.approx(0.75), pytest.approx(0.25))
    assert entry.doubt == pytest.approx(1.5 / 2)
    shown = records.worklist.get(study)
    assert (shown.state, shown.predicted_class) == (StudyState.ANALYSED, "glioma")
    assert (shown.tumour, shown.doubt) == (entry.tumour, entry.doubt)
    assert records.findings.of(study) == [entry]


def test_certainty_is_no_doubt_and_no_class_for_none_is_no_tumour_probability(
    records, study
) -> None:
    entry = records.findings.add(study, "v", finding((1, 0, 0, 0), no_tumour=None))
    assert (entry.doubt, entry.tumour) == (0, None)


def test_the_volume_most_like_a_tumour_decides_by_the_model_asked_last(records, study) -> None:
    other = ModelIdentity("other", "2", "cd" * 32)
    records.findings.add(study, "a", finding((0.9, 0.0, 0.1, 0.0), model=other))
    records.findings.add(study, "a", finding((0.1, 0.5, 0.4, 0.0)))
    records.findings.add(study, "b", finding((0.1, 0.1, 0.8, 0.0)))
    assert records.worklist.get(study).predicted_class == "meningioma"
    assert len(records.findings.of(study)) == 3


def test_a_finding_comes_back_whole(records, study) -> None:
    made = finding(saliency=saliency(8), slices=(3, 5), slice_probabilities=np.full((2, 4), 0.25))
    back = records.findings.finding(records.findings.add(study, "v", made))
    for name in ("classes", "labels", "flags", "key_slices", "pooling", "model", "slices"):
        assert getattr(back, name) == getattr(made, name)
    np.testing.assert_array_equal(back.slice_probabilities, made.slice_probabilities)
    kept, drawn = back.saliency, made.saliency
    assert (kept.slices, kept.boxes, kept.shape) == (drawn.slices, drawn.boxes, drawn.shape)
    assert kept.notes == drawn.notes
    np.testing.assert_allclose(kept.maps, drawn.maps, atol=0.5 / 255)


def test_large_maps_are_not_kept(records, study) -> None:
    entry = records.findings.add(study, "v", finding(saliency=saliency(600)))
    assert records.findings.finding(entry).saliency is None


def test_a_refused_volume_is_not_asked_again(records, picture) -> None:
    study = records.worklist.add(picture(3)).id
    model = finding().model
    records.findings.refuse(study, "3.png#", model, "It is blank.")
    assert records.worklist.waiting(model.sha256) == []
    assert records.findings.current(study, "3.png#", model.sha256) == "It is blank."
    assert records.findings.of(study) == []
    assert records.worklist.get(study).state is StudyState.NEW


def test_states_follow_verdicts(records, study) -> None:
    def state() -> StudyState:
        return records.worklist.get(study).state

    records.findings.add(study, "v", finding())
    first = records.verdicts.give(study, "meningioma", before_answer=True, confidence=0.6)
    assert state() is StudyState.DISAGREES
    second = records.verdicts.give(study, "glioma", before_answer=False, corrects=first.id)
    assert state() is StudyState.READ
    signed = records.verdicts.sign(second)
    assert state() is StudyState.SIGNED
    assert not records.worklist.get(study).disagrees
    assert signed.signed
    assert signed.corrects == second.id
    assert signed.reader == "dr. test"
    assert records.verdicts.current(study) == signed
    assert [verdict.id for verdict in records.verdicts.on_study(study)] == [3, 2, 1]
    assert records.verdicts.on_study(study)[-1] == first, "what was corrected stands as it was"


def test_only_one_correction_of_a_verdict(records, study, picture) -> None:
    first = records.verdicts.give(study, "glioma", before_answer=True)
    records.verdicts.give(study, "notumor", before_answer=False, corrects=first.id)
    with pytest.raises(InputError, match="corrected meanwhile"):
        records.verdicts.sign(first)
    other = records.worklist.add(picture(1)).id
    with pytest.raises(InputError, match="not one on this study"):
        records.verdicts.give(other, "glioma", before_answer=True, corrects=first.id)
    assert len(records.verdicts.on_study(study)) == 2
    assert records.trail.verify() == []


@pytest.mark.parametrize("table", ["verdicts", "trail"])
@pytest.mark.parametrize("change", ["UPDATE {} SET time = 'x'", "DELETE FROM {}"])
def test_the_database_itself_refuses_changes(records, study, folder, table, change) -> None:
    records.verdicts.give(study, "glioma", before_answer=True)
    with (
        sqlite3.connect(folder / "records.sqlite") as connection,
        pytest.raises(sqlite3.IntegrityError, match="never changed"),
    ):
        connection.execute(change.format(table))
    connection.close()


def test_marks_come_back_as_they_were(records, study, folder) -> None:
    mark = Annotation(
        "id-1", "distance", "1.2#", ((1.5, -2.0, 3.25), (0.1, 0.2, 0.3)), "Ø", {"mm": 4.5}
    )
    records.annotations.save(study, mark)
    records.annotations.save(study, dataclasses.replace(mark, text="moved"))
    records.annotations.save(study, dataclasses.replace(mark, id="id-2"))
    records.annotations.remove(study, "id-2")
    records.annotations.remove(study, "never there")
    with Records(folder=folder) as other:
        assert other.annotations.on_study(study) == [dataclasses.replace(mark, text="moved")]
    actions = [entry.action for entry in records.trail.entries(study)]
    assert actions == ["removed mark", "marked", "changed mark", "marked", "added"]


def test_confidence_is_a_share(records, study) -> None:
    with pytest.raises(ValueError, match="0–1"):
        records.verdicts.give(study, "glioma", before_answer=True, confidence=70)
