"""What is being worked on, kept so that a window comes back as it was after being killed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from filelock import FileLock

from tumorviewer.records.storage import locks
from tumorviewer.records.storage.tables import session
from tumorviewer.records.store import RecordStore, current_time

_WINDOW = "window/"


class Session:
    """Documents by name: drafts (``draft/…``), and the state of each window.

    Parameters
    ----------
    folder
        Where the windows that are open are marked as such.
    """

    def __init__(self, store: RecordStore, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def keep(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep a document, in place of the one of that name; it is durable when this returns."""
        values = {"time": current_time(), "document": json.dumps(document)}
        with self._store.writing() as connection:
            where = session.c.name == name
            changed = connection.execute(session.update().where(where).values(values))
            if not changed.rowcount:
                connection.execute(session.insert().values(name=name, **values))

    def kept(self, name: str) -> dict[str, Any] | None:
        """The document of that name."""
        query = sa.select(session.c.document).where(session.c.name == name)
        with self._store.reading() as connection:
            document = connection.execute(query).scalar()
        return None if document is None else dict(json.loads(document))

    def names(self, prefix: str = "") -> list[str]:
        """Names of what is kept, the latest first."""
        query = sa.select(session.c.name).where(session.c.name.startswith(prefix, autoescape=True))
        with self._store.reading() as connection:
            return list(connection.execute(query.order_by(session.c.time.desc())).scalars())

    def drop(self, name: str) -> None:
        """Forget a document."""
        with self._store.writing() as connection:
            connection.execute(session.delete().where(session.c.name == name))

    def claim(self) -> WindowState:
        """The state of the window that was used last and is not open now, or of a new one.

        No two windows get the same, in whatever processes they run; that of a killed process is
        free at once.
        """
        kept = self.names(_WINDOW)
        new = (name for number in count(1) if (name := f"{_WINDOW}{number}") not in kept)
        for name in chain(kept, new):
            lock = locks.take_lock(self._folder / f"{name.replace('/', '-')}.lock")
            if lock is not None:
                return WindowState(self, name, self.kept(name), lock)
        raise AssertionError  # there are always more numbers


@dataclass(frozen=True)
class WindowState:
    """One window's claim on its state."""

    session: Session
    name: str
    document: dict[str, Any] | None
    """What was kept last; None for a new window."""
    lock: FileLock

    def keep(self, document: Mapping[str, Any]) -> None:
        """Keep the window's state."""
        self.session.keep(self.name, document)

    def release(self, *, forget: bool = False) -> None:
        """The window is closed; the next one takes its state up, or not."""
        if forget:
            self.session.drop(self.name)
        self.lock.release()
