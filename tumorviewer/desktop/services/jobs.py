"""Work off the GUI thread: plain functions go in, results come back on the GUI thread."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from PySide6.QtCore import QObject, QThreadPool, Signal, Slot

from tumorviewer.errors import Cancelled, InputError
from tumorviewer.language import tr

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Executor(Protocol):
    """Where work runs; tests bring one that runs it when they say so."""

    def start(self, work: Callable[[], None], /) -> None:
        """Run `work` some time, off the caller's stack."""
        ...

    def wait(self, milliseconds: int, /) -> bool:
        """Wait for what runs; False if it is still running afterwards."""
        ...


class SingleThreadExecutor:
    """Runs work in a thread of its own, one piece after another."""

    def __init__(self) -> None:
        self._pool = QThreadPool()
        self._pool.setMaxThreadCount(1)

    def start(self, work: Callable[[], None], /) -> None:
        self._pool.start(work)

    def wait(self, milliseconds: int, /) -> bool:
        return self._pool.waitForDone(milliseconds)


class BackgroundJob:
    """One piece of work that was asked for; once cancelled, nothing of it is delivered."""

    def __init__(self, deliver: Callable[[Callable[[], object]], None]) -> None:
        self._cancelled = threading.Event()
        self._deliver = deliver

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def cancel(self) -> None:
        self._cancelled.set()

    def check(self) -> None:
        """Called by the work now and then: raises Cancelled once the job is cancelled."""
        if self.cancelled:
            raise Cancelled

    def tell(self, receiver: Callable[..., object], *arguments: Any) -> None:
        """Called by the work: calls `receiver` on the GUI thread, unless cancelled by then."""
        self._deliver(lambda: None if self.cancelled else receiver(*arguments))


class JobQueue(QObject):
    """A queue of jobs.

    Parameters
    ----------
    executor
        Where the work runs; one thread of its own by default.
    """

    _arrived = Signal(object)

    def __init__(self, executor: Executor | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._executor = executor or SingleThreadExecutor()
        self._waiting: list[BackgroundJob] = []
        self._arrived.connect(self._call)

    def start(
        self,
        work: Callable[[BackgroundJob], T],
        done: Callable[[T], object],
        failed: Callable[[InputError], object],
    ) -> BackgroundJob:
        """Queue `work`; exactly one of `done` and `failed` follows, unless it is cancelled."""
        job = BackgroundJob(self._send)
        self._waiting.append(job)
        self._executor.start(lambda: self._run(job, work, done, failed))
        return job

    @property
    def is_busy(self) -> bool:
        """Whether some job has neither ended nor been cancelled."""
        return any(not job.cancelled for job in self._waiting)

    def cancel(self) -> None:
        """Cancel everything that runs or waits."""
        for job in self._waiting:
            job.cancel()

    def close(self, milliseconds: int = 500) -> bool:
        """Cancel everything and wait; False if a piece of work does not end in time."""
        self.cancel()
        return self._executor.wait(milliseconds)

    @Slot(object)
    def _call(self, delivered: Callable[[], object]) -> None:
        delivered()

    def _run(
        self,
        job: BackgroundJob,
        work: Callable[[BackgroundJob], T],
        done: Callable[[T], object],
        failed: Callable[[InputError], object],
    ) -> None:
        try:
            job.check()
            result = work(job)
        except Cancelled:
            job.cancel()
            self._end(job)
        except InputError as error:
            self._end(job, failed, error)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the window says so
            _log_failure(error)
            self._end(job, failed, _unexpected(error))
        else:
            self._end(job, done, result)

    def _end(self, job: BackgroundJob, *delivery: Any) -> None:
        self._send(lambda: self._waiting.remove(job))
        if delivery:
            job.tell(*delivery)

    def _send(self, call: Callable[[], object]) -> None:
        """To the GUI thread; to nobody once the window is gone, which waits for a moment only."""
        with suppress(RuntimeError):  # the signal's source has been deleted
            self._arrived.emit(call)


def _unexpected(error: Exception) -> InputError:
    if isinstance(error, MemoryError):
        return InputError(
            "", tr("There is not enough memory."), tr("Close other programs or studies.")
        )
    reason = tr("Something went wrong that should not ({name}).", name=type(error).__name__)
    return InputError("", reason, tr("Please report it; the log says where it happened."))


def _log_failure(error: Exception) -> None:
    """Kind and place only: the message of an error may name a patient."""
    places = traceback.extract_tb(error.__traceback__)
    trace = " < ".join(f"{place.name}:{place.lineno}" for place in reversed(places))
    _log.error("%s at %s", type(error).__name__, trace)
