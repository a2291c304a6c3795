"""The worklist as the window uses it."""

from __future__ import annotations

import shutil
import zipfile

import pytest
from made import finding, opened, slice_file

from tumorviewer.errors import InputError
from tumorviewer.records import OnDisk, StudyState, WorklistOrder, WorklistQuery
from tumorviewer.records.identity import volume_key


def test_a_study_is_listed_as_it_is(records, dicom) -> None:
    entry = records.worklist.add(dicom())
    assert (entry.uid, entry.patient_name, entry.patient_id) == ("1.2.3", "Doe Jane", "J1")
    assert (entry.modality, entry.date, entry.description) == ("MR", "2024-02-29", "Brain")
    assert (entry.state, entry.on_disk, entry.priority) == (StudyState.NEW, OnDisk.THERE, 0)
    assert records.worklist.find() == [entry] == [records.worklist.get(entry.id)]
    assert records.worklist.by_key(entry.key) == entry
    assert "J1" not in entry.pseudonym


def test_the_same_study_is_one_entry(records, dicom, picture, tmp_path) -> None:
    first = records.worklist.add(dicom())
    shutil.copytree(tmp_path / "study", tmp_path / "copied")
    again = records.worklist.add(opened(tmp_path / "copied"))
    assert again.id == first.id
    one = records.worklist.add(picture(1))
    shutil.copy(tmp_path / "1.png", tmp_path / "renamed.png")
    assert records.worklist.add(opened(tmp_path / "renamed.png")).id == one.id
    assert records.worklist.add(picture(2)).id != one.id
    assert len(records.worklist.find()) == 3


def test_one_uid_for_two_patients_is_two_studies(records, dicom) -> None:
    one = records.worklist.add(dicom("a"))
    assert records.worklist.add(dicom("b", PatientID="J2")).id != one.id


def test_a_part_opened_alone_does_not_replace_the_whole(records, dicom, tmp_path) -> None:
    entry = records.worklist.add(dicom(count=3))
    assert records.worklist.add(opened(tmp_path / "study" / "0.dcm")).id == entry.id
    assert len(records.worklist.paths(entry.id)) == 3


def test_series_that_come_later_join(records, dicom) -> None:
    entry = records.worklist.add(dicom("a", count=2))
    records.worklist.add(dicom("b", count=4, SeriesInstanceUID="1.2.3.5", SeriesNumber=9))
    assert len(records.worklist.paths(entry.id)) == 6


def test_files_come_in_the_order_of_slices(records, dicom) -> None:
    study = dicom(count=3)
    entry = records.worklist.add(study)
    key = volume_key(study.series[0], study.series[0].volumes[0])
    names = [path.name for path in records.worklist.files(entry.id, key)]
    assert names == ["0.dcm", "7.dcm", "4.dcm"]


def test_archives_are_opened_again_themselves(records, tmp_path) -> None:
    slice_file(tmp_path / "x.dcm", 0)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(tmp_path / "x.dcm", "x.dcm")
    entry = records.worklist.add(opened(tmp_path / "all.zip"))
    assert records.worklist.paths(entry.id) == (tmp_path / "all.zip",)


def test_files_that_vanish_or_change_are_marked(records, dicom, picture, tmp_path) -> None:
    gone = records.worklist.add(dicom())
    changed, there = (records.worklist.add(picture(seed)) for seed in (1, 2))
    assert records.worklist.check() == []
    (tmp_path / "study" / "0.dcm").rename(tmp_path / "elsewhere.dcm")
    (tmp_path / "1.png").write_bytes(b"something else")
    marked = {entry.id: entry.on_disk for entry in records.worklist.check()}
    assert marked == {gone.id: OnDisk.GONE, changed.id: OnDisk.CHANGED}
    assert records.worklist.get(there.id).on_disk is OnDisk.THERE
    (tmp_path / "elsewhere.dcm").rename(tmp_path / "study" / "0.dcm")
    assert [entry.on_disk for entry in records.worklist.check([gone.id])] == [OnDisk.THERE]


def test_a_study_that_moved_is_there_again(records, dicom, tmp_path) -> None:
    entry = records.worklist.add(dicom())
    (tmp_path / "study").rename(tmp_path / "moved")
    records.worklist.check()
    assert records.worklist.add(opened(tmp_path / "moved")).on_disk is OnDisk.THERE
    assert records.worklist.paths(entry.id)[0].parent == tmp_path / "moved"


