"""The worklist: studies with their state, found by words, class and date, sorted as wished."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row, Select

from tumorviewer.analysis.trust import training_cohort
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.records.entries import (
    OnDisk,
    StudyState,
    WorklistEntry,
    WorklistOrder,
    WorklistQuery,
)
from tumorviewer.records.identity import (
    VolumeFiles,
    compare_files,
    fold_name,
    list_volumes,
    make_pseudonym,
    study_key,
)
from tumorviewer.records.storage.database import NAME
from tumorviewer.records.storage.tables import (
    annotation_table,
    findings,
    meta,
    observations,
    studies,
    study_answers,
    verdicts,
    volumes,
)
from tumorviewer.records.store import RecordStore, current_time, key_of
from tumorviewer.study.types import Study

_FIELDS = [field.name for field in fields(WorklistEntry)]
_SHOWN = [studies.c[name] for name in _FIELDS]
_STATE, _ON_DISK = _FIELDS.index("state"), _FIELDS.index("on_disk")
_STATES = {state.value: state for state in StudyState}
_PLACES = {place.value: place for place in OnDisk}
_CLASS = sa.func.coalesce(studies.c.verdict_class, studies.c.predicted_class)
_ORDERS: dict[WorklistOrder, tuple[ColumnElement[Any], ...]] = {
    WorklistOrder.NEWEST: (),
    WorklistOrder.PRIORITY: (studies.c.priority.desc(),),
    WorklistOrder.TUMOUR: (studies.c.tumour.desc().nulls_last(),),
    WorklistOrder.DOUBT: (studies.c.doubt.desc().nulls_last(),),
    WorklistOrder.PATIENT: (studies.c.patient_name, studies.c.pseudonym),
    WorklistOrder.ADDED: (studies.c.id.desc(),),
}


class Worklist:
    """Takes in studies and finds them again. Adding and checking read files: not in the window's
    own thread."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def add(self, study: Study) -> WorklistEntry:
        """Take in a study; one that is here already is brought up to date and not doubled.

        Raises
        ------
        InputError
            If its files cannot be read, or the records cannot be written.
        """
        key, found = study_key(study), list_volumes(study)
        with self._store.writing() as connection:
            known = connection.execute(sa.select(studies.c.id).where(studies.c.key == key)).scalar()
            number = known or self._insert(connection, study, key)
            if _keep_volumes(connection, number, found) or not known:
                action = "files changed" if known else "added"
                self._store.note(connection, action, key, volumes=len(found))
            _set(connection, number, source=_source(study), **_described(study))
        self.check([number])
        return self.get(number)

    def find(self, query: WorklistQuery | None = None) -> list[WorklistEntry]:
        """The studies that fit, sorted."""
        query = query or WorklistQuery()
        order = (*_ORDERS[query.order], studies.c.date.desc(), studies.c.id.desc())
        chosen = sa.select(*_SHOWN).where(*_conditions(query)).order_by(*order)
        return self._entries(chosen)

    def get(self, study: int) -> WorklistEntry:
        """One study.

        Raises
        ------
        InputError
            If it is not in the worklist.
        """
        with self._store.reading() as connection:
            return _one(connection, study)

    def by_key(self, key: str) -> WorklistEntry | None:
        """The study with this :attr:`WorklistEntry.key`."""
        return next(iter(self._entries(sa.select(*_SHOWN).where(studies.c.key == key))), None)

    def priors(self, study: int) -> list[WorklistEntry]:
        """Other studies of the same patient, the newest first.

        The same patient id, and the same name wherever both are known; without an id nothing is
        said, since two people of one name are worse than a prior that is missed.
        """
        entry = self.get(study)
        if not entry.patient_id.strip():
            return []
        chosen = (
            sa.select(*_SHOWN)
            .where(studies.c.pseudonym == entry.pseudonym, studies.c.id != study)
            .order_by(studies.c.date.desc(), studies.c.id.desc())
        )
        name = fold_name(entry.patient_name)
        return [
            other
            for other in self._entries(chosen)
            if not name or fold_name(other.patient_name) in ("", name)
        ]

    def paths(self, study: int) -> tuple[Path, ...]:
        """The files to open for a study, those that are gone included."""
        with self._store.reading() as connection:
            chosen = _files(connection, study)
        return tuple(dict.fromkeys(Path(path) for files in chosen for path, _, _ in files))

    def files(self, study: int, volume: str) -> tuple[Path, ...]:
        """The files of one volume, in the order of its slices."""
        with self._store.reading() as connection:
            chosen = _files(connection, study, volume)
        return tuple(Path(path) for files in chosen for path, _, _ in files)

    def sizes(self, chosen: Sequence[int]) -> dict[int, int]:
        """Bytes of the files of some studies, as they were entered."""
        with self._store.reading() as connection:
            files = {number: _files(connection, number) for number in chosen}
        return {
            number: sum({path: size for one in of_study for path, size, _ in one}.values())
            for number, of_study in files.items()
        }

    def waiting(self, model_sha256: str) -> list[WorklistEntry]:
        """Studies that a model has not judged wholly as they are now, in the order to judge them:
        by priority, then the newest first."""
        answered = sa.exists().where(
            findings.c.study == volumes.c.study,
            findings.c.volume == volumes.c.key,
            findings.c.stamp == volumes.c.stamp,
            findings.c.model_sha256 == model_sha256,
        )
        open_volume = sa.exists().where(
            volumes.c.study == studies.c.id, volumes.c.judged, sa.not_(answered)
        )
        order = (studies.c.priority.desc(), studies.c.date.desc(), studies.c.id)
        chosen = sa.select(*_SHOWN).where(open_volume, studies.c.on_disk != OnDisk.GONE.value)
        return self._entries(chosen.order_by(*order))

    def check(self, chosen: Sequence[int] | None = None) -> list[WorklistEntry]:
        """Look whether files have changed or gone since a study was added; all studies by default.

        Returns
        -------
        list of WorklistEntry
            Those whose :attr:`WorklistEntry.on_disk` is another than before.
        """
        with self._store.reading() as connection:
            numbers = chosen or connection.execute(sa.select(studies.c.id)).scalars().all()
            before = {number: _one(connection, number).on_disk for number in numbers}
            files = {number: _files(connection, number) for number in numbers}
        found = {number: _worst(map(compare_files, each)) for number, each in files.items()}
        changed = [number for number in numbers if found[number] is not before[number]]
        if not changed:
            return []
        with self._store.writing() as connection:
            for number in changed:
                key = key_of(connection, number)
                self._store.note(connection, f"files {found[number].value}", key)
                _set(connection, number, on_disk=found[number].value)
            return [_one(connection, number) for number in changed]

    def prioritise(self, study: int, priority: int) -> None:
        """Judge it before those of a lower priority; 0 is usual."""
        with self._store.writing() as connection:
            self._store.note(connection, "prioritised", key_of(connection, study), to=priority)
            _set(connection, study, priority=priority)

    def remove(self, study: int) -> None:
        """Take a study that nobody has read off the worklist; its files stay.

        Raises
        ------
        InputError
            If there is a verdict on it: what was read is kept.
        """
        with self._store.writing() as connection:
            key = key_of(connection, study)
            given = sa.select(verdicts.c.id).where(verdicts.c.study == study)
            if connection.execute(given).first():
                raise InputError(
                    tr(NAME), tr("The study was read: verdicts are kept."), tr("Filter it out.")
                )
            for table in (observations, findings, study_answers, annotation_table, volumes):
                connection.execute(table.delete().where(table.c.study == study))
            connection.execute(studies.delete().where(studies.c.id == study))
            self._store.note(connection, "removed", key)

    def _insert(self, connection: Connection, study: Study, key: str) -> int:
        secret = connection.execute(sa.select(meta.c.value).where(meta.c.name == "secret"))
        row = {
            "key": key,
            "uid": study.uid,
            "title": study.title,
            "patient_name": study.patient_name,
            "patient_id": study.patient_id,
            "pseudonym": make_pseudonym(str(secret.scalar_one()), study, key),
            "description": study.description,
            "modality": "/".join(sorted({one.modality for one in study.series if one.modality})),
            "date": study.date,
            "source": _source(study),
            "state": StudyState.NEW.value,
            "priority": 0,
            "on_disk": OnDisk.THERE.value,
            "added": current_time(),
        }
        words = (str(value) for name, value in row.items() if name in _SEARCHED)
        row["words"] = "\n".join(words).casefold()
        inserted = connection.execute(studies.insert().values(row)).inserted_primary_key
        assert inserted
        return int(inserted[0])

    def _entries(self, chosen: Select[Any]) -> list[WorklistEntry]:
        with self._store.reading() as connection:
            return [_entry(row) for row in connection.execute(chosen).all()]


