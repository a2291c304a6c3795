"""Enters what is opened on the worklist, and knows which entry an open study has."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from tumorviewer.desktop.clerk import Clerk
from tumorviewer.records import StudyEntry
from tumorviewer.study.types import Study

if TYPE_CHECKING:
    from tumorviewer.records import Records


class Register(QObject):
    """Open studies by their entries on the worklist."""

    entered = Signal(object, object)
    """A :class:`Study` and its :class:`StudyEntry`."""

    def __init__(self, clerk: Clerk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._clerk = clerk
        self._open: dict[int, Study] = {}
        self._entries: dict[int, StudyEntry] = {}

    def keep(self, studies: Sequence[Study]) -> None:
        """These are open now: enter the new ones and forget the others."""
        known, self._open = self._open, {id(study): study for study in studies}
        self._entries = {key: each for key, each in self._entries.items() if key in self._open}
        for key, study in self._open.items():
            if key not in known:
                self._clerk.ask(partial(_enter, study), partial(self._entered, study))

    def entry(self, study: Study | None) -> StudyEntry | None:
        """The entry of an open study; None until it is entered."""
        return None if study is None else self._entries.get(id(study))

    def study(self, entry: StudyEntry) -> Study | None:
        """The open study of an entry, if it is open."""
        return next(
            (self._open[key] for key, each in self._entries.items() if each.id == entry.id), None
        )

    def entries(self) -> list[StudyEntry]:
        """Of all open studies that are entered, in the order of opening."""
        return [self._entries[key] for key in self._open if key in self._entries]

    def note_export(self, study: Study, what: str) -> None:
        """Something of an open study has left the window: for the audit trail."""
        entry = self.entry(study)
        if entry is not None:
            self._clerk.ask(lambda records: records.trail.note("exported", entry.id, what=what))

    def refresh(self, entry: StudyEntry) -> None:
        """An entry has changed."""
        for key, known in self._entries.items():
            if known.id == entry.id:
                self._entries[key] = entry

    def _entered(self, study: Study, entry: StudyEntry) -> None:
        if id(study) in self._open:
            self._entries[id(study)] = entry
            self.entered.emit(study, entry)


def _enter(study: Study, records: Records) -> StudyEntry:
    entry = records.worklist.add(study)
    records.trail.note("opened", entry.id)
    return entry