def test_search_and_filter(records, dicom, picture) -> None:
    add = records.worklist.add
    old = add(dicom("a", StudyInstanceUID="1.1", StudyDate="20200101"))
    umlaut = add(dicom("b", StudyInstanceUID="1.2", PatientName="Müller^Ida", PatientID="100%"))
    undated = add(picture(1, "scan_7.png"))

    def found(**query) -> set[int]:
        return {entry.id for entry in records.worklist.find(WorklistQuery(**query))}

    assert found(text="MÜLLER") == found(text="ida brain") == found(text="100%") == {umlaut.id}
    assert found(text="scan_7") == {undated.id}
    assert found(text="s_an") == found(text="müller 2020") == set()
    assert found(since="2020-01-02") == {umlaut.id}
    assert found(until="2020-01-01") == {old.id}
    records.verdicts.give(old.id, "glioma", before_answer=True)
    records.findings.add(umlaut.id, "v", finding())
    assert found(classes=("glioma",)) == {old.id, umlaut.id}
    assert found(states=(StudyState.READ,)) == {old.id}
    assert found(states=(StudyState.NEW, StudyState.ANALYSED), text="brain") == {umlaut.id}


def test_orders(records, picture) -> None:
    shares = [(0.5, 0.3, 0.1, 0.1), (0.97, 0.01, 0.01, 0.01), (0.1, 0.1, 0.8, 0.0)]
    ids = [records.worklist.add(picture(seed)).id for seed in range(4)]
    for study, row in zip(ids, shares, strict=False):
        records.findings.add(study, "v", finding(row))
    records.worklist.prioritise(ids[2], 5)

    def sorted_by(order: WorklistOrder) -> list[int]:
        return [ids.index(entry.id) for entry in records.worklist.find(WorklistQuery(order=order))]

    assert sorted_by(WorklistOrder.TUMOUR) == [1, 0, 2, 3]
    assert sorted_by(WorklistOrder.DOUBT) == [0, 2, 1, 3]
    assert sorted_by(WorklistOrder.PRIORITY)[0] == 2
    assert sorted_by(WorklistOrder.ADDED) == [3, 2, 1, 0]


def test_priors_are_of_the_same_patient_only(records, dicom, picture) -> None:
    add = records.worklist.add
    now = add(dicom("a"))
    before = add(dicom("b", StudyInstanceUID="1.4", StudyDate="20190101", PatientName="DOE^JANE"))
    add(dicom("c", StudyInstanceUID="1.5", PatientName="Roe^Richard"))
    add(dicom("d", StudyInstanceUID="1.6", PatientID="J2"))
    nameless = add(dicom("e", StudyInstanceUID="1.7", PatientID=""))
    add(dicom("f", StudyInstanceUID="1.8", PatientID=""))
    assert [entry.id for entry in records.worklist.priors(now.id)] == [before.id]
    assert records.worklist.priors(nameless.id) == []
    assert records.worklist.priors(add(picture()).id) == []


def test_waiting_goes_by_priority_and_ends_with_the_answer(records, dicom, picture) -> None:
    study = dicom()
    late, early = records.worklist.add(study), records.worklist.add(picture(1))
    records.worklist.prioritise(early.id, 1)
    sha256 = "ab" * 32
    assert [entry.id for entry in records.worklist.waiting(sha256)] == [early.id, late.id]
    key = volume_key(study.series[0], study.series[0].volumes[0])
    records.findings.add(late.id, key, finding())
    assert [entry.id for entry in records.worklist.waiting(sha256)] == [early.id]
    assert len(records.worklist.waiting("cd" * 32)) == 2
    records.worklist.add(dicom(count=4))
    assert len(records.worklist.waiting(sha256)) == 2, "it has more slices than were judged"


def test_what_was_read_is_not_removed(records, picture) -> None:
    read, mistaken = (records.worklist.add(picture(seed)) for seed in range(2))
    records.findings.add(mistaken.id, "v", finding())
    records.verdicts.give(read.id, "glioma", before_answer=True)
    with pytest.raises(InputError, match="verdicts are kept"):
        records.worklist.remove(read.id)
    records.worklist.remove(mistaken.id)
    assert [entry.id for entry in records.worklist.find()] == [read.id]
    assert records.trail.verify() == []


def test_a_file_that_went_before_it_was_added(records, picture, tmp_path) -> None:
    study = picture(1)
    (tmp_path / "1.png").unlink()
    with pytest.raises(InputError):
        records.worklist.add(study)
    assert records.worklist.find() == []
    with pytest.raises(InputError, match="not in the worklist"):
        records.worklist.get(1)


def test_nothing_of_the_patient_is_in_the_trail(records, dicom) -> None:
    entry = records.worklist.add(dicom())
    records.verdicts.give(entry.id, "glioma", before_answer=True)
    text = str(records.trail.entries())
    assert "Doe" not in text
    assert "J1" not in text
    assert entry.source not in text