_SEARCHED = ("title", "patient_name", "patient_id", "description", "modality", "date", "source")


def _described(study: Study) -> dict[str, str | float | None]:
    """Scanner and patient as the first series that says them does; None where none does."""
    known = [training_cohort.collect_facts(series.tags, None, (0, 0, 0)) for series in study.series]
    said = [one.numbers | one.words for one in known]
    return {
        key: next((one[key] for one in said if key in one), None)
        for key in ("vendor", "scanner", "sex", "field_strength", "age")
    }


def _source(study: Study) -> str:
    return str(Path(study.series[0].source).absolute())


def _conditions(query: WorklistQuery) -> list[ColumnElement[bool]]:
    words = query.text.casefold().split()
    found = [studies.c.words.contains(word, autoescape=True) for word in words]
    if query.states:
        found.append(studies.c.state.in_([state.value for state in query.states]))
    if query.classes:
        found.append(_CLASS.in_(query.classes))
    if query.since:
        found.append(studies.c.date >= query.since)
    if query.until:
        found.append(sa.and_(studies.c.date != "", studies.c.date <= query.until))
    return found


def _entry(row: Row[Any]) -> WorklistEntry:
    """Of the columns `_SHOWN`; a thousand of them must be no matter."""
    content: list[Any] = list(row)
    content[_STATE] = _STATES[content[_STATE]]
    content[_ON_DISK] = _PLACES[content[_ON_DISK]]
    return WorklistEntry(*content)


