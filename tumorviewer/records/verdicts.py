"""What readers decided: written once, corrected by new entries, never changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.records.entries import Verdict
from tumorviewer.records.states import find_current_verdict, refresh_worklist
from tumorviewer.records.storage.database import NAME
from tumorviewer.records.storage.tables import verdicts
from tumorviewer.records.store import RecordStore, current_time, key_of
from tumorviewer.records.trail import guard_row


class Verdicts:
    """Takes verdicts and gives them back."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def give(
        self,
        study: int,
        label: str,
        *,
        before_answer: bool,
        confidence: float | None = None,
        comment: str = "",
        signed: bool = False,
        corrects: int | None = None,
        finding: int | None = None,
        volume: str | None = None,
        slices: Sequence[int] = (),
        reader: str = "",
    ) -> Verdict:
        """Write a verdict; the parameters are those of :class:`Verdict`.

        Without `reader` it is by who is logged in, whom the audit trail names in any case.

        Raises
        ------
        InputError
            If `corrects` is not a verdict on this study, or is corrected already: then somebody
            else was quicker, and their verdict must be read first.
        """
        if confidence is not None and not 0 <= confidence <= 1:
            raise ValueError(f"confidence must be 0–1, not {confidence}")
        values = {
            "study": study,
            "label": label,
            "confidence": confidence,
            "comment": comment,
            "reader": reader or self._store.who,
            "time": current_time(),
            "before_answer": before_answer,
            "signed": signed,
            "corrects": corrects,
            "finding": finding,
            "volume": volume,
            "slices": json.dumps(list(slices)),
        }
        with self._store.writing() as connection:
            key = key_of(connection, study)
            if corrects is not None:
                _check_correctable(connection, study, corrects)
            return self._insert(connection, key, values)

    def sign(self, verdict: Verdict, reader: str = "") -> Verdict:
        """Sign a verdict as it stands: a new entry that takes its place, by who signs."""
        return self.give(
            verdict.study,
            verdict.label,
            before_answer=verdict.before_answer,
            confidence=verdict.confidence,
            comment=verdict.comment,
            signed=True,
            corrects=verdict.id,
            finding=verdict.finding,
            volume=verdict.volume,
            slices=verdict.slices,
            reader=reader,
        )

    def current(self, study: int) -> Verdict | None:
        """The last verdict on a study that none corrects."""
        with self._store.reading() as connection:
            row = find_current_verdict(connection, study)
        return _verdict(row) if row else None

    def on_study(self, study: int) -> list[Verdict]:
        """All verdicts on a study, the last first, the corrected ones included."""
        query = sa.select(verdicts).where(verdicts.c.study == study)
        with self._store.reading() as connection:
            found = connection.execute(query.order_by(verdicts.c.id.desc()))
            return [_verdict(row) for row in found]

    def _insert(self, connection: Connection, key: str, values: dict[str, Any]) -> Verdict:
        inserted = connection.execute(verdicts.insert().values(values)).inserted_primary_key
        assert inserted
        number = int(inserted[0])
        sha256 = guard_row(connection, verdicts, number)
        action = "signed" if values["signed"] else "verdict"
        self._store.note(
            connection, action, key,
            verdict=number, sha256=sha256, corrects=values["corrects"],
        )  # fmt: skip
        refresh_worklist(connection, values["study"])
        query = sa.select(verdicts).where(verdicts.c.id == number)
        return _verdict(connection.execute(query).one())


def _check_correctable(connection: Connection, study: int, corrects: int) -> None:
    of_study = sa.select(verdicts.c.study).where(verdicts.c.id == corrects)
    if connection.execute(of_study).scalar() != study:
        raise InputError(tr(NAME), tr("The verdict to correct is not one on this study."))
    if connection.execute(sa.select(verdicts.c.id).where(verdicts.c.corrects == corrects)).first():
        reason = tr("The verdict was corrected meanwhile.")
        raise InputError(tr(NAME), reason, tr("Read the new one, and correct that."))


def _verdict(row: Row[Any]) -> Verdict:
    content = row._asdict()
    return Verdict(**content | {"slices": tuple(json.loads(row.slices))})
