"""What the records hold of the study that is read, and the verdict that is being written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from tumorviewer.desktop.services.records_executor import RecordsExecutor
from tumorviewer.errors import InputError
from tumorviewer.records import Verdict, WorklistEntry

if TYPE_CHECKING:
    from tumorviewer.records import Records


ANSWER_SHOWN = "answer shown"
"""Action in the audit trail: a reader has seen what the model says of a study."""


@dataclass(frozen=True)
class VerdictDraft:
    """A verdict that is not given yet."""

    label: str = ""
    confidence: float | None = None
    comment: str = ""
    corrects: int | None = None
    """The verdict that it will take the place of."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be lost with it."""
        return self == VerdictDraft()


@dataclass(frozen=True)
class StudyRecord:
    """A study as a reader finds it."""

    entry: WorklistEntry
    history: tuple[Verdict, ...]
    """All verdicts, the last first."""
    current: Verdict | None
    draft: VerdictDraft
    answer_seen: bool
    """Whether the model's answer was ever shown to a reader."""
    priors: tuple[WorklistEntry, ...]


def load_study_record(study: int, records: Records) -> StudyRecord:
    """Everything that is known of a study."""
    entry = records.worklist.get(study)
    kept = records.session.kept(_name(entry))
    return StudyRecord(
        entry=entry,
        history=tuple(records.verdicts.on_study(study)),
        current=records.verdicts.current(study),
        draft=VerdictDraft() if kept is None else _draft(kept),
        answer_seen=any(one.action == ANSWER_SHOWN for one in records.trail.entries(study)),
        priors=tuple(records.worklist.priors(study)),
    )


def save_draft(entry: WorklistEntry, draft: VerdictDraft, records: Records) -> None:
    """Keep what is being written, so that it comes back whatever happens."""
    if draft.is_empty:
        records.session.drop(_name(entry))
    else:
        records.session.keep(_name(entry), asdict(draft))


def give_verdict(
    entry: WorklistEntry,
    draft: VerdictDraft,
    signed: bool,
    before: bool,
    records: Records,
    reader: str,
) -> StudyRecord:
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
        reader=reader,
    )
    records.session.drop(_name(entry))
    return load_study_record(entry.id, records)


def sign_verdict(case: StudyRecord, reader: str, records: Records) -> StudyRecord:
    """Sign the verdict as it stands."""
    assert case.current is not None
    records.verdicts.sign(case.current, reader)
    return load_study_record(case.entry.id, records)


def _name(entry: WorklistEntry) -> str:
    return f"draft/{entry.key}"


def _draft(document: dict[str, Any]) -> VerdictDraft:
    return VerdictDraft(
        str(document.get("label", "")),
        document.get("confidence"),
        str(document.get("comment", "")),
        document.get("corrects"),
    )


_DRAFT_MS = 200


class VerdictController(QObject):
    """One case at a time; what was typed is kept as it is typed."""

    changed = Signal(StudyRecord)
    """The new :class:`StudyRecord`, or None while nothing is known."""
    given = Signal()
    """A verdict was written."""
    failed = Signal(InputError)
    """An :class:`InputError`: the verdict was not written."""

    def __init__(self, executor: RecordsExecutor, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._executor = executor
        self._entry: WorklistEntry | None = None
        self._answer_seen = False
        self._unsaved: VerdictDraft | None = None
        self._is_giving = False
        self._problem: InputError | None = None
        self.case: StudyRecord | None = None
        self.reader = ""
        """Who reads, as they named themselves; who is logged in if empty."""
        self.asks_first = False
        """Whether the verdict is asked for before the model's answer is shown."""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DRAFT_MS)
        self._timer.timeout.connect(self.save_draft)

    def turn_to(self, entry: WorklistEntry | None) -> None:
        """Read another study; None where it is not entered yet, or nothing is shown."""
        self.save_draft()
        if entry is not None and self._entry is not None and entry.id == self._entry.id:
            return
        self._entry, self.case, self._answer_seen = entry, None, False
        self._problem = None
        self.changed.emit(None)
        if entry is not None:
            load, take = partial(load_study_record, entry.id), partial(self._take, entry.id)
            self._executor.ask(load, take, partial(self._not_loaded, entry.id))

    @property
    def withholds(self) -> bool:
        """Whether the model's answer is kept back until the reader has given a verdict."""
        if not self.asks_first:
            return False
        return self.case is None or not (self.case.history or self.case.answer_seen)

    @property
    def problem(self) -> InputError | None:
        """Why no verdict can be written on what is shown; None if one can, or nobody knows yet."""
        return self._executor.problem or self._problem

    def look_again(self, study: int) -> None:
        """The worklist says something new of a study; what is being written stays."""
        if self.case is not None and self.case.entry.id == study:
            self._executor.ask(lambda records: records.worklist.get(study), self._renew)

    def see_answer(self) -> None:
        """The model's answer is on the screen."""
        self._answer_seen = True
        if self.case is not None and not self.case.answer_seen:
            self.case = replace(self.case, answer_seen=True)
            number = self.case.entry.id
            self._executor.ask(lambda records: records.trail.note(ANSWER_SHOWN, number))

    def write(self, draft: VerdictDraft) -> None:
        """What is typed now."""
        if self.case is not None:
            self.case = replace(self.case, draft=draft)
            self._unsaved = draft
            self._timer.start()

    def save_draft(self) -> None:
        """Keep what was typed since it was kept last."""
        self._timer.stop()
        draft, self._unsaved = self._unsaved, None
        if draft is not None and self.case is not None:
            entry = self.case.entry
            self._executor.ask(partial(save_draft, entry, draft), failed=self.failed.emit)

    def give(self, draft: VerdictDraft, signed: bool) -> None:
        """Write a verdict."""
        if self.case is not None:
            before = not (self.case.answer_seen or self._was_listed(self.case.entry))
            entry = self.case.entry
            self._write(partial(give_verdict, entry, draft, signed, before, reader=self.reader))

    def sign(self) -> None:
        """Sign the verdict as it stands."""
        if self.case is not None and self.case.current is not None:
            self._write(partial(sign_verdict, self.case, self.reader))

    def _renew(self, entry: WorklistEntry) -> None:
        if self.case is not None and self.case.entry.id == entry.id:
            self.case = replace(self.case, entry=entry)
            self.changed.emit(self.case)

    def _was_listed(self, entry: WorklistEntry) -> bool:
        """The worklist showed the answer already."""
        return not self.asks_first and entry.predicted_class is not None

    def _write(self, work: Callable[[Records], StudyRecord]) -> None:
        """Once: a second click while the first is being written does nothing."""
        if self._is_giving or self.case is None:
            return
        self._timer.stop()
        self._unsaved, self._is_giving = None, True
        self._executor.ask(work, partial(self._given, self.case.entry.id), self._not_given)

    def _given(self, study: int, found: StudyRecord) -> None:
        self._is_giving = False
        self.given.emit()
        self._take(study, found)

    def _not_given(self, error: InputError) -> None:
        self._is_giving = False
        self.failed.emit(error)

    def _not_loaded(self, study: int, error: InputError) -> None:
        if self._entry is not None and self._entry.id == study:
            self._problem = error
            self.changed.emit(None)

    def _take(self, study: int, found: StudyRecord) -> None:
        if self._entry is None or self._entry.id != study:
            return
        self.case = found
        self.changed.emit(found)
        if self._answer_seen:
            self.see_answer()
