"""What the worklist shows of a study, worked out from its findings and verdicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from tumorviewer.records.entries import StudyState
from tumorviewer.records.tables import findings, studies, verdicts

_SHOWN = ("volume", "predicted_class", "tumour", "doubt")


def refresh_worklist(connection: Connection, study: int) -> None:
    """Bring the columns of the worklist up to date with a new finding or verdict."""
    finding, verdict = find_deciding(connection, study), find_current_verdict(connection, study)
    agreed = (
        verdict_agrees(verdict.label, find_named_classes(connection, finding.id))
        if finding and verdict
        else None
    )
    values = {
        "predicted_class": finding.predicted_class if finding else None,
        "tumour": finding.tumour if finding else None,
        "doubt": finding.doubt if finding else None,
        "verdict_class": verdict.label if verdict else None,
        "refused": _refused(connection, study),
        "disagrees": agreed is False,
        "state": _state(finding, verdict, agreed).value,
    }
    connection.execute(studies.update().where(studies.c.id == study).values(values))


def find_named_classes(connection: Connection, finding: int) -> tuple[str, ...]:
    """The classes that the reader of a finding is shown as its answer: the one that it names, or
    those that it leaves open; none where that rules nothing out, or it is not the model's kind."""
    chosen = sa.select(findings.c.predicted_class, findings.c.document)
    answer = connection.execute(chosen.where(findings.c.id == finding)).one()
    document = json.loads(answer.document)
    named = document.get("named_class", answer.predicted_class)  # earlier answers always did
    if named is not None:
        return (named,)
    is_outside = (document.get("kind") or {}).get("level") == "outside"
    return () if is_outside else tuple(document.get("candidates", ()))


def verdict_agrees(verdict: str, said: Sequence[str]) -> bool | None:
    """Whether a verdict is among the classes that a model named; None if it named none, so that
    there is nothing to agree with."""
    return verdict in said if said else None


def find_current_verdict(connection: Connection, study: int) -> Row[Any] | None:
    """The last verdict that none corrects."""
    correction = verdicts.alias()
    corrected = sa.exists().where(correction.c.corrects == verdicts.c.id)
    query = sa.select(verdicts).where(verdicts.c.study == study, sa.not_(corrected))
    return connection.execute(query.order_by(verdicts.c.id.desc()).limit(1)).first()


def find_deciding(connection: Connection, study: int) -> Row[Any] | None:
    """Among the volumes, as the model asked last judged them, the one most like a tumour."""
    judged = (findings.c.study == study, findings.c.predicted_class.is_not(None))
    latest_first = findings.c.id.desc()
    model = sa.select(findings.c.model_sha256).where(*judged).order_by(latest_first).limit(1)
    shown = (findings.c.id, *(findings.c[name] for name in _SHOWN))
    query = sa.select(*shown).where(*judged, findings.c.model_sha256 == model.scalar_subquery())
    of_volume: dict[str, Any] = {}
    for row in connection.execute(query.order_by(latest_first)):
        of_volume.setdefault(row.volume, row)
    return max(of_volume.values(), key=_telling, default=None)


def _refused(connection: Connection, study: int) -> str:
    """The reasons of those volumes that got no answer when they were asked about last."""
    asked = sa.select(findings.c.volume, findings.c.predicted_class, findings.c.document)
    latest_first = asked.where(findings.c.study == study).order_by(findings.c.id.desc())
    of_volume: dict[str, Any] = {}
    for row in connection.execute(latest_first):
        of_volume.setdefault(row.volume, row)
    refused = [row for row in of_volume.values() if row.predicted_class is None]
    return "\n".join(dict.fromkeys(str(json.loads(row.document)["message"]) for row in refused))


def _telling(row: Row[Any]) -> float:
    return float(1 - row.doubt if row.tumour is None else row.tumour)


def _state(finding: Row[Any] | None, verdict: Row[Any] | None, agreed: bool | None) -> StudyState:
    if verdict is None:
        return StudyState.ANALYSED if finding else StudyState.NEW
    if verdict.signed:
        return StudyState.SIGNED
    return StudyState.DISAGREES if agreed is False else StudyState.READ
