"""What models said: JSON and the figures to sort by; saliency maps only where they are small."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Connection, Row

from tumorviewer.analysis.finding import Finding, ModelIdentity
from tumorviewer.export.finding_json import finding_from_json, finding_to_json
from tumorviewer.export.saliency_file import pack_saliency, unpack_saliency
from tumorviewer.records.entries import FindingEntry
from tumorviewer.records.states import find_deciding, refresh_worklist
from tumorviewer.records.storage.tables import findings, observations, volumes
from tumorviewer.records.store import RecordStore, current_time, key_of
from tumorviewer.records.trail import guard_row
from tumorviewer.study.types import Volume

_SHOWN = [column for column in findings.c if column is not findings.c.saliency]


UNUSUAL_DOUBT = 0.75
"""Least doubt of an answer on what is unlike the training data."""


class Findings:
    """Keeps findings, several of one volume if several models were asked."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def add(
        self, study: int, volume: str, finding: Finding, pixels: Volume | None = None
    ) -> FindingEntry:
        """Keep an answer; the worklist then shows and sorts by it.

        Parameters
        ----------
        pixels
            What it is of, to say in words where in the head.
        """
        chosen = _chances(finding)
        values = {
            "predicted_class": finding.predicted_class,
            "tumour": chosen.get("tumour"),
            "doubt": chosen["doubt"],
            "margin": chosen["margin"],
            "document": json.dumps(_document(finding, pixels)),
            "saliency": finding.saliency and pack_saliency(finding.saliency),
        }
        return self._insert(study, volume, finding.model, values, _observed(finding))

    def refuse(self, study: int, volume: str, model: ModelIdentity, message: str) -> None:
        """Keep that a model cannot judge a volume, and why: it is not asked again."""
        self._insert(study, volume, model, {"document": json.dumps({"message": message})})

    def of(self, study: int) -> list[FindingEntry]:
        """The answers on a study, the last first."""
        answered = (findings.c.study == study, findings.c.predicted_class.is_not(None))
        query = sa.select(*_SHOWN).where(*answered).order_by(findings.c.id.desc())
        with self._store.reading() as connection:
            return [_entry(row) for row in connection.execute(query)]

    def current(self, study: int, volume: str, model_sha256: str) -> FindingEntry | str | None:
        """What a model says of a volume as its files are now: an answer, or why there is none.

        None if it was not asked since the files last changed.
        """
        query = (
            sa.select(*_SHOWN)
            .join(volumes, sa.and_(volumes.c.study == study, volumes.c.key == findings.c.volume))
            .where(
                findings.c.study == study,
                findings.c.volume == volume,
                findings.c.model_sha256 == model_sha256,
                findings.c.stamp == volumes.c.stamp,
            )
            .order_by(findings.c.id.desc())
        )
        with self._store.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        return _entry(row) if row.predicted_class else str(json.loads(row.document)["message"])

    def deciding(self, study: int) -> FindingEntry | None:
        """The answer that the worklist shows: of the model asked last, on the volume where a tumour
        is most probable."""
        with self._store.reading() as connection:
            chosen = find_deciding(connection, study)
            if chosen is None:
                return None
            query = sa.select(*_SHOWN).where(findings.c.id == chosen.id)
            return _entry(connection.execute(query).one())

    def finding(self, entry: FindingEntry) -> Finding:
        """The whole answer again; saliency is None where the maps were too large to keep."""
        query = sa.select(findings.c.saliency).where(findings.c.id == entry.id)
        with self._store.reading() as connection:
            packed = connection.execute(query).scalar()
        saliency = unpack_saliency(packed) if packed else None
        return finding_from_json(entry.document, entry.model, saliency)

    def _insert(
        self,
        study: int,
        volume: str,
        model: ModelIdentity,
        values: dict[str, Any],
        observed: dict[str, Any] | None = None,
    ) -> FindingEntry:
        values |= {
            "study": study,
            "volume": volume,
            "time": current_time(),
            "model_name": model.name,
            "model_version": model.version,
            "model_sha256": model.sha256,
        }
        with self._store.writing() as connection:
            key = key_of(connection, study)
            values["stamp"] = _stamp(connection, study, volume)
            inserted = connection.execute(findings.insert().values(values)).inserted_primary_key
            assert inserted
            number = int(inserted[0])
            sha256 = guard_row(connection, findings, number)
            self._store.note(
                connection, "answered", key, finding=number, sha256=sha256, model=model.sha256
            )
            if observed is not None:
                keys = {"finding": number, "study": study}
                connection.execute(observations.insert().values(keys | observed))
            refresh_worklist(connection, study)
            row = connection.execute(sa.select(*_SHOWN).where(findings.c.id == number)).one()
        return _entry(row)


def _stamp(connection: Connection, study: int, volume: str) -> str:
    query = sa.select(volumes.c.stamp).where(volumes.c.study == study, volumes.c.key == volume)
    return str(connection.execute(query).scalar() or "")


def _chances(finding: Finding) -> dict[str, float]:
    """Probability of a tumour if the model has a class for none, doubt and margin. Where no class
    is named the doubt is whole, and of what is not the model's kind nothing else is known."""
    shares = finding.probabilities
    positive = shares[shares > 0]
    entropy = float(-(positive * np.log(positive)).sum() / np.log(len(shares)))
    second, first = np.sort(shares)[-2:]
    chosen = {"doubt": min(max(entropy, 0.0), 1.0), "margin": float(first - second)}
    if finding.named_class is None:
        chosen["doubt"] = 1.0
    elif finding.ood is not None and finding.ood.level != "inside":
        chosen["doubt"] = max(chosen["doubt"], UNUSUAL_DOUBT)
    if finding.no_tumour is not None and not finding.is_outside:
        none = finding.classes.index(finding.no_tumour)
        chosen["tumour"] = float(np.delete(shares, none).sum())
    return chosen


def _observed(finding: Finding) -> dict[str, Any]:
    distance = finding.ood.distance if finding.ood else None
    inputs = {key: finding.inputs.get(key) for key in ("brightness", "contrast")}
    return {"named_class": finding.named_class, "distance": distance} | inputs


def _document(finding: Finding, pixels: Volume | None) -> dict[str, Any]:
    notes = finding.saliency.notes if finding.saliency else ()
    more = {"labels": finding.labels, "no_tumour": finding.no_tumour, "map_notes": notes}
    return finding_to_json(finding, pixels) | more


def _entry(row: Row[Any]) -> FindingEntry:
    document = json.loads(row.document)
    return FindingEntry(
        id=row.id,
        study=row.study,
        volume=row.volume,
        time=row.time,
        model=ModelIdentity(row.model_name, row.model_version, row.model_sha256),
        predicted_class=row.predicted_class,
        tumour=row.tumour,
        doubt=row.doubt,
        margin=row.margin,
        document=document,
    )
