"""Studies that are to be judged in the background: one queue, whoever works on it.

Several windows and the command line may take from it at once; what one of them judges the others
leave alone. It stays when all of them are killed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from tumorviewer.records.storage import locks
from tumorviewer.records.storage.tables import session
from tumorviewer.records.store import RecordStore, current_time

_NAME = "batch"
_SLOTS = 16
"""Lock files; studies of one slot wait for each other."""


@dataclass(frozen=True)
class Wanted:
    """What is left to do."""

    studies: frozenset[int] = frozenset()
    is_paused: bool = False


class JudgingQueue:
    """Every change is a transaction on what stands there, so that none is lost.

    Parameters
    ----------
    folder
        Where studies that are being judged are marked as such.
    """

    def __init__(self, store: RecordStore, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def wanted(self) -> Wanted:
        """As it is now."""
        with self._store.reading() as connection:
            return _read(connection)

    def add(self, studies: Iterable[int]) -> Wanted:
        """Judge these too; answers what is wanted then."""
        return self._change(lambda old: replace(old, studies=old.studies | set(studies)))

    def remove(self, studies: Iterable[int]) -> Wanted:
        """These are done, or not wanted any more."""
        return self._change(lambda old: replace(old, studies=old.studies - set(studies)))

    def pause(self, is_paused: bool) -> Wanted:
        """Stop everybody after the study that they are at, or let them go on."""
        return self._change(lambda old: replace(old, is_paused=is_paused))

    @contextmanager
    def judging(self, study: int) -> Iterator[bool]:
        """Keep a study from the others within; False if one of them has it."""
        with locks.hold_lock(self._folder / f"judging-{study % _SLOTS}.lock", 0) as is_ours:
            yield is_ours

    def _change(self, change: Callable[[Wanted], Wanted]) -> Wanted:
        with self._store.writing() as connection:
            new = change(_read(connection))
            connection.execute(session.delete().where(session.c.name == _NAME))
            if new.studies:
                document = json.dumps({"studies": sorted(new.studies), "paused": new.is_paused})
                row = {"name": _NAME, "time": current_time(), "document": document}
                connection.execute(session.insert().values(row))
            return new


def _read(connection: Connection) -> Wanted:
    query = sa.select(session.c.document).where(session.c.name == _NAME)
    kept = connection.execute(query).scalar()
    if kept is None:
        return Wanted()
    document = json.loads(kept)
    return Wanted(frozenset(document["studies"]), bool(document["paused"]))
