"""The trainer's processes as the window hears them: long ones followed, short ones asked."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from PySide6.QtCore import QObject, QProcess, QTimer, Signal

from tumorviewer.desktop.training import job as jobs
from tumorviewer.desktop.training.job import TrainerProcess
from tumorviewer.errors import InputError
from tumorviewer.language import tr

_EVERY_MS = 250
_PATIENCE_S = 15.0
"""How long a process may take to stop."""


class ProcessFollower(QObject):
    """Reads what a job says until it ends; the job goes on without it."""

    said = Signal(dict)
    """One line of the trainer's progress, a dictionary."""
    ended = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.job: TrainerProcess | None = None
        self._read = 0
        self._stop_by: float | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self._look)

    def follow(self, job: TrainerProcess | None) -> None:
        """Turn to another job; what it said before is said again."""
        self._timer.stop()
        self.job, self._read, self._stop_by = job, 0, None
        if job is None:
            return
        is_running = job.is_running()
        self._hear(job)
        if is_running:
            self._timer.start()

    def start(self, job: TrainerProcess, arguments: Sequence[str]) -> None:
        """Start a job and turn to it; `ended` follows, however quick it is.

        Raises
        ------
        InputError
            If it runs already, or cannot be started.
        """
        job.start(arguments)
        self.follow(None)
        self.job = job
        self._timer.start()

    @property
    def is_following(self) -> bool:
        """Whether the job was running when it was last looked at."""
        return self._timer.isActive()

    @property
    def is_stopping(self) -> bool:
        return self._stop_by is not None

    def stop(self) -> None:
        """Ask the job to end."""
        if self.job is not None and self.is_following:
            self.job.stop()
            self._stop_by = time.monotonic() + _PATIENCE_S

    def _look(self) -> None:
        job = self.job
        assert job is not None
        is_running = job.is_running()
        self._hear(job)
        if not is_running:
            self._timer.stop()
            self._stop_by = None
            self.ended.emit()
        elif self._stop_by is not None and time.monotonic() > self._stop_by:
            job.stop(at_once=True)

    def _hear(self, job: TrainerProcess) -> None:
        lines, self._read = job.said(self._read)
        for line in lines:
            if self.job is job:
                self.said.emit(line)


class TrainerQuery(QObject):
    """Asks the trainer something that it answers with one JSON object; the last question counts."""

    answered = Signal(object)
    refused = Signal(InputError)
    """An :class:`InputError`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None

    @property
    def is_asking(self) -> bool:
        return self._process is not None

    def ask(self, arguments: Sequence[str]) -> None:
        """One of `answered` and `refused` follows, unless something else is asked before."""
        self.close()
        process = self._process = QProcess(self)
        process.finished.connect(lambda: self._ended(process))
        process.errorOccurred.connect(lambda _: self._failed(process))
        program, *rest = [*jobs.make_trainer_command(), *arguments]
        process.start(program, rest)

    def close(self) -> None:
        """The answer is not wanted any more."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.waitForFinished(1000)
            process.deleteLater()

    def _failed(self, process: QProcess) -> None:
        if process is self._process and process.error() is QProcess.ProcessError.FailedToStart:
            self._process = None
            error = process.errorString()
            reason = tr("The trainer cannot be started: {error}.", error=error)
            self.refused.emit(InputError("trainer", reason))

    def _ended(self, process: QProcess) -> None:
        if process is not self._process:
            return
        self._process = None
        answer = bytes(process.readAllStandardOutput().data())
        words = bytes(process.readAllStandardError().data()).decode("utf-8", "replace")
        process.deleteLater()
        try:
            self.answered.emit(json.loads(answer))
        except ValueError:
            problem = jobs.find_refusal(words)
            self.refused.emit(problem or InputError("trainer", tr("The trainer gave no answer.")))
