"""What all parts of the records share: the database, and the audit trail of what they do in it."""

from __future__ import annotations

import getpass
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.records.entries import AuditEntry, canonical_json
from tumorviewer.records.storage.database import NAME, Database
from tumorviewer.records.storage.tables import head, studies, trail

_HEAD = "tumorviewer_head"


def current_time() -> str:
    """The time as it is kept."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def user_name() -> str:
    """Who is logged in."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"


@dataclass(frozen=True)
class RecordStore:
    """A database, and who works in it.

    Every change and its entry in the audit trail are one transaction.
    """

    database: Database
    heads: Path
    """Text file outside the database: number and hash of the last entry of each transaction."""
    who: str = field(default_factory=user_name)
    host: str = field(default_factory=socket.gethostname)

    def __post_init__(self) -> None:
        self.database.committed = self._note_head

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """As :meth:`Database.reading`."""
        with self.database.reading() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """As :meth:`Database.writing`."""
        with self.database.writing() as connection:
            yield connection

    def note(
        self, connection: Connection, action: str, study: str | None = None, **details: Any
    ) -> AuditEntry:
        """Append to the audit trail within a transaction that writes.

        Parameters
        ----------
        study
            :attr:`WorklistEntry.key`.
        details
            Plain JSON; never a patient's name, id or path.
        """
        latest = sa.select(head.c.number, head.c.hash).with_for_update()
        number, previous = connection.execute(latest).one()
        entry = AuditEntry(
            number + 1, current_time(), self.who, self.host, action, study, details, previous
        )
        connection.execute(trail.insert().values(_row(entry)))
        connection.execute(head.update().values(number=entry.number, hash=entry.hash))
        connection.info[_HEAD] = f"{entry.number} {entry.hash}\n"
        return entry

    def _note_head(self, connection: Connection) -> None:
        """An append of one line is never torn by that of another process (POSIX ``O_APPEND``)."""
        line = connection.info.pop(_HEAD, "")
        if not line:
            return
        handle = os.open(self.heads, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)


def _row(entry: AuditEntry) -> dict[str, Any]:
    row = {name: getattr(entry, name) for name in trail.c.keys()}  # noqa: SIM118 - not a dict
    return row | {"details": canonical_json(entry.details)}


def entry_of(row: Row[Any]) -> AuditEntry:
    """An entry as it stands in the database."""
    content = {name: getattr(row, name) for name in trail.c.keys() if name != "hash"}  # noqa: SIM118
    return AuditEntry(**content | {"details": json.loads(row.details)})


def key_of(connection: Connection, study: int) -> str:
    """The key of a study.

    Raises
    ------
    InputError
        If there is no such study.
    """
    key = connection.execute(sa.select(studies.c.key).where(studies.c.id == study)).scalar()
    if key is None:
        raise InputError(tr(NAME), tr("The study is not in the worklist."), tr("Open it again."))
    return str(key)
