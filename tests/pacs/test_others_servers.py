"""How other servers and clients really behave: the rows of docs/interoperability.md."""

from __future__ import annotations

import pydicom
import requests
from dicomweb_client.api import DICOMwebClient

from tests.pacs.made import study
from tests.pacs.web_server import WebServer
from tumorviewer.pacs.archive import StudyQuery
from tumorviewer.pacs.connection import connect


def test_orthanc_with_its_default_encoding_destroys_turkish_names_in_answers_only(
    start_orthanc, tmp_path
) -> None:
    server = start_orthanc(DefaultEncoding="Latin1")
    paths = study(tmp_path / "in", 1, PatientName="Şükrü^Işık")
    uid, patient = (
        pydicom.dcmread(paths[0])[name].value for name in ("StudyInstanceUID", "PatientID")
    )
    for address in (server.dimse(), server.web()):
        archive = connect(address)
        dict(archive.store(paths))
        (match,) = archive.find(StudyQuery(patient_id=patient))
        named = match.patient_name
        fetched = archive.fetch(uid, tmp_path / address.name)
        assert pydicom.dcmread(fetched.files[0]).PatientName == "Şükrü^Işık"
        assert named == "ükrü^Ik"


def test_orthanc_says_success_and_keeps_the_object_that_it_has(orthanc, tmp_path) -> None:
    (path,) = study(tmp_path, 1)
    archive = connect(orthanc.dimse())
    dict(archive.store([path]))
    changed = pydicom.dcmread(path)
    changed.SeriesDescription = "another"
    changed.save_as(path)
    assert dict(archive.store([path]))[path].is_stored
    assert archive.read_back(changed).SeriesDescription == "T1"


def test_dicomweb_client_follows_redirections_to_other_hosts() -> None:
    with WebServer() as first, WebServer() as other:
        first.status, first.headers = 302, {"Location": f"{other.url}/studies"}
        session = requests.Session()
        session.trust_env = False
        DICOMwebClient(first.url, session=session).search_for_studies()
        session.close()
        assert other.seen


def test_dicomweb_client_takes_any_json_for_a_list_of_studies() -> None:
    with WebServer() as server:
        server.body = b'{"not": "a list"}'
        session = requests.Session()
        found = DICOMwebClient(server.url, session=session).search_for_studies()
        session.close()
    assert found == [{"not": "a list"}]
