"""The annotations of one study, and how each change is undone."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from tumorviewer.records import Annotation
from tumorviewer.records.identity import volume_key
from tumorviewer.study.types import Study, Volume


class StudyAnnotations(QObject):
    """Annotations by their ids, in the order in which they were made."""

    changed = Signal()
    moved = Signal(Annotation, Annotation)
    """One is shown where it would be: the :class:`Annotation` as shown before, and now."""
    saved = Signal(Annotation)
    """A :class:`Annotation` is new or another."""
    removed = Signal(str)
    """The id of an annotation that is gone."""

    def __init__(self, study: Study, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.study = study
        self.undo_stack = QUndoStack(self)
        self.selected: str | None = None
        self._by_id: dict[str, Annotation] = {}
        self._preview: Annotation | None = None

    def all(self) -> list[Annotation]:
        """As they are to be seen: one that is being dragged, where it is by now."""
        preview = self._preview
        return [
            preview if preview is not None and annotation.id == preview.id else annotation
            for annotation in self._by_id.values()
        ]

    def get(self, identifier: str | None) -> Annotation | None:
        return None if identifier is None else self._by_id.get(identifier)

    def key_of(self, volume: Volume | None) -> str | None:
        """Name of a loaded volume within the study, as :func:`volume_key`; None if it is not of
        this study."""
        for series in self.study.series:
            for source in series.volumes:
                if volume is not None and _is_of(volume, series.uid, source.label):
                    return volume_key(series, source)
        return None

    def load(self, listed: Iterable[Annotation]) -> None:
        """Bring back annotations that were kept; what was drawn meanwhile stays."""
        kept = sorted(listed, key=lambda annotation: str(annotation.values.get("made", "")))
        self._by_id = {annotation.id: annotation for annotation in kept} | self._by_id
        self.changed.emit()

    def add(self, annotation: Annotation, text: str) -> None:
        """Take in an annotation and select it; ``text`` names what is undone."""
        self.selected = annotation.id
        self.undo_stack.push(_Put(self, annotation.id, None, annotation, text))

    def change(self, annotation: Annotation, text: str) -> None:
        """Put an annotation in place of the one of its id."""
        self._preview = None
        if annotation != self._by_id[annotation.id]:
            self.undo_stack.push(
                _Put(self, annotation.id, self._by_id[annotation.id], annotation, text)
            )

    def delete(self, identifier: str, text: str) -> None:
        self.undo_stack.push(_Put(self, identifier, self._by_id[identifier], None, text))

    def preview(self, annotation: Annotation | None) -> None:
        """Show an annotation as it would be; None as it is."""
        before, self._preview = self._preview, annotation
        if annotation is None:
            self.changed.emit()
        else:
            self.moved.emit(before or self._by_id[annotation.id], annotation)

    def select(self, identifier: str | None) -> None:
        if identifier != self.selected:
            self.selected = identifier
            self.changed.emit()

    def put(self, identifier: str, annotation: Annotation | None) -> None:
        """Without a way back: for the undo stack."""
        if annotation is None:
            del self._by_id[identifier]
            if self.selected == identifier:
                self.selected = None
            self.removed.emit(identifier)
        else:
            self._by_id[identifier] = annotation
            self.saved.emit(annotation)
        self.changed.emit()


class _Put(QUndoCommand):
    def __init__(
        self,
        annotations: StudyAnnotations,
        identifier: str,
        before: Annotation | None,
        after: Annotation | None,
        text: str,
    ) -> None:
        super().__init__(text)
        self._annotations, self._id = annotations, identifier
        self._before, self._after = before, after

    def redo(self) -> None:
        self._annotations.put(self._id, self._after)

    def undo(self) -> None:
        self._annotations.put(self._id, self._before)


def _is_of(volume: Volume, uid: str | None, label: str) -> bool:
    return volume.series_instance_uid == uid and volume.label == label
