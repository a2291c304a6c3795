"""One worker process, and this side's ends of the pipes to it. No torch, no Qt."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection

from tumorviewer.analysis.messages import Event, Task
from tumorviewer.language import tr
from tumorviewer.models import Preprocessing
from tumorviewer.study.types import Volume

_TO_BE_GONE_S = 5.0


class WorkerProcess:
    """A worker from its start to its end; a thread listens to it."""

    def __init__(
        self,
        serve: Callable[[Connection, Connection], object],
        on_event: Callable[[Event], None],
        on_end: Callable[[WorkerProcess, str], None],
    ) -> None:
        """Start the process; it tells ``Ready`` when it has imported everything.

        Parameters
        ----------
        serve
            :func:`tumorviewer.analysis.worker.main`, which runs in the other process.
        on_event
            Called on the listening thread with all that the worker tells.
        on_end
            Called there last, with the reason in words; empty after :meth:`end`.
        """
        spawn = multiprocessing.get_context("spawn")
        self._tasks, tasks = spawn.Pipe()
        cancellations, self._cancellations = spawn.Pipe(duplex=False)
        self._process = spawn.Process(
            target=serve, args=(tasks, cancellations), name="analysis", daemon=True
        )
        with _interrupts_blocked():
            self._process.start()
        tasks.close()
        cancellations.close()
        self._on_event = on_event
        self._on_end = on_end
        self._held: tuple[weakref.ref[Volume], Preprocessing] | None = None
        self._is_ended = False
        self._listener = threading.Thread(target=self._listen, name="analysis-reader", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int | None:
        """Of the worker process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the worker can still be heard of."""
        return not self._is_ended and self._listener.is_alive()

    def holds(self, volume: Volume, settings: Preprocessing) -> bool:
        """Whether the worker has the volume, prepared that way."""
        if self._held is None:
            return False
        reference, held_settings = self._held
        return reference() is volume and held_settings == settings

    def send(self, task: Task, volume: Volume) -> None:
        """Hand over a task; from one thread only.

        Raises
        ------
        OSError
            If the worker is gone.
        """
        self._tasks.send(task)
        if task.prepared is not None:
            self._held = weakref.ref(volume), task.prepared.settings

    def cancel(self, identifier: int) -> None:
        """Ask the worker to give a task up."""
        with contextlib.suppress(OSError):
            self._cancellations.send(identifier)

    def end(self) -> None:
        """Kill the worker, which has nothing to lose."""
        self._is_ended = True
        self._process.kill()

    def wait(self) -> None:
        """Until the worker is gone, after :meth:`end`."""
        if self._listener is not threading.current_thread():
            self._listener.join(_TO_BE_GONE_S)

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._on_event(self._tasks.recv())
        self._process.join(_TO_BE_GONE_S)
        self._on_end(self, "" if self._is_ended else _reason(self._process.exitcode))


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Ctrl-C does not reach a process that is started meanwhile, nor spews from its imports.

    multiprocessing's own tracker is started first: where it is started with the process, it lets
    interrupts through again before that.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _reason(code: int | None) -> str:
    if code is not None and code == -getattr(signal, "SIGKILL", 0):
        return tr(
            "The analysis process was killed (signal 9); the computer may have run out of memory."
        )
    if code is not None and code < 0:
        return tr("The analysis process crashed (signal {code}).", code=-code)
    return tr("The analysis process ended unexpectedly (exit code {code}).", code=code)
