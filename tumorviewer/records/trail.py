"""The audit trail: who opened, asked, changed and exported what, chained by hashes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row, Table

from tumorviewer.errors import InputError
from tumorviewer.language import later, tr
from tumorviewer.records.entries import AuditEntry, Fault, digest_json
from tumorviewer.records.storage.tables import findings, head, studies, trail, verdicts
from tumorviewer.records.store import RecordStore, entry_of, key_of

_FIRST = "0" * 64
_HEAD = re.compile(r"(\d+) ([0-9a-f]{64})")
_GUARDED = {later("verdict"): verdicts, later("finding"): findings}
"""Rows whose digest stands in the trail, by the name of their number in its details."""


class Trail:
    """Reads, extends and verifies the trail."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def note(self, action: str, study: int | None = None, **details: Any) -> AuditEntry:
        """Say that something was done that the records do not see themselves.

        Parameters
        ----------
        action
            ``opened``, ``asked``, ``exported``, …
        details
            Plain JSON; never a patient's name, id or path.
        """
        with self._store.writing() as connection:
            key = None if study is None else key_of(connection, study)
            return self._store.note(connection, action, key, **details)

    def entries(self, study: int | None = None, limit: int | None = None) -> list[AuditEntry]:
        """The latest entries, of everything or of one study, the last first."""
        query = sa.select(trail).order_by(trail.c.number.desc()).limit(limit)
        with self._store.reading() as connection:
            if study is not None:
                query = query.where(trail.c.study == key_of(connection, study))
            return [entry_of(row) for row in connection.execute(query)]

    def verify(self, noted: str = "") -> list[Fault]:
        """Look for everything that was edited, deleted, reordered, put in or cut off.

        The chain shows each of these but the loss of its end; that shows in the head, which is kept
        in the database and in a file beside it. Verdicts and findings are compared with the digests
        that the trail holds of them. Whoever can write all of these files can forge them all: a
        head that was noted elsewhere shows that too.

        Parameters
        ----------
        noted
            Number and hash of an earlier entry, with a space between.

        Raises
        ------
        InputError
            If `noted` is neither empty nor these.
        """
        if noted and not _HEAD.fullmatch(noted):
            reason = tr("It is not a number and a hash of 64 digits.")
            raise InputError(noted, reason, tr("Copy it from an earlier `records verify`."))
        heads = self._heads(noted)  # before the database: what is written meanwhile is no fault
        with self._store.reading() as connection:
            rows = connection.execute(sa.select(trail).order_by(trail.c.number)).all()
            stated = connection.execute(sa.select(head.c.number, head.c.hash)).first()
            content = list(_content_faults(connection, rows))
        hashes = {row.number: row.hash for row in rows}
        faults = [*_chain_faults(rows), *_head_faults(hashes, heads)]
        last = (rows[-1].number, rows[-1].hash) if rows else (0, _FIRST)
        if stated is None or tuple(stated) != last:
            number = stated.number if stated else 0
            faults.append(
                Fault(last[0], tr("The trail ends here, but its head is entry {n}.", n=number))
            )
        return faults + content

    def _heads(self, noted: str) -> list[tuple[int, str]]:
        try:
            lines = [noted, *self._store.heads.read_text("ascii", "replace").splitlines()]
        except FileNotFoundError:
            lines = [noted]
        found = filter(None, map(_HEAD.fullmatch, lines))  # the last may be cut by a power failure
        return [(int(match[1]), match[2]) for match in found]


def _chain_faults(rows: Iterable[Row[Any]]) -> Iterator[Fault]:
    first = None
    for row in rows:
        if first is None and (row.number, row.previous) != (1, _FIRST):
            yield Fault(row.number, tr("Entries before this one are missing."))
        first = row
        if _hash(row) != row.hash:
            yield Fault(row.number, tr("It was changed after it was written."))
    for before, row in pairwise(rows):
        if row.number != before.number + 1:
            gap = tr(
                "Entries {first} to {last} are missing.",
                first=before.number + 1,
                last=row.number - 1,
            )
            yield Fault(row.number, gap)
        elif row.previous != before.hash:
            yield Fault(row.number, tr("It does not continue the entry before it."))


def _hash(row: Row[Any]) -> str:
    try:
        return entry_of(row).hash
    except (ValueError, TypeError):
        return ""


def _head_faults(hashes: dict[int, str], heads: list[tuple[int, str]]) -> Iterator[Fault]:
    last = max(hashes, default=0)
    cut = max((number for number, _ in heads if number > last), default=0)
    if cut:
        yield Fault(last, tr("The trail ends here, but it once went on to entry {cut}.", cut=cut))
    for number, stated in heads:
        if number in hashes and hashes[number] != stated:
            yield Fault(number, tr("It is not the entry that was written under this number."))


def _content_faults(connection: Connection, rows: Iterable[Row[Any]]) -> Iterator[Fault]:
    """Verdicts and findings that are not what the trail says."""
    stated = _stated_digests(rows)
    known = set(connection.execute(sa.select(studies.c.key)).scalars())
    for name, table in _GUARDED.items():
        found = {row.id: row_digest(row) for row in connection.execute(sa.select(table))}
        for number, identifier, expected, study in stated[name]:
            if study not in known:
                continue
            if identifier not in found:
                yield Fault(
                    number,
                    tr("The {name} {identifier} is missing.", name=tr(name), identifier=identifier),
                )
            elif found.pop(identifier) != expected:
                yield Fault(
                    number,
                    tr(
                        "The {name} {identifier} was changed after it was written.",
                        name=tr(name),
                        identifier=identifier,
                    ),
                )
        for identifier in sorted(found):
            yield Fault(
                None,
                tr(
                    "The {name} {identifier} is not in the trail.",
                    name=tr(name),
                    identifier=identifier,
                ),
            )


def _stated_digests(
    rows: Iterable[Row[Any]],
) -> dict[str, list[tuple[int, int, str, str | None]]]:
    stated: dict[str, list[tuple[int, int, str, str | None]]] = {name: [] for name in _GUARDED}
    for row in rows:
        try:
            details = json.loads(row.details)
        except ValueError:
            continue
        if isinstance(details, dict) and "sha256" in details:
            for name in stated.keys() & details.keys():
                stated[name].append((row.number, details[name], details["sha256"], row.study))
    return stated


def row_digest(row: Row[Any]) -> str:
    """Of a whole row; of large binary values only that they are there."""
    content = row._asdict()
    return digest_json({name: _plain(value) for name, value in content.items()})


def _plain(value: Any) -> Any:
    return len(value) if isinstance(value, bytes) else value


def guard_row(connection: Connection, table: Table, identifier: int) -> str:
    """The digest that the trail keeps of a row that was just written."""
    row = connection.execute(sa.select(table).where(table.c.id == identifier)).one()
    return row_digest(row)
