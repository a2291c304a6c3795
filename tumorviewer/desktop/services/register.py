"""Enters what is opened on the worklist, and knows which entry an open study has."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from tumorviewer.desktop.services.library import Library, identify_subject
from tumorviewer.desktop.services.records_executor import RecordsExecutor
from tumorviewer.records import WorklistEntry
from tumorviewer.study.types import Study

if TYPE_CHECKING:
    from tumorviewer.records import Records


class StudyRegister(QObject):
    """Open studies by their entries on the worklist."""

    entered = Signal(Study, WorklistEntry)
    """A :class:`Study` and its :class:`WorklistEntry`."""

    def __init__(self, executor: RecordsExecutor, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._executor = executor
        self._open: dict[int, Study] = {}
        self._entries: dict[int, WorklistEntry] = {}

    def keep(self, library: Library) -> None:
        """These are open now: enter what is new, or another than it was, and forget the others."""
        known, self._open = self._open, {id(study): study for study in library.studies}
        entries = {identify_subject(known[key]): entry for key, entry in self._entries.items()}
        self._entries = {
            key: entries[identify_subject(study)]
            for key, study in self._open.items()
            if identify_subject(study) in entries
        }
        for key, study in self._open.items():
            if key not in known:
                work = partial(_enter, library.there(study), self._entries.get(key))
                self._executor.ask(work, partial(self._entered, study))

    def entry(self, study: Study | None) -> WorklistEntry | None:
        """The entry of an open study; None until it is entered."""
        return None if study is None else self._entries.get(id(study))

    def study(self, entry: WorklistEntry) -> Study | None:
        """The open study of an entry, if it is open."""
        return next(
            (self._open[key] for key, each in self._entries.items() if each.id == entry.id), None
        )

    def entries(self) -> list[WorklistEntry]:
        """The entries of all open studies that are entered, in the order of opening."""
        return [self._entries[key] for key in self._open if key in self._entries]

    def note_export(self, study: Study, what: str) -> None:
        """Something of an open study has left the window: for the audit trail."""
        entry = self.entry(study)
        if entry is not None:
            self._executor.ask(lambda records: records.trail.note("exported", entry.id, what=what))

    def refresh(self, entry: WorklistEntry) -> None:
        """An entry has changed."""
        for key, known in self._entries.items():
            if known.id == entry.id:
                self._entries[key] = entry

    def _entered(self, study: Study, entry: WorklistEntry | None) -> None:
        if entry is not None and id(study) in self._open:
            self._entries[id(study)] = entry
            self.entered.emit(study, entry)


def _enter(study: Study, entry: WorklistEntry | None, records: Records) -> WorklistEntry | None:
    """The entry as it is now; of a study that is gone altogether, the one that it had."""
    if study.series:
        entry = records.worklist.add(study)
        records.trail.note("opened", entry.id)
    elif entry is not None:
        records.worklist.check([entry.id])
    return entry and records.worklist.get(entry.id)
