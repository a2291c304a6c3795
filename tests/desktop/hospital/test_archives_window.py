"""Archives and the outbox as their user meets them, with an archive on the loopback."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from tests.desktop.hospital.archive_server import ArchiveServer
from tests.desktop.hospital.test_report_window import ask_for_report, open_study, tick
from tests.desktop.shell.test_window import visible_text
from tests.reports.made import clean_series
from tumorviewer.desktop.hospital.archives_dialog import ArchivesDialog
from tumorviewer.desktop.hospital.outbox_dialog import OutboxDialog
from tumorviewer.desktop.hospital.report_dialog import ReportDialog
from tumorviewer.pacs.addresses import AddressBook
from tumorviewer.resources import resource_path

CANNOT_UNDERSTAND = 0xC000


@pytest.fixture
def room(opened_room, inference):
    inference.find_model = lambda: resource_path("models", "light")
    return opened_room


@pytest.fixture
def archive():
    with ArchiveServer() as running:
        yield running


@pytest.fixture
def known(archive):
    """The archive is on the list."""
    AddressBook().add(archive.address)
    return archive


def press(button) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def cells(table) -> list[list[str]]:
    return [
        [table.item(row, column).text() for column in range(table.columnCount())]
        for row in range(table.rowCount())
    ]


def shown_outbox(window, dialog) -> OutboxDialog:
    press(dialog.sending.outbox)
    return window.findChildren(OutboxDialog)[-1]


def drawn_report(qtbot, window, client, folder):
    open_study(qtbot, window, clean_series(folder, "upwards", 5))
    client.answer()
    dialog = ask_for_report(qtbot, window)
    qtbot.waitUntil(lambda: dialog.pages.count > 0)
    return dialog


def test_an_archive_is_added_tested_and_removed(qtbot, window, room, archive):
    window.actions_["archives"].trigger()
    (dialog,) = window.findChildren(ArchivesDialog)
    press(dialog.add)
    qtbot.waitUntil(lambda: "A name has letters" in visible_text(dialog))
    address = archive.address
    QTest.keyClicks(dialog.name, address.name)
    QTest.keyClicks(dialog.host, address.host)
    dialog.port.selectAll()
    QTest.keyClicks(dialog.port, str(address.port))
    QTest.keyClicks(dialog.aet, address.aet)
    press(dialog.add)
    place = f"ARCHIVE@127.0.0.1:{address.port}"
    qtbot.waitUntil(lambda: cells(dialog.table) == [["hospital", place]])
    press(dialog.test)
    qtbot.waitUntil(lambda: "hospital answers." in visible_text(dialog))
    press(dialog.remove)
    qtbot.waitUntil(lambda: not cells(dialog.table))
    assert AddressBook().list_addresses() == []


def test_a_password_goes_to_the_keyring_and_nowhere_else(qtbot, window, room, monkeypatch):
    import keyring

    kept = {}
    monkeypatch.setattr(keyring, "set_password", lambda *told: kept.update({told[:2]: told[2]}))
    window.actions_["archives"].trigger()
    (dialog,) = window.findChildren(ArchivesDialog)
    for field, words in (
        (dialog.name, "web"), (dialog.url, "https://archive.example/dicom-web"),
        (dialog.user, "reader"), (dialog.password, "secret word"),
    ):  # fmt: skip
        QTest.keyClicks(field, words)
    press(dialog.add)
    qtbot.waitUntil(lambda: len(cells(dialog.table)) == 1)
    assert kept == {("tumorviewer", "web"): "secret word"}
    assert dialog.password.text() == ""
    from tumorviewer.resources import home_path

    assert "secret word" not in home_path("archives.json").read_text("utf-8")


def test_a_report_is_sent_and_confirmed(qtbot, window, room, client, known, tmp_path):
    dialog = drawn_report(qtbot, window, client, tmp_path / "in")
    qtbot.waitUntil(lambda: dialog.sending.archive.count() == 1)
    tick(dialog, "pdf", "sr")
    assert known.objects == {}
    press(dialog.sending.send)
    qtbot.waitUntil(lambda: "2 objects are on their way to hospital" in visible_text(dialog))
    outbox = shown_outbox(window, dialog)
    confirmed = ["Confirmed", "Confirmed"]
    qtbot.waitUntil(lambda: [row[2] for row in cells(outbox.table)] == confirmed)
    kinds = {row[0] for row in cells(outbox.table)}
    assert kinds == {"Encapsulated PDF", "Comprehensive SR"}
    assert sorted(one.Modality for one in known.objects.values()) == ["DOC", "SR"]
    assert {str(one.PatientName) for one in known.objects.values()} == {"Öztürk^Ayşe"}
    assert not outbox.retry.isEnabled()
    outbox.reject()
    dialog.reject()
    qtbot.waitUntil(lambda: not window.findChildren(ReportDialog))
    window.actions_["archives"].trigger()
    (archives,) = window.findChildren(ArchivesDialog)
    qtbot.waitUntil(lambda: len(cells(archives.table)) == 1)


def test_what_an_archive_refuses_says_why_and_can_be_sent_again(
    qtbot, window, room, client, known, tmp_path
):
    known.refuses = CANNOT_UNDERSTAND
    dialog = drawn_report(qtbot, window, client, tmp_path / "in")
    tick(dialog, "sr")
    qtbot.waitUntil(lambda: dialog.sending.send.isEnabled())
    press(dialog.sending.send)
    outbox = shown_outbox(window, dialog)
    qtbot.waitUntil(lambda: [row[2] for row in cells(outbox.table)] == ["Failed"])
    assert "cannot be understood" in cells(outbox.table)[0][4]
    known.refuses = 0
    press(outbox.retry)
    qtbot.waitUntil(lambda: [row[2] for row in cells(outbox.table)] == ["Confirmed"])


def test_nothing_is_sent_without_an_archive_or_before_it_is_asked(
    qtbot, window, room, client, tmp_path
):
    dialog = drawn_report(qtbot, window, client, tmp_path / "in")
    assert "No archive is known yet." in visible_text(dialog)
    assert not dialog.sending.send.isEnabled()
    told: list[object] = []
    room.executor.ask(lambda records: records.outbox.list_entries(), told.append)
    qtbot.waitUntil(lambda: bool(told))
    assert told == [[]]
