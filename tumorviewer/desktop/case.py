"""What the records hold of one study beside its pixels, and the verdict that is being written."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tumorviewer.records import Verdict, WorklistEntry

if TYPE_CHECKING:
    from tumorviewer.records import Records

SHOWN = "answer shown"
"""Action in the audit trail: a reader has seen what the model says of a study."""


@dataclass(frozen=True)
class Draft:
    """A verdict that is not given yet."""

    label: str = ""
    confidence: float | None = None
    comment: str = ""
    corrects: int | None = None
    """The verdict that it will take the place of."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be lost with it."""
        return self == Draft()


@dataclass(frozen=True)
class Case:
    """A study as a reader finds it."""

    entry: WorklistEntry
    history: tuple[Verdict, ...]
    """All verdicts, the last first."""
    current: Verdict | None
    draft: Draft
    answer_seen: bool
    """Whether the model's answer was ever shown to a reader."""
    priors: tuple[WorklistEntry, ...]


def load(study: int, records: Records) -> Case:
    """Everything that is known of a study."""
    entry = records.worklist.get(study)
    kept = records.session.kept(_name(entry))
    return Case(
        entry=entry,
        history=tuple(records.verdicts.of(study)),
        current=records.verdicts.current(study),
        draft=Draft() if kept is None else _draft(kept),
        answer_seen=any(one.action == SHOWN for one in records.trail.entries(study)),
        priors=tuple(records.worklist.priors(study)),
    )


def keep_draft(entry: WorklistEntry, draft: Draft, records: Records) -> None:
    """Keep what is being written, so that it comes back whatever happens."""
    if draft.is_empty:
        records.session.drop(_name(entry))
    else:
        records.session.keep(_name(entry), asdict(draft))


def give(entry: WorklistEntry, draft: Draft, signed: bool, before: bool, records: Records) -> Case:
    """Write a verdict; its draft is done with."""
    finding = None if before else records.findings.deciding(entry.id)
    records.verdicts.give(
        entry.id,
        draft.label,
        before_answer=before,
        confidence=draft.confidence,
        comment=draft.comment.strip(),
        signed=signed,
        corrects=draft.corrects,
        finding=finding.id if finding else None,
    )
    records.session.drop(_name(entry))
    return load(entry.id, records)


def sign(case: Case, records: Records) -> Case:
    """Sign the verdict as it stands."""
    assert case.current is not None
    records.verdicts.sign(case.current)
    return load(case.entry.id, records)


def _name(entry: WorklistEntry) -> str:
    return f"draft/{entry.key}"


def _draft(document: dict[str, Any]) -> Draft:
    return Draft(
        str(document.get("label", "")),
        document.get("confidence"),
        str(document.get("comment", "")),
        document.get("corrects"),
    )