def _one(connection: Connection, study: int) -> WorklistEntry:
    key_of(connection, study)
    return _entry(connection.execute(sa.select(*_SHOWN).where(studies.c.id == study)).one())


def _set(connection: Connection, study: int, **values: Any) -> None:
    connection.execute(studies.update().where(studies.c.id == study).values(values))


def _files(
    connection: Connection, study: int, volume: str | None = None
) -> list[list[tuple[str, int, int]]]:
    chosen = sa.select(volumes.c.files).where(volumes.c.study == study).order_by(volumes.c.position)
    if volume is not None:
        chosen = chosen.where(volumes.c.key == volume)
    return [json.loads(document) for document in connection.execute(chosen).scalars()]


def _worst(states: Iterable[OnDisk]) -> OnDisk:
    found = set(states)
    return next((one for one in (OnDisk.GONE, OnDisk.CHANGED) if one in found), OnDisk.THERE)


def _keep_volumes(connection: Connection, study: int, found: list[VolumeFiles]) -> bool:
    """Note down the files of each volume; answers whether any is new or another than before.

    A part of a known series, opened alone, does not take the place of the whole.
    """
    query = sa.select(volumes).where(volumes.c.study == study)
    known = {row.key: row for row in connection.execute(query)}
    changed = False
    for volume in found:
        row = known.get(volume.key)
        if row is not None and _is_part(volume, json.loads(row.files)):
            continue
        values = {"judged": volume.judged, "stamp": volume.stamp, "files": volume.document}
        if row is None:
            values |= {"study": study, "key": volume.key, "position": len(known)}
            connection.execute(volumes.insert().values(values))
            known[volume.key] = connection.execute(query.where(volumes.c.key == volume.key)).one()
        else:
            where = (volumes.c.study == study, volumes.c.key == volume.key)
            connection.execute(volumes.update().where(*where).values(values))
        changed |= row is None or row.stamp != volume.stamp
    return changed


def _is_part(volume: VolumeFiles, known: list[tuple[str, int, int]]) -> bool:
    return len(volume.files) < len(known) and compare_files(known) is not OnDisk.GONE
