"""Agreement of readers and model, and alarms on planted drift and on none."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import sqlalchemy as sa
from made import CLASSES, finding
from sklearn.metrics import cohen_kappa_score

from tumorviewer.analysis.finding import OodAssessment
from tumorviewer.records import Records, StudyState
from tumorviewer.records.site import drift, site_words
from tumorviewer.records.site.agreement import Rate, cohen_kappa
from tumorviewer.records.site.drift import watch_agreement, watch_inputs


def answered(shares: int, **changes):
    row = np.full(4, 0.1)
    row[shares] = 0.7
    return finding(tuple(row), inputs={"brightness": 70.0, "contrast": 30.0}, **changes)


def read(records, study, model: int, reader: int, **verdict):
    entry = records.worklist.add(study)
    kept = records.findings.add(entry.id, "", answered(model))
    return records.verdicts.give(
        entry.id, CLASSES[reader], before_answer=False, finding=kept.id, **verdict
    )


def test_what_is_counted(records, picture, dicom) -> None:
    study = dicom(
        Manufacturer="GE", ManufacturerModelName="Signa", PatientSex="F", PatientAge="045Y",
        MagneticFieldStrength=1.5,
    )  # fmt: skip
    read(records, study, model=0, reader=0)
    first = read(records, picture(1), model=0, reader=1)
    read(records, picture(2), model=2, reader=2)
    records.verdicts.give(
        first.study, CLASSES[0], before_answer=False, corrects=first.id, finding=first.finding
    )
    found = records.agreement.measure()
    assert (found.rate.n, found.rate.agreed, found.answers) == (3, 3, 3)
    told = {(group.key, group.name): group.rate for group in found.groups}
    assert told == {
        ("vendor", "GE"): Rate(1, 1),
        ("scanner", "Signa"): Rate(1, 1),
        ("field_strength", "1.5 T"): Rate(1, 1),
        ("sex", "F"): Rate(1, 1),
        ("age", "40–59"): Rate(1, 1),
    }
    assert found.kappa is None


def test_no_class_is_nothing_to_agree_with(records, picture) -> None:
    entry = records.worklist.add(picture())
    outside = answered(0, ood=OodAssessment("outside", 9.0, ("It is no head.",)))
    kept = records.findings.add(entry.id, "", outside)
    records.verdicts.give(entry.id, CLASSES[0], before_answer=True, finding=kept.id)
    found = records.agreement.measure()
    assert (found.rate.n, found.unnamed) == (0, 1)


def open_between(*classes: str):
    return answered(0, abstains="Two are close.", candidates=classes)


def test_of_several_classes_each_agrees_and_the_others_do_not(records, picture) -> None:
    for number, reader in enumerate(("glioma", "meningioma", "notumor")):
        entry = records.worklist.add(picture(number))
        records.findings.add(entry.id, "", open_between("glioma", "meningioma"))
        records.verdicts.give(entry.id, reader, before_answer=False)
    found = records.agreement.measure()
    assert (found.rate, found.several, found.unnamed, found.kappa) == (Rate(3, 2), 3, 0, None)
    assert found.pairs == (("notumor", ("glioma", "meningioma"), 1),)
    lines = list(
        site_words.summarise_agreement(found, {"glioma": "Glioma", "meningioma": "Meningioma"})
    )
    assert "Reader notumor, model Glioma or Meningioma: 1." in lines
    assert any("left several classes open" in line for line in lines)


@pytest.mark.parametrize(
    ("answer", "reader", "state", "agreed"),
    [
        (answered(0), "glioma", StudyState.READ, (1, 1)),
        (answered(0), "meningioma", StudyState.DISAGREES, (1, 0)),
        (open_between("glioma", "meningioma"), "meningioma", StudyState.READ, (1, 1)),
        (open_between("glioma", "meningioma"), "notumor", StudyState.DISAGREES, (1, 0)),
        (open_between(), "notumor", StudyState.READ, (0, 0)),
        (
            answered(0, ood=OodAssessment("outside", 9.0, ("CT.",))),
            "notumor",
            StudyState.READ,
            (0, 0),
        ),
        (
            answered(0, ood=OodAssessment("unusual", 4.0, ("Far.",))),
            "notumor",
            StudyState.DISAGREES,
            (1, 0),
        ),
    ],
    ids=["named", "another", "one of two", "none of two", "all open", "no kind", "unusual kind"],
)
def test_the_worklist_and_the_site_count_by_one_rule(
    records, picture, answer, reader, state, agreed
) -> None:
    study = records.worklist.add(picture()).id
    records.findings.add(study, "", answer)
    verdict = records.verdicts.give(study, reader, before_answer=False)
    assert records.worklist.get(study).state is state
    rate = records.agreement.measure().rate
    assert (rate.n, rate.agreed) == agreed
    records.verdicts.sign(verdict)
    signed = records.worklist.get(study)
    assert (signed.state, signed.disagrees) == (StudyState.SIGNED, state is StudyState.DISAGREES)


def test_records_of_before_are_judged_by_the_same_rule(records, picture, folder) -> None:
    study = records.worklist.add(picture()).id
    kept = records.findings.add(study, "", open_between("glioma", "meningioma"))
    verdict = records.verdicts.give(study, "meningioma", before_answer=False, finding=kept.id)
    with records._database.writing() as connection:
        connection.execute(sa.text("UPDATE studies SET state = 'disagrees'"))
        connection.execute(sa.text("ALTER TABLE studies DROP COLUMN disagrees"))
        for later in ("outbox", "study_answers"):
            connection.execute(sa.text(f"DROP TABLE {later}"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0003'"))
    head = records.trail.entries(limit=1)
    records.close()
    with Records(folder=folder) as opened:
        assert opened.worklist.get(study).state is StudyState.READ
        assert opened.verdicts.current(study) == verdict
        assert opened.trail.entries(limit=1) == head
        assert opened.trail.verify() == []


def test_a_study_with_answers_can_be_removed(records, picture) -> None:
    entry = records.worklist.add(picture())
    records.findings.add(entry.id, "", answered(0))
    records.worklist.remove(entry.id)
    assert records.agreement.measure().model == ""


def test_answers_of_before_the_migration_count(records, picture) -> None:
    read(records, picture(), model=1, reader=3)
    with records._database.writing() as connection:
        connection.execute(sa.text("DELETE FROM observations"))
        connection.execute(sa.text("DROP TRIGGER findings_no_update"))
        unnamed = "UPDATE findings SET document = json_remove(document, '$.named_class')"
        connection.execute(sa.text(unnamed))
    found = records.agreement.measure()
    assert (found.rate.n, found.rate.agreed) == (1, 0)
    assert found.pairs == (("pituitary", ("meningioma",), 1),)


@pytest.mark.parametrize(
    ("n", "agreed", "low", "high"), [(10, 10, 0.7225, 1.0), (50, 40, 0.6696, 0.8876)]
)
def test_wilson(n, agreed, low, high) -> None:
    assert Rate(n, agreed).interval == pytest.approx((low, high), abs=1e-4)


def test_kappa_is_that_of_another_library() -> None:
    pairs = np.random.default_rng(0).integers(0, 3, (60, 2))
    pairs[:30, 1] = pairs[:30, 0]
    assert cohen_kappa(pairs, 3) == pytest.approx(cohen_kappa_score(*pairs.T))


def test_inputs_that_stay_the_same_alarm_as_seldom_as_said() -> None:
    generator = np.random.default_rng(0)
    looks = 400
    false = sum(
        any(
            one.alarms for one in watch_inputs({key: generator.gamma(4, size=150) for key in "abc"})
        )
        for _ in range(looks)
    )
    assert false <= 2.5 * drift.FALSE_ALARMS * looks


def test_inputs_that_changed_alarm() -> None:
    generator = np.random.default_rng(1)
    same, changed = generator.normal(size=200), generator.normal(size=200)
    changed[-50:] += 1
    told = {one.key: one.alarms for one in watch_inputs({"distance": changed, "contrast": same})}
    assert told == {"distance": True, "contrast": False}


@pytest.mark.parametrize("usual", [0.02, 0.1, 0.3])
def test_verdicts_that_stay_the_same_alarm_as_seldom_as_said(usual) -> None:
    drawn = np.random.default_rng(2).random((250, drift.LEARNT + drift.HORIZON)) < usual
    false = sum(watch_agreement(row).alarms for row in drawn)
    assert false <= 2 * drift.MEASURED_FALSE_ALARMS / 100 * len(drawn)


def test_readers_who_begin_to_differ_are_seen() -> None:
    generator = np.random.default_rng(3)
    drawn = np.concatenate(
        [generator.random((100, 250)) < 0.1, generator.random((100, 250)) < 0.3], 1
    )
    assert sum(watch_agreement(row).alarms for row in drawn) >= 75


def test_few_verdicts_say_that_they_are_few() -> None:
    said = watch_agreement(np.zeros(20, bool))
    assert not said.alarms
    assert f"{said.needed} are needed" in site_words.describe_alarm(said)


def test_the_command_prints_it(records, picture, folder, monkeypatch) -> None:
    read(records, picture(), model=0, reader=0)
    records.close()
    monkeypatch.setenv("TUMORVIEWER_HOME", str(folder.parent))
    command = [sys.executable, "-m", "tumorviewer", "records", "agreement"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Reader and model agree on 1 of 1 (100 %; 21 to 100)." in done.stdout
