"""Find, fetch, send and receive against a real server, by DIMSE and by DICOMweb."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pydicom
import pytest
from pydicom.uid import JPEGLSLossless, RLELossless

from tests.pacs.made import NAMES, study
from tests.pacs.orthanc_server import free_port
from tests.study.dicom_files import save
from tumorviewer.errors import InputError
from tumorviewer.pacs.archive import StudyQuery
from tumorviewer.pacs.commitment import request_commitment
from tumorviewer.pacs.connection import connect
from tumorviewer.pacs.delivery import list_differences
from tumorviewer.pacs.dimse import DimseArchive
from tumorviewer.pacs.listener import ListenerSettings, StorageListener
from tumorviewer.study import open_paths

BOTH = pytest.mark.parametrize("protocol", ["dimse", "web"])


def archive_of(orthanc, protocol, **changes):
    return connect(getattr(orthanc, protocol)(**changes))


def stored(archive, paths) -> None:
    answers = dict(archive.store(paths))
    assert [answers[path].reason for path in paths] == [""] * len(paths)
    assert all(answer.is_stored for answer in answers.values())


@BOTH
def test_it_answers(orthanc, protocol) -> None:
    assert "answers" in archive_of(orthanc, protocol).test()


@BOTH
@pytest.mark.parametrize("charset", NAMES)
def test_every_element_comes_back_equal_in_every_character_set(
    orthanc, protocol, tmp_path, charset
) -> None:
    paths = study(
        tmp_path / "in", SpecificCharacterSet=charset.split("\\"), PatientName=NAMES[charset]
    )
    archive = archive_of(orthanc, protocol)
    stored(archive, paths)
    first = pydicom.dcmread(paths[0])
    matches = archive.find(StudyQuery(patient_id=first.PatientID))
    assert [match.study_uid for match in matches] == [first.StudyInstanceUID]
    fetched = archive.fetch(first.StudyInstanceUID, tmp_path / "out")
    assert not fetched.problems
    ours = {each.SOPInstanceUID: each for each in map(pydicom.dcmread, paths)}
    theirs = {each.SOPInstanceUID: each for each in map(pydicom.dcmread, fetched.files)}
    assert ours.keys() == theirs.keys()
    for uid, dataset in ours.items():
        assert not list_differences(dataset, theirs[uid])
        assert str(theirs[uid].PatientName) == NAMES[charset]
    opened = open_paths(fetched.files)
    assert not opened.refused
    assert opened.studies[0].patient_id == first.PatientID


@BOTH
@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_compressed_objects_go_and_come_as_they_are(orthanc, protocol, tmp_path, syntax) -> None:
    (path,) = study(tmp_path, 1)
    dataset = pydicom.dcmread(path)
    dataset.compress(syntax, generate_instance_uid=False)
    save(dataset, path)
    archive = archive_of(orthanc, protocol)
    stored(archive, [path])
    back = archive.read_back(dataset)
    assert back.file_meta.TransferSyntaxUID == syntax
    assert not list_differences(pydicom.dcmread(path), back)


@BOTH
def test_queries_by_accession_and_date_and_nothing_found(orthanc, protocol, tmp_path) -> None:
    number = f"ACC-{protocol}"
    paths = study(tmp_path, 2, AccessionNumber=number, StudyDate="20250401")
    archive = archive_of(orthanc, protocol)
    stored(archive, paths)
    (match,) = archive.find(StudyQuery(accession=number))
    assert match.date == "20250401"
    assert match.modalities == "MR"
    assert match.instances == 2
    assert archive.find(StudyQuery(date="20250331-20250402"))
    assert archive.find(StudyQuery(patient_id="NOBODY")) == []
    with pytest.raises(InputError, match="everything"):
        archive.find(StudyQuery())
    with pytest.raises(InputError, match="as they are"):
        archive.find(StudyQuery(patient_id="P*"))


def test_names_are_found_by_dimse_and_refused_by_dicomweb(orthanc, tmp_path) -> None:
    paths = study(tmp_path, 1, PatientName="Çelik^Işıl")
    archive = archive_of(orthanc, "dimse")
    stored(archive, paths)
    assert archive.find(StudyQuery(name="Çelik^Işıl"))[0].patient_name == "Çelik^Işıl"
    with pytest.raises(InputError, match="not found reliably"):
        archive_of(orthanc, "web").find(StudyQuery(name="Çelik^Işıl"))


def test_the_archive_sends_a_study_to_our_listener(orthanc, tmp_path) -> None:
    paths = study(tmp_path / "in", 3)
    archive = archive_of(orthanc, "dimse")
    stored(archive, paths)
    received = []
    uid = pydicom.dcmread(paths[0]).StudyInstanceUID
    settings = ListenerSettings(tmp_path / "out", ("ORTHANC",), port=orthanc.peer)
    with StorageListener(settings, received.append):
        assert archive.move(uid, "TUMORVIEWER") == 3
    assert len(received) == 3
    ours = {each.SOPInstanceUID: each for each in map(pydicom.dcmread, paths)}
    for path in received:
        theirs = pydicom.dcmread(path)
        assert not list_differences(ours[theirs.SOPInstanceUID], theirs)
    with pytest.raises(InputError, match="refused fetching"):
        archive.move(uid, "NOBODY")


def test_the_listener_lets_in_whom_it_knows_only(orthanc, tmp_path) -> None:
    paths = study(tmp_path / "in", 1)
    port = free_port()
    address = orthanc.dimse(name="us", port=port, aet="TUMORVIEWER", calling_aet="FRIEND")
    with pytest.raises(InputError, match="list of callers"):
        StorageListener(ListenerSettings(tmp_path, (), port=port))
    with StorageListener(ListenerSettings(tmp_path / "out", ("FRIEND",), port=port)):
        stored(DimseArchive(address), paths)
        with pytest.raises(InputError, match="refused the connection"):
            DimseArchive(replace(address, calling_aet="STRANGER")).test()
        with pytest.raises(InputError, match="refused the connection"):
            DimseArchive(replace(address, aet="OTHER")).test()
        with pytest.raises(InputError, match="port"):
            StorageListener(ListenerSettings(tmp_path, ("FRIEND",), port=port))
        if shutil.which("storescu"):
            command = ["storescu", "-aet", "FRIEND", "-aec", "TUMORVIEWER", "127.0.0.1", str(port)]
            subprocess.run([*command, paths[0]], check=True)
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 1


def test_storage_commitment(orthanc, tmp_path) -> None:
    paths = study(tmp_path, 2)
    stored(archive_of(orthanc, "dimse"), paths)
    references = [
        (str(each.SOPClassUID), str(each.SOPInstanceUID)) for each in map(pydicom.dcmread, paths)
    ]
    address = orthanc.dimse(commitment_port=orthanc.peer)
    assert request_commitment(address, references) == {uid for _, uid in references}
    unknown = [(references[0][0], "1.2.3.4.5")]
    assert request_commitment(address, [*references, *unknown]) == {uid for _, uid in references}


@pytest.mark.usefixtures("left_sockets")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_wrong_titles_and_dead_servers_are_told_in_one_sentence(orthanc) -> None:
    with pytest.raises(InputError, match="AE titles"):
        archive_of(orthanc, "dimse", aet="WRONG").test()
    for address in (orthanc.dimse(port=free_port()), orthanc.web(url="http://127.0.0.1:9/x")):
        with pytest.raises(InputError, match="cannot be reached"):
            connect(address).test()
    with pytest.raises(InputError, match="HTTP 404"):
        connect(orthanc.web(url=f"http://127.0.0.1:{orthanc.http}/nothing")).test()
    with pytest.raises(InputError, match="not what DICOMweb"):
        connect(orthanc.web(url=f"http://127.0.0.1:{orthanc.http}/app/explorer.html#")).test()
