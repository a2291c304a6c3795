"""Keeps the annotations of a study in the records, change by change."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from tumorviewer.desktop.annotations.study_annotations import StudyAnnotations
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.records import Annotation

if TYPE_CHECKING:
    from tumorviewer.desktop.services.records_executor import RecordsExecutor
    from tumorviewer.records import Records

_RETRY_MS = 10_000


class AnnotationWriter(QObject):
    """Brings back what was kept, and tells the records of every change until they have it.

    Parameters
    ----------
    study
        Number of the study on the worklist.
    """

    troubled = Signal(str)
    """Why annotations are not kept; empty once they are."""

    def __init__(
        self, annotations: StudyAnnotations, executor: RecordsExecutor, study: int
    ) -> None:
        super().__init__(annotations)
        self._executor, self._study = executor, study
        self._wanted: dict[str, Annotation | None] = {}
        self._retry = QTimer(self)
        self._retry.setSingleShot(True)
        self._retry.setInterval(_RETRY_MS)
        self._retry.timeout.connect(self._write_again)
        executor.ask(lambda records: records.annotations.on_study(study), annotations.load)
        for annotation in annotations.all():
            self._write(annotation.id, annotation)
        annotations.saved.connect(lambda annotation: self._write(annotation.id, annotation))
        annotations.removed.connect(lambda identifier: self._write(identifier, None))

    def _write(self, identifier: str, annotation: Annotation | None) -> None:
        self._wanted[identifier] = annotation
        work = partial(_keep, self._study, identifier, annotation)
        self._executor.ask(work, lambda _: self._kept(identifier, annotation), self._failed)

    def _write_again(self) -> None:
        for identifier, annotation in list(self._wanted.items()):
            self._write(identifier, annotation)

    def _kept(self, identifier: str, annotation: Annotation | None) -> None:
        if self._wanted.get(identifier) is annotation:
            self._wanted.pop(identifier, None)
        if not self._wanted:
            self.troubled.emit("")

    def _failed(self, error: InputError) -> None:
        self.troubled.emit(tr("Not kept yet: {message}", message=error.message))
        self._retry.start()


def _keep(study: int, identifier: str, annotation: Annotation | None, records: Records) -> None:
    if annotation is None:
        records.annotations.remove(study, identifier)
    else:
        records.annotations.save(study, annotation)
