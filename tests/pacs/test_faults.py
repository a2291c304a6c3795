"""Servers that are slow, wrong, full or gone: one clear sentence, nothing lost, nothing hangs."""

from __future__ import annotations

import socket
import warnings

import pydicom
import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import MRImageStorage, StudyRootQueryRetrieveInformationModelFind

from tests.pacs.made import study
from tests.pacs.orthanc_server import free_port
from tests.pacs.web_server import WebServer
from tumorviewer.errors import InputError
from tumorviewer.pacs.addresses import ArchiveAddress
from tumorviewer.pacs.archive import StudyQuery
from tumorviewer.pacs.connection import connect
from tumorviewer.pacs.listener import ListenerSettings, StorageListener

pytestmark = [
    pytest.mark.usefixtures("left_sockets"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
QUERY = StudyQuery(patient_id="J1")


@pytest.fixture
def web():
    with WebServer() as server:
        yield server


def web_archive(server: WebServer, timeout_s: float = 10.0):
    return connect(ArchiveAddress("web", url=server.url, timeout_s=timeout_s))


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, "user and password"),
        (403, "allow"),
        (404, "nothing"),
        (503, "not ready"),
        (418, "refused"),
    ],
)
def test_http_refusals_are_told(web, status, told) -> None:
    web.status = status
    with pytest.raises(InputError, match=told) as caught:
        web_archive(web).find(QUERY)
    assert f"HTTP {status}" in caught.value.message


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/dicom+json", b"this is not JSON"),
        ("application/dicom+json", b'{"not": "a list"}'),
        ("text/html", b"<html>login</html>"),
        ("application/dicom+json", b"\xff\xfe\x00"),
    ],
)
def test_answers_that_are_no_json_are_told(web, kind, body) -> None:
    web.kind, web.body = kind, body
    with pytest.raises(InputError, match="not what DICOMweb"):
        web_archive(web).find(QUERY)


def test_answers_that_are_no_dicom_are_told(web, tmp_path) -> None:
    web.kind = 'multipart/related; type="application/dicom"; boundary=x'
    web.body = b"--x\r\nContent-Type: application/dicom\r\n\r\nnonsense\r\n--x--\r\n"
    with pytest.raises(InputError, match="not what DICOMweb"):
        web_archive(web).fetch("1.2.3", tmp_path)
    assert not list(tmp_path.rglob("*.dcm"))


def test_redirections_to_another_place_are_not_followed(web) -> None:
    with WebServer() as other:
        web.status, web.headers = 302, {"Location": f"{other.url}/studies"}
        with pytest.raises(InputError, match="another address"):
            web_archive(web).find(QUERY)
        assert not other.seen


def test_a_slow_web_server_has_a_time_limit(web) -> None:
    web.hold.clear()
    with pytest.raises(InputError, match="in time"):
        web_archive(web, timeout_s=0.3).find(QUERY)


@pytest.mark.parametrize(
    ("status", "permanent"), [(409, True), (413, True), (415, True), (503, False), (429, False)]
)
def test_what_is_worth_another_attempt(web, tmp_path, status, permanent) -> None:
    paths = study(tmp_path, 1)
    web.status, web.body = status, b"{}"
    ((_, answer),) = web_archive(web).store(paths)
    assert not answer.is_stored
    assert answer.is_permanent is permanent
    assert f"HTTP {status}" in answer.reason


def test_a_port_that_takes_calls_and_says_nothing_has_a_time_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        address = ArchiveAddress("silent", host="127.0.0.1", port=port, aet="X", timeout_s=0.5)
        with pytest.raises(InputError, match="broke off"):
            connect(address).test()


@pytest.fixture
def peer():
    """Starts an AE with a handler for C-STORE or C-FIND."""
    servers = []

    def start(event, handler) -> ArchiveAddress:
        entity = AE(ae_title="PEER")
        entity.add_supported_context(MRImageStorage)
        entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
        port = free_port()
        servers.append(
            entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(event, handler)])
        )
        return ArchiveAddress("peer", host="127.0.0.1", port=port, aet="PEER", timeout_s=2.0)

    yield start
    for server in servers:
        server.shutdown()


@pytest.mark.parametrize(
    ("code", "stored", "permanent"),
    [(0x0000, True, False), (0xB000, True, False), (0xA700, False, False), (0xA900, False, True),
     (0xC123, False, True), (0x0122, False, True), (0x0124, False, True), (0x0110, False, False)],
)  # fmt: skip
def test_statuses_of_storing(peer, tmp_path, code, stored, permanent) -> None:
    address = peer(evt.EVT_C_STORE, lambda _event: code)
    ((_, answer),) = connect(address).store(study(tmp_path, 1))
    assert (answer.is_stored, answer.is_permanent) == (stored, permanent)
    assert (f"{code:04X}" in answer.reason) == (code != 0)


def test_a_peer_that_breaks_off_in_the_middle_loses_nothing(peer, tmp_path) -> None:
    calls = []

    def abort(event):
        calls.append(event)
        if len(calls) == 2:
            event.assoc.abort()
        return 0x0000

    paths = study(tmp_path, 4)
    answers = dict(connect(peer(evt.EVT_C_STORE, abort)).store(paths))
    assert list(answers) == paths
    assert answers[paths[0]].is_stored
    left = [answers[path] for path in paths[1:]]
    assert not any(answer.is_stored or answer.is_permanent for answer in left)
    assert all(answer.reason for answer in left)


def test_an_unknown_class_is_refused_in_words_and_others_go(peer, tmp_path) -> None:
    known = study(tmp_path / "a", 1)
    unknown = study(tmp_path / "b", 1, SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    answers = dict(connect(peer(evt.EVT_C_STORE, lambda _e: 0)).store([*unknown, *known]))
    assert answers[known[0]].is_stored
    assert answers[unknown[0]].is_permanent
    assert "CT Image Storage" in answers[unknown[0]].reason


def test_a_failed_query_is_told(peer) -> None:
    def fail(_event):
        yield 0xA700, None

    with pytest.raises(InputError, match="out of resources"):
        connect(peer(evt.EVT_C_FIND, fail)).find(QUERY)


def test_a_full_disk_here_is_answered_as_such(tmp_path, monkeypatch) -> None:
    port = free_port()
    settings = ListenerSettings(tmp_path / "out", ("US",), aet="HERE", port=port)
    address = ArchiveAddress("here", host="127.0.0.1", port=port, aet="HERE", calling_aet="US")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with StorageListener(settings):
        monkeypatch.setattr("tumorviewer.pacs.dimse.replace_atomically", full)
        ((_, answer),) = connect(address).store(study(tmp_path / "in", 1))
        assert not answer.is_stored
        assert not answer.is_permanent
        assert "out of resources" in answer.reason
        monkeypatch.undo()
        ((_, answer),) = connect(address).store(study(tmp_path / "in", 1))
        assert answer.is_stored


def test_names_of_received_files_stay_inside_the_folder(tmp_path) -> None:
    port = free_port()
    received = []
    settings = ListenerSettings(tmp_path / "out", ("US",), aet="HERE", port=port)
    address = ArchiveAddress("here", host="127.0.0.1", port=port, aet="HERE", calling_aet="US")
    (path,) = study(tmp_path / "in", 1)
    dataset = pydicom.dcmread(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pydicom's, unless it was told not to look
        dataset.StudyInstanceUID = "../../evil"
    dataset.save_as(path)
    with StorageListener(settings, received.append):
        dict(connect(address).store([path]))
    assert all((tmp_path / "out") in one.parents for one in received)
