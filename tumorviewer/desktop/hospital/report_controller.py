"""Makes the report of what is read, in the background: its pages, and its documents as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from tumorviewer.desktop.hospital.report_subject import (
    ReportSubject,
    find_subject,
    gather_content,
    name_report,
)
from tumorviewer.desktop.services.jobs import BackgroundJob, JobQueue
from tumorviewer.desktop.services.reading import Reading, Shown
from tumorviewer.desktop.services.records_executor import RecordsExecutor
from tumorviewer.desktop.services.register import StudyRegister
from tumorviewer.desktop.services.study_answer_controller import StudyAnswerController
from tumorviewer.desktop.services.verdict_controller import VerdictController
from tumorviewer.errors import InputError
from tumorviewer.language import tr

if TYPE_CHECKING:
    from PySide6.QtGui import QImage

    from tumorviewer.records import Records
    from tumorviewer.reports.content import ReportContent
    from tumorviewer.reports.writing import WrittenReport


class ReportController(QObject):
    """One report at a time.

    Parameters
    ----------
    answers
        Says what is answered for the study; the series that it was read from is reported on.
    """

    waiting = Signal(str)
    """What the report waits for, in words."""
    drawn = Signal(object, list)
    """The content of the report, and its pages as images."""
    progressed = Signal(str, int, int)
    """The format that is being made, how many are done, and how many there are."""
    written = Signal(object, object)
    """The :class:`tumorviewer.reports.writing.WrittenReport` and its folder."""
    failed = Signal(InputError)

    def __init__(
        self,
        reading: Reading,
        answers: StudyAnswerController,
        executor: RecordsExecutor,
        register: StudyRegister,
        verdicts: VerdictController,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._reading, self._answers = reading, answers
        self._executor, self._register, self._verdicts = executor, register, verdicts
        self._jobs = JobQueue(parent=self)
        self._is_waiting = False
        self._content: ReportContent | None = None
        self._shown: Shown | None = None
        """What the drawn report is about."""
        reading.inference.changed.connect(lambda _: self._try())
        answers.changed.connect(lambda _: self._try())
        reading.shown_changed.connect(lambda _: self._try())

    def draw(self) -> None:
        """Draw the pages as soon as there is an answer; `drawn` or `failed` follows."""
        self.cancel()
        self._content, self._is_waiting = None, True
        self._show_read_series()
        self._try()

    def write(self, folder: Path, formats: Sequence[str]) -> None:
        """Write documents of the report that was drawn; `written` or `failed` follows."""
        if self._content is not None and self._shown is not None:
            stem = name_report(self._shown)
            tell = self.progressed.emit
            work = partial(_write, self._content, folder, stem, tuple(formats), tell)
            done = partial(self._written, folder)
            self._jobs.start(work, done, self.failed.emit)

    def cancel(self) -> None:
        """Give up what is being made."""
        self._is_waiting = False
        self._jobs.cancel()

    def close(self) -> bool:
        """End all work; False if it does not end in time."""
        return self._jobs.close()

    def _show_read_series(self) -> None:
        """Turn to the series that the study's answer was read from."""
        read, shown = self._answers.read, self._reading.shown
        if read is not None and shown is not None and shown.source is not read.volume:
            self._reading.show_series(read.series, read.series.volumes.index(read.volume))

    def _try(self) -> None:
        if not self._is_waiting:
            return
        try:
            self._check_allowed()
            subject = find_subject(self._reading, self._answers)
        except InputError as error:
            self._is_waiting = False
            self.failed.emit(error)
            return
        if subject is None:
            self.waiting.emit(tr("Waiting for the model's answer…"))
            return
        self._is_waiting, self._shown = False, subject.shown
        self.waiting.emit(tr("Drawing the report…"))
        start = partial(self._start, subject)
        self._executor.ask(lambda records: records, start, self.failed.emit)

    def _check_allowed(self) -> None:
        if self._executor.problem is not None:
            raise self._executor.problem
        if self._verdicts.withholds:
            reason = tr("The model's answer is shown after your verdict.")
            raise InputError("", reason, tr("Write your verdict first."))

    def _start(self, subject: ReportSubject, records: Records) -> None:
        self._jobs.start(lambda job: _draw(subject, records, job), self._drawn, self.failed.emit)

    def _drawn(self, drawn: tuple[ReportContent, list[QImage]]) -> None:
        self._content, pages = drawn
        self.drawn.emit(self._content, pages)

    def _written(self, folder: Path, written: WrittenReport) -> None:
        if self._shown is not None:
            self._register.note_export(self._shown.study, ", ".join(("report", *written.files)))
        self.written.emit(written, folder)


def _draw(
    subject: ReportSubject, records: Records, job: BackgroundJob
) -> tuple[ReportContent, list[QImage]]:
    from tumorviewer.reports.pdf import draw_pages

    content = gather_content(subject, records)
    job.check()
    return content, draw_pages(content)


def _write(
    content: ReportContent,
    folder: Path,
    stem: str,
    formats: tuple[str, ...],
    tell: Callable[[str, int, int], object],
    job: BackgroundJob,
) -> WrittenReport:
    from tumorviewer.reports.writing import write_report

    def progress(kind: str) -> None:
        job.check()
        job.tell(tell, kind, formats.index(kind), len(formats))

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return write_report(content, folder, stem, formats, progress)
