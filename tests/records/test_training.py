"""Read studies leave as a data set that the trainer reads."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

import nibabel
import numpy as np
import pytest
from made import finding, opened
from PIL import Image

from trainer import cli as trainer_cli
from trainer.data import dataset
from tumorviewer.errors import InputError
from tumorviewer.imaging.display import grey
from tumorviewer.records import Records
from tumorviewer.records.identity import volume_key
from tumorviewer.records.training import export_training_data
from tumorviewer.study import Study


def key_of(study: Study) -> str:
    return volume_key(study.series[0], study.series[0].volumes[0])


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def judged(records: Records, study: Study, label: str, key_slices: tuple[int, ...]) -> int:
    number = records.worklist.add(study).id
    records.findings.add(number, key_of(study), finding(key_slices=key_slices))
    records.verdicts.give(number, label, before_answer=False)
    return number


def test_deciding_slices_leave_with_the_verdict_and_a_pseudonym(records, dicom, tmp_path) -> None:
    study = dicom(count=5)
    number = judged(records, study, "meningioma", (3, 1))
    other = judged(records, dicom("b", StudyInstanceUID="1.9"), "glioma", (0,))
    sent = export_training_data(records, [number, other], tmp_path / "set")
    assert (sent.items, sent.patients, sent.left_out) == (3, 1, ())
    rows = rows_of(sent.table)
    assert [row["label"] for row in rows] == ["meningioma", "meningioma", "glioma"]
    pseudonym = records.worklist.get(number).pseudonym
    assert {row["patient_id"] for row in rows} == {row["group"] for row in rows} == {pseudonym}
    volume = study.series[0].volumes[0].load()
    for row, index in zip(rows[:2], (1, 3), strict=True):
        with Image.open(sent.table.parent / row["path"]) as picture:
            np.testing.assert_array_equal(np.asarray(picture), grey(volume, index))
    everything = sent.table.read_text() + " ".join(map(str, sent.table.parent.rglob("*")))
    assert "J1" not in everything
    assert "Doe" not in everything
    assert stat.S_IMODE(sent.table.parent.stat().st_mode) == 0o700
    assert records.trail.entries(number)[0].action == "sent to training"


def test_slices_that_the_reader_named_come_first(records, dicom, tmp_path) -> None:
    study = dicom(count=5)
    number = judged(records, study, "glioma", (3,))
    before = records.verdicts.current(number)
    records.verdicts.give(
        number, "glioma", before_answer=False, corrects=before.id,
        volume=key_of(study), slices=(0, 4),
    )  # fmt: skip
    sent = export_training_data(records, [number], tmp_path / "set")
    assert [row["path"][-7:] for row in rows_of(sent.table)] == ["001.png", "005.png"]


def test_what_nobody_read_or_cannot_be_placed_stays(records, dicom, picture, tmp_path) -> None:
    unread = records.worklist.add(picture(1)).id
    unplaced = records.worklist.add(dicom("a")).id
    records.verdicts.give(unplaced, "glioma", before_answer=True)
    moved = judged(records, picture(2), "glioma", (0,))
    (tmp_path / "2.png").unlink()
    one = records.worklist.add(picture(3)).id
    records.verdicts.give(one, "glioma", before_answer=True)
    sent = export_training_data(records, [unread, unplaced, moved, one], tmp_path / "set")
    reasons = " ".join(each.reason for each in sent.left_out)
    assert sent.items == 1
    for words in ("Nobody has read it", "not known which slices", "changed or are gone"):
        assert words in reasons
    with pytest.raises(InputError, match="Nobody has read it"):
        export_training_data(records, [unread], tmp_path / "other")
    with pytest.raises(InputError, match="something in it already"):
        export_training_data(records, [one], tmp_path / "set")


def test_references_to_the_sites_own_files(records, dicom, tmp_path) -> None:
    array = np.random.default_rng(0).integers(0, 999, (30, 30, 7)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(array, np.diag([1, 1, 3, 1])), tmp_path / "v.nii.gz")
    numbers = [
        judged(records, dicom(count=3), "glioma", (1,)),
        judged(records, opened(tmp_path / "v.nii.gz"), "meningioma", (5, 2)),
    ]
    sent = export_training_data(records, numbers, tmp_path, pictures=False)
    found = [(row["path"], row["slice"]) for row in rows_of(sent.table)]
    assert found == [("study/7.dcm", ""), ("v.nii.gz", "3"), ("v.nii.gz", "6")]
    with pytest.raises(InputError, match="do not lie below"):
        export_training_data(records, numbers, tmp_path / "elsewhere", pictures=False)


def test_the_trainer_audits_it(records, dicom, picture, tmp_path) -> None:
    numbers = [judged(records, picture(seed), "notumor", (0,)) for seed in range(3)]
    numbers += [
        judged(
            records,
            dicom(f"s{at}", StudyInstanceUID=f"1.{at}", PatientID=f"J{at}"),
            "glioma",
            (0, 2),
        )
        for at in range(3)
    ]
    referred = export_training_data(records, numbers, tmp_path, pictures=False)
    assert dataset.read_dataset(referred.table).counts() == {"glioma": 6, "notumor": 3}
    sent = export_training_data(records, numbers, tmp_path / "set")
    assert trainer_cli.main(["audit", str(sent.table), "--out", str(tmp_path / "audit")]) == 0
    result = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert result["items"] == sent.items == 9
    assert result["classes"] == {"glioma": 6, "notumor": 3}
    assert result["groups"] <= sent.patients == 6
