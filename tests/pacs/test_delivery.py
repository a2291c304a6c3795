"""The outbox: what is queued arrives once, whatever dies on the way, and success is proved."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pydicom
import pytest

from tests.pacs.made import study
from tests.pacs.orthanc_server import free_port
from tests.study.dicom_files import save
from tumorviewer.errors import InputError
from tumorviewer.pacs.addresses import AddressBook, ArchiveAddress
from tumorviewer.pacs.archive import StoreAnswer
from tumorviewer.pacs.delivery import Delivery, queue_files
from tumorviewer.records import Records
from tumorviewer.records.outbox import WAITS_S, OutboxState

pytestmark = [
    pytest.mark.usefixtures("left_sockets"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def book(tmp_path) -> AddressBook:
    return AddressBook(tmp_path / "archives.json")


def now() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=1)


def states(records) -> list[str]:
    return [entry.state.value for entry in records.outbox.list_entries()]


@pytest.mark.parametrize("protocol", ["dimse", "web"])
def test_what_is_queued_is_sent_and_confirmed_by_reading_it_back(
    orthanc, records, book, tmp_path, protocol
) -> None:
    address = getattr(orthanc, protocol)()
    book.add(address)
    paths = study(tmp_path / "in", 3)
    queue_files(records.outbox, address.name, paths)
    queue_files(records.outbox, address.name, paths)
    assert states(records) == ["waiting"] * 3
    Delivery(records.outbox, book).run(now())
    assert states(records) == ["confirmed"] * 3
    assert not list(records.outbox.folder.iterdir())
    actions = [entry.action for entry in reversed(records.trail.entries())]
    assert actions == ["queued"] * 3 + ["sent"] * 3 + ["confirmed"] * 3
    assert not records.trail.verify()
    told = str(records.trail.entries())
    assert "Öztürk" not in told
    assert "in/0.dcm" not in told


def test_confirmed_by_storage_commitment(orthanc, records, book, tmp_path) -> None:
    book.add(orthanc.dimse(commitment_port=orthanc.peer))
    queue_files(records.outbox, "orthanc", study(tmp_path / "in", 2))
    Delivery(records.outbox, book).run(now())
    assert states(records) == ["confirmed"] * 2


@pytest.mark.parametrize("protocol", ["dimse", "web"])
def test_an_archive_that_keeps_another_object_of_the_uid_is_found_out(
    orthanc, records, book, tmp_path, protocol
) -> None:
    address = getattr(orthanc, protocol)()
    book.add(address)
    (path,) = study(tmp_path / "in", 1)
    queue_files(records.outbox, address.name, [path])
    Delivery(records.outbox, book).run(now())
    changed = pydicom.dcmread(path)
    changed.SeriesDescription = "another"
    queue_files(records.outbox, address.name, [save(changed, tmp_path / "other.dcm")])
    Delivery(records.outbox, book).run(now())
    first, second = records.outbox.list_entries()
    assert first.state is OutboxState.CONFIRMED
    assert second.state is OutboxState.FAILED
    assert "another object" in second.reason
    assert "SeriesDescription" in second.reason


def test_a_dead_server_is_tried_later_and_later_and_not_for_ever(records, book, tmp_path) -> None:
    book.add(ArchiveAddress("gone", host="127.0.0.1", port=free_port(), aet="X", timeout_s=1.0))
    queue_files(records.outbox, "gone", study(tmp_path / "in", 1))
    delivery, time, waits = Delivery(records.outbox, book), now(), []
    for _ in range(len(WAITS_S) + 1):
        delivery.run(time)
        (entry,) = records.outbox.list_entries()
        waits.append(round((datetime.fromisoformat(entry.due) - time).total_seconds()))
        delivery.run(time)
        time = datetime.fromisoformat(entry.due) + timedelta(seconds=1)
    assert waits[: len(WAITS_S)] == list(WAITS_S)
    assert states(records) == ["failed"]
    assert "cannot be reached" in records.outbox.list_entries()[0].reason
    assert records.outbox.path(entry).is_file()
    assert records.outbox.retry() == 1
    assert states(records) == ["waiting"]


class FixedArchive:
    def __init__(self, answer: StoreAnswer) -> None:
        self.answer = answer
        self.calls = 0

    def store(self, paths):
        for path in paths:
            self.calls += 1
            yield path, self.answer

    def read_back(self, reference):
        return None


def test_permanent_refusals_are_not_retried_and_success_alone_is_not_believed(
    records, book, tmp_path
) -> None:
    book.add(ArchiveAddress("a", host="127.0.0.1", port=1, aet="X"))
    queue_files(records.outbox, "a", study(tmp_path / "in", 1))
    refusing = FixedArchive(StoreAnswer(False, is_permanent=True, reason="never"))
    for _ in range(2):
        Delivery(records.outbox, book, lambda _address: refusing).run(now())
    assert refusing.calls == 1
    assert states(records) == ["failed"]
    records.outbox.retry()
    forgetful = FixedArchive(StoreAnswer(True))
    Delivery(records.outbox, book, lambda _address: forgetful).run(now())
    (entry,) = records.outbox.list_entries()
    assert entry.state is OutboxState.SENT
    assert "does not have it" in entry.reason


def test_a_missing_archive_or_file_is_told(records, book, tmp_path) -> None:
    queue_files(records.outbox, "nobody", study(tmp_path / "in", 1))
    Delivery(records.outbox, book).run(now())
    assert "No archive" in records.outbox.list_entries()[0].reason
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(InputError, match="damaged"):
        queue_files(records.outbox, "a", [tmp_path / "x.txt"])


def test_a_server_killed_in_the_middle_gets_each_object_once(
    start_orthanc, records, book, tmp_path
) -> None:
    server = start_orthanc()
    book.add(server.dimse(timeout_s=5.0))
    paths = study(tmp_path / "in", 12)
    queue_files(records.outbox, "orthanc", paths)
    original = records.outbox.mark_sent
    sent = []

    def kill_after_five(entry) -> None:
        original(entry)
        sent.append(entry)
        if len(sent) == 5:
            server.kill()

    records.outbox.mark_sent = kill_after_five
    Delivery(records.outbox, book).run(now())
    assert "confirmed" not in states(records)
    assert all(entry.reason for entry in records.outbox.list_entries(OutboxState.WAITING))
    records.outbox.mark_sent = original
    server.start()
    records.outbox.retry()
    for hours in range(4):
        Delivery(records.outbox, book).run(now() + timedelta(hours=3 * hours))
    assert states(records) == ["confirmed"] * 12
    assert server.count() == 12


PROGRAM = """
import os, signal, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tumorviewer.pacs.addresses import AddressBook
from tumorviewer.pacs.delivery import Delivery, queue_files
from tumorviewer.records import Records
home, files, after = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
with Records(folder=home / "records") as records:
    queue_files(records.outbox, "orthanc", sorted(files.glob("*.dcm")))
    steps = []
    for name in ("mark_sent", "mark_confirmed"):
        def step(entry, mark=getattr(records.outbox, name)):
            steps.append(entry)
            if len(steps) == after:
                os.kill(os.getpid(), signal.SIGKILL)
            mark(entry)
        setattr(records.outbox, name, step)
    Delivery(records.outbox, AddressBook(home / "archives.json")).run(
        datetime.now(UTC) + timedelta(seconds=1))
"""


@pytest.mark.parametrize("after", [4, 11])
def test_a_program_killed_in_the_middle_sends_each_object_once(
    start_orthanc, tmp_path, after
) -> None:
    server = start_orthanc()
    home = tmp_path / "home"
    AddressBook(home / "archives.json").add(server.dimse())
    study(tmp_path / "in", 8)
    command = [sys.executable, "-c", PROGRAM, home, tmp_path / "in", str(after)]
    root = Path(__file__).resolve().parents[2]
    killed = subprocess.run(command, cwd=root, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    with Records(folder=home / "records") as records:
        assert len(records.outbox.list_entries()) == 8
        assert set(states(records)) != {"confirmed"}
        Delivery(records.outbox, AddressBook(home / "archives.json")).run(now())
        assert states(records) == ["confirmed"] * 8
        assert not records.trail.verify()
    assert server.count() == 8
