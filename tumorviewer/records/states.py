"""What the worklist shows of a study, worked out from its findings and verdicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from tumorviewer.records.entries import StudyState, digest_json
from tumorviewer.records.storage.tables import findings, studies, study_answers, verdicts, volumes

_MUTED = 0.75
"""Least doubt of an answer that is not to be relied on."""
_SHOWN = ("volume", "predicted_class", "tumour", "doubt")


def refresh_worklist(connection: Connection, study: int) -> None:
    """Bring the columns of the worklist up to date with a new finding, answer or verdict."""
    finding, verdict = find_deciding(connection, study), find_current_verdict(connection, study)
    answer = find_latest_answer(connection, study)
    if answer is not None:
        shown, named = _show_answer(json.loads(answer.document))
    elif finding is not None:
        shown = {name: getattr(finding, name) for name in ("predicted_class", "tumour", "doubt")}
        named = find_named_classes(connection, finding.id)
    else:
        shown, named = dict.fromkeys(("predicted_class", "tumour", "doubt")), ()
    agreed = verdict_agrees(verdict.label, named) if verdict else None
    values = shown | {
        "verdict_class": verdict.label if verdict else None,
        "refused": _refused(connection, study),
        "disagrees": agreed is False,
        "state": _state(finding, verdict, agreed).value,
    }
    connection.execute(studies.update().where(studies.c.id == study).values(values))


def find_latest_answer(connection: Connection, study: int) -> Row[Any] | None:
    """The last answer for a study whose files have not changed since."""
    chosen = sa.select(study_answers).where(
        study_answers.c.study == study, study_answers.c.stamp == stamp_study(connection, study)
    )
    return connection.execute(chosen.order_by(study_answers.c.id.desc()).limit(1)).first()


def stamp_study(connection: Connection, study: int) -> str:
    """SHA-256 of the stamps of all volumes of a study: another one when any file has changed."""
    chosen = sa.select(volumes.c.key, volumes.c.stamp).where(volumes.c.study == study)
    return digest_json(sorted((row.key, row.stamp) for row in connection.execute(chosen)))


def _show_answer(document: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What the worklist shows of the answer for a study, and the classes that it names."""
    candidates, no_tumour = document["candidates"], document["no_tumour"]
    named: tuple[str, ...] = tuple(document["named_classes"])
    doubt, tumour = _MUTED if document["doubts"] else 0.0, None
    if document["answer"] == "kind":
        best = max(candidates[0]["probabilities"].values()) if candidates else 1.0
        tumour = candidates[0]["probability"] if candidates else 1.0
        doubt = max(doubt, 1.0 if len(named) > 1 else 1.0 - best)
    elif document["answer"] == "no_tumour":
        named, tumour = (no_tumour,) if no_tumour else (), 0.0
    else:
        doubt = 1.0
    first = named[0] if named else None
    return {"predicted_class": first, "tumour": tumour, "doubt": doubt}, named


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
