"""Sends what is in the outbox, and believes that it arrived only when the archive proves it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import groupby
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.pacs.addresses import AddressBook, ArchiveAddress
from tumorviewer.pacs.archive import Archive
from tumorviewer.pacs.connection import connect
from tumorviewer.records.outbox import Outbox, OutboxEntry, OutboxState, OutgoingObject
from tumorviewer.study.dicom.elements import PARSER_ERRORS, read_text


def queue_files(outbox: Outbox, destination: str, paths: Iterable[Path]) -> list[OutboxEntry]:
    """Put DICOM files into the outbox.

    Raises
    ------
    InputError
        If one is not a DICOM file; those before it are queued.
    """
    return [outbox.put(destination, read_outgoing(path)) for path in paths]


def read_outgoing(path: Path) -> OutgoingObject:
    """A DICOM file as it is sent.

    Raises
    ------
    InputError
        If it is not a DICOM file with UIDs.
    """
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        content = path.read_bytes()
    except (InvalidDicomError, *PARSER_ERRORS) as error:
        raise InputError(str(path), tr("It is damaged, or it is not a DICOM image.")) from error
    uids = [
        read_text(header, name) for name in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID")
    ]
    if not all(uids):
        raise InputError(str(path), tr("It has no SOP Instance UID or no transfer syntax."))
    return OutgoingObject(content, *uids)


class Delivery:
    """One round over everything that is due.

    Parameters
    ----------
    connect_to
        Makes the archive of an address; another one in tests.
    """

    def __init__(
        self,
        outbox: Outbox,
        book: AddressBook,
        connect_to: Callable[[ArchiveAddress], Archive] = connect,
    ) -> None:
        self._outbox = outbox
        self._book = book
        self._connect = connect_to

    def run(self, now: datetime) -> None:
        """Send and confirm what is due; what happened stands in the outbox."""
        due = sorted(self._outbox.list_due(now), key=lambda entry: entry.destination)
        for destination, entries in groupby(due, key=lambda entry: entry.destination):
            self._deliver(destination, list(entries), now)

    def _deliver(self, destination: str, entries: list[OutboxEntry], now: datetime) -> None:
        try:
            address = self._book.find(destination)
            archive = self._connect(address)
        except InputError as error:
            for entry in entries:
                self._outbox.mark_delayed(entry, error.message, now)
            return
        self._send([e for e in entries if e.state is OutboxState.WAITING], archive, now)
        numbers = {entry.id for entry in entries}
        sent = [e for e in self._outbox.list_entries(OutboxState.SENT) if e.id in numbers]
        if address.commitment_port and not address.is_web:
            self._commit(sent, address, now)
        else:
            self._compare(sent, archive, now)

    def _send(self, entries: list[OutboxEntry], archive: Archive, now: datetime) -> None:
        by_path = {}
        for entry in entries:
            if self._outbox.path(entry).is_file():
                by_path[self._outbox.path(entry)] = entry
            else:
                self._outbox.mark_refused(entry, tr("Its file is gone from the outbox."))
        for path, answer in archive.store(list(by_path)):
            entry = by_path[path]
            if answer.is_stored:
                self._outbox.mark_sent(entry)
            elif answer.is_permanent:
                self._outbox.mark_refused(entry, answer.reason)
            else:
                self._outbox.mark_delayed(entry, answer.reason, now)

    def _compare(self, entries: list[OutboxEntry], archive: Archive, now: datetime) -> None:
        """Confirm by reading back: an archive may say success and keep another object."""
        for entry in entries:
            try:
                ours = pydicom.dcmread(self._outbox.path(entry))
                theirs = archive.read_back(ours)
                if theirs is None:
                    self._outbox.mark_delayed(entry, tr("The archive does not have it."), now)
                    continue
                differing = list_differences(ours, theirs)
            except (InputError, *PARSER_ERRORS) as error:
                told = (
                    error.message
                    if isinstance(error, InputError)
                    else tr("It cannot be read back.")
                )
                self._outbox.mark_delayed(entry, told, now)
                continue
            if differing:
                told = tr(
                    "The archive keeps another object of this UID: {names} differ.",
                    names=", ".join(differing[:5]),
                )
                self._outbox.mark_refused(entry, told)
            else:
                self._outbox.mark_confirmed(entry)

    def _commit(self, entries: list[OutboxEntry], address: ArchiveAddress, now: datetime) -> None:
        if not entries:
            return
        from tumorviewer.pacs.commitment import request_commitment

        references = [(entry.sop_class, entry.sop_instance) for entry in entries]
        try:
            committed = request_commitment(address, references)
        except InputError as error:
            for entry in entries:
                self._outbox.mark_delayed(entry, error.message, now)
            return
        for entry in entries:
            if entry.sop_instance in committed:
                self._outbox.mark_confirmed(entry)
            else:
                self._outbox.mark_delayed(
                    entry, tr("The archive does not commit itself to it."), now
                )


def list_differences(ours: Dataset, theirs: Dataset) -> list[str]:
    """Names of the elements that differ; the order and the encoding of the file do not count."""
    names = []
    for tag in sorted(set(ours.keys()) | set(theirs.keys())):
        if tag not in ours or tag not in theirs or ours[tag] != theirs[tag]:
            element = ours[tag] if tag in ours else theirs[tag]
            names.append(element.keyword or str(element.tag))
    return names
