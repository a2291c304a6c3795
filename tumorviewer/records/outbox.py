"""Objects on their way to archives: one row an object and destination, its file beside it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from tumorviewer.errors import InputError
from tumorviewer.files import replace_atomically
from tumorviewer.language import tr
from tumorviewer.records.storage.tables import outbox_table
from tumorviewer.records.store import RecordStore

WAITS_S = (10, 60, 300, 1800, 7200)
"""Seconds until the next attempt after each that failed; after the last one it stays failed."""


class OutboxState(Enum):
    """How far an object is."""

    WAITING = "waiting"
    SENT = "sent"
    """The archive said that it took it, which is not yet believed."""
    CONFIRMED = "confirmed"
    """The archive committed itself to keep it, or gave it back unchanged."""
    FAILED = "failed"


@dataclass(frozen=True)
class OutboxEntry:
    """One object for one destination."""

    id: int
    destination: str
    """Name of the archive."""
    sop_class: str
    sop_instance: str
    study_uid: str
    sha256: str
    """Of the file."""
    file: str
    """In the outbox's folder."""
    state: OutboxState
    attempts: int
    due: str
    """Before this time it is not tried again; UTC, ISO 8601."""
    reason: str
    """Why it is not further, in words; empty if nothing went wrong."""
    added: str
    changed: str


@dataclass(frozen=True)
class OutgoingObject:
    """An object to send."""

    content: bytes
    """As a DICOM file."""
    sop_class: str
    sop_instance: str
    study_uid: str


class Outbox:
    """Keeps what is to be sent until an archive has it; it survives the end of the program."""

    def __init__(self, store: RecordStore, folder: Path) -> None:
        self._store = store
        self.folder = folder

    def put(self, destination: str, outgoing: OutgoingObject) -> OutboxEntry:
        """Keep an object until it has arrived; one that is kept already is not kept twice.

        Raises
        ------
        InputError
            If there is no room for it.
        """
        sha256 = hashlib.sha256(outgoing.content).hexdigest()
        self._write(sha256, outgoing.content)
        time = _stamp(datetime.now(UTC))
        values = {
            "destination": destination, "sop_class": outgoing.sop_class,
            "sop_instance": outgoing.sop_instance, "study_uid": outgoing.study_uid,
            "sha256": sha256, "file": f"{sha256}.dcm", "state": OutboxState.WAITING.value,
            "attempts": 0, "due": time, "reason": "", "added": time, "changed": time,
        }  # fmt: skip
        same = (
            outbox_table.c.destination == destination,
            outbox_table.c.sop_instance == outgoing.sop_instance,
            outbox_table.c.sha256 == sha256,
        )
        with self._store.writing() as connection:
            known = connection.execute(sa.select(outbox_table).where(*same)).first()
            if known is None:
                connection.execute(outbox_table.insert().values(values))
                self._note(connection, "queued", values)
                known = connection.execute(sa.select(outbox_table).where(*same)).one()
            return _entry(known)

    def path(self, entry: OutboxEntry) -> Path:
        """The file of an object."""
        return self.folder / entry.file

    def list_entries(self, *states: OutboxState) -> list[OutboxEntry]:
        """The rows in some states, or all; in the order in which they were put."""
        query = sa.select(outbox_table).order_by(outbox_table.c.id)
        if states:
            query = query.where(outbox_table.c.state.in_([state.value for state in states]))
        with self._store.reading() as connection:
            return [_entry(row) for row in connection.execute(query)]

    def list_due(self, now: datetime) -> list[OutboxEntry]:
        """What is to be sent or confirmed now."""
        entries = self.list_entries(OutboxState.WAITING, OutboxState.SENT)
        return [entry for entry in entries if entry.due <= _stamp(now)]

    def mark_sent(self, entry: OutboxEntry) -> None:
        """The archive said that it took it."""
        self._change(entry, OutboxState.SENT, reason="", due=entry.due)

    def mark_confirmed(self, entry: OutboxEntry) -> None:
        """The archive has it; its file goes when no other row needs it."""
        self._change(entry, OutboxState.CONFIRMED, reason="", due=entry.due)
        others = (one for one in self.list_entries() if one.state is not OutboxState.CONFIRMED)
        if not any(one.sha256 == entry.sha256 for one in others):
            self.path(entry).unlink(missing_ok=True)

    def mark_refused(self, entry: OutboxEntry, reason: str) -> None:
        """It will never be taken, as far as we can tell."""
        self._change(entry, OutboxState.FAILED, reason=reason, due=entry.due)

    def mark_delayed(self, entry: OutboxEntry, reason: str, now: datetime) -> None:
        """It did not work this time: later again, and not for ever."""
        attempts = entry.attempts + 1
        if attempts > len(WAITS_S):
            self._change(entry, OutboxState.FAILED, reason, entry.due, attempts)
            return
        due = _stamp(now + timedelta(seconds=WAITS_S[attempts - 1]))
        self._change(entry, entry.state, reason, due, attempts)

    def retry(self) -> int:
        """Let everything that failed or waits be tried at once; answers how many."""
        time = _stamp(datetime.now(UTC))
        pending = outbox_table.c.state != OutboxState.CONFIRMED.value
        with self._store.writing() as connection:
            failed = outbox_table.c.state == OutboxState.FAILED.value
            connection.execute(
                outbox_table.update().where(failed).values(state=OutboxState.WAITING.value)
            )
            changed = connection.execute(
                outbox_table.update().where(pending).values(due=time, attempts=0, reason="")
            )
            self._store.note(connection, "outbox retried", objects=changed.rowcount)
            return int(changed.rowcount)

    def _write(self, sha256: str, content: bytes) -> None:
        path = self.folder / f"{sha256}.dcm"
        if path.exists() and path.stat().st_size == len(content):
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with replace_atomically(path) as beside:
                beside.touch(mode=0o600)
                beside.write_bytes(content)
        except OSError as error:
            reason = tr("It cannot be kept for sending: {error}.", error=error.strerror or error)
            raise InputError(tr("the outbox"), reason, tr("Make room, do it again.")) from error

    def _change(
        self,
        entry: OutboxEntry,
        state: OutboxState,
        reason: str,
        due: str,
        attempts: int | None = None,
    ) -> None:
        values = {"state": state.value, "reason": reason, "due": due}
        values |= {"changed": _stamp(datetime.now(UTC))}
        stated = {"attempts": entry.attempts if attempts is None else attempts}
        with self._store.writing() as connection:
            where = outbox_table.c.id == entry.id
            connection.execute(outbox_table.update().where(where).values(values | stated))
            action = state.value if state is not entry.state else "delayed"
            self._note(connection, action, vars(entry))

    def _note(self, connection: Connection, action: str, values: dict[str, Any]) -> None:
        """Each step in the audit trail: which object and where to, nothing of the patient."""
        self._store.note(
            connection, action, None,
            destination=values["destination"], object=values["sha256"],
        )  # fmt: skip


def _entry(row: Row[Any]) -> OutboxEntry:
    return OutboxEntry(**row._asdict() | {"state": OutboxState(row.state)})


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
