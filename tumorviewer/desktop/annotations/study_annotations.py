"""The marks of one study, and how each change is undone."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from tumorviewer.records import Annotation
from tumorviewer.records.identity import volume_key
from tumorviewer.study.types import Study, Volume


class StudyAnnotations(QObject):
    """Marks by their ids, in the order in which they were made."""

    changed = Signal()
    moved = Signal(Annotation, Annotation)
    """A mark is shown where it would be: the :class:`Annotation` as shown before, and now."""
    saved = Signal(Annotation)
    """A :class:`Annotation` is new or another."""
    removed = Signal(str)
    """The id of a mark that is gone."""

    def __init__(self, study: Study, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.study = study
        self.undo_stack = QUndoStack(self)
        self.selected: str | None = None
        self._marks: dict[str, Annotation] = {}
        self._preview: Annotation | None = None

    def marks(self) -> list[Annotation]:
        """As they are to be seen: one that is being dragged, where it is by now."""
        preview = self._preview
        return [
            preview if preview is not None and mark.id == preview.id else mark
            for mark in self._marks.values()
        ]

    def get(self, identifier: str | None) -> Annotation | None:
        return None if identifier is None else self._marks.get(identifier)

    def key_of(self, volume: Volume | None) -> str | None:
        """Name of a loaded volume within the study, as :func:`volume_key`; None if it is not of
        this study."""
        for series in self.study.series:
            for source in series.volumes:
                if volume is not None and _is_of(volume, series.uid, source.label):
                    return volume_key(series, source)
        return None

    def load(self, marks: Iterable[Annotation]) -> None:
        """Bring back marks that were kept; what was drawn meanwhile stays."""
        kept = sorted(marks, key=lambda mark: str(mark.values.get("made", "")))
        self._marks = {mark.id: mark for mark in kept} | self._marks
        self.changed.emit()

    def add(self, mark: Annotation, text: str) -> None:
        """Take in a mark and select it; ``text`` names what is undone."""
        self.selected = mark.id
        self.undo_stack.push(_Put(self, mark.id, None, mark, text))

    def change(self, mark: Annotation, text: str) -> None:
        """Put a mark in place of the one of its id."""
        self._preview = None
        if mark != self._marks[mark.id]:
            self.undo_stack.push(_Put(self, mark.id, self._marks[mark.id], mark, text))

    def delete(self, identifier: str, text: str) -> None:
        self.undo_stack.push(_Put(self, identifier, self._marks[identifier], None, text))

    def preview(self, mark: Annotation | None) -> None:
        """Show a mark as it would be; None as it is."""
        before, self._preview = self._preview, mark
        if mark is None:
            self.changed.emit()
        else:
            self.moved.emit(before or self._marks[mark.id], mark)

    def select(self, identifier: str | None) -> None:
        if identifier != self.selected:
            self.selected = identifier
            self.changed.emit()

    def put(self, identifier: str, mark: Annotation | None) -> None:
        """Without a way back: for the undo stack."""
        if mark is None:
            del self._marks[identifier]
            if self.selected == identifier:
                self.selected = None
            self.removed.emit(identifier)
        else:
            self._marks[identifier] = mark
            self.saved.emit(mark)
        self.changed.emit()


class _Put(QUndoCommand):
    def __init__(
        self,
        book: StudyAnnotations,
        identifier: str,
        before: Annotation | None,
        after: Annotation | None,
        text: str,
    ) -> None:
        super().__init__(text)
        self._book, self._id = book, identifier
        self._before, self._after = before, after

    def redo(self) -> None:
        self._book.put(self._id, self._after)

    def undo(self) -> None:
        self._book.put(self._id, self._before)


def _is_of(volume: Volume, uid: str | None, label: str) -> bool:
    return volume.series_instance_uid == uid and volume.label == label
