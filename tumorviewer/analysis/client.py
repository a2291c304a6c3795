"""The window's side of the worker process: requests in, events out. No torch, no Qt."""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable
from functools import partial

from tumorviewer import errors
from tumorviewer.analysis.messages import (
    Analyse,
    AnswerStudy,
    CheckMap,
    Died,
    Done,
    Event,
    Explain,
    Failed,
    FindSimilar,
    ProgressEvent,
    Request,
    RequestCancelled,
    StudyTask,
    Task,
    Vary,
    unexpected,
)
from tumorviewer.analysis.slices import PreparedVolume, prepare_volume, to_grey_volume
from tumorviewer.analysis.worker_process import WorkerProcess
from tumorviewer.language import tr
from tumorviewer.models import bundle

_SEEN_S = 0.05
"""Progress within less cannot be seen."""
_log = logging.getLogger(__name__)


class WorkerClient:
    """Starts the worker, hands it requests, and tells what becomes of them.

    Nothing here makes its caller wait: slices are prepared and sent on a thread of the client's
    own, and another delivers the events. Each request ends in exactly one ``Done``, ``Failed`` or
    ``Cancelled``. When the worker dies (``Died``), what it had been given fails, and the next
    request starts another.
    """

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        """Start nothing yet.

        Parameters
        ----------
        on_event
            Called on a thread of the client, in order.
        """
        self._on_event = on_event
        self._ids = itertools.count(1)
        self._open: dict[int, WorkerProcess | None] = {}
        """Requests without an answer, and the worker that has them; None while they are here."""
        self._lock = threading.Lock()
        self._link: WorkerProcess | None = None
        self._is_closed = False
        self._told, self._told_at = (0, ""), 0.0
        self._orders: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._threads = (
            threading.Thread(target=self._serve, name="analysis-clerk", daemon=True),
            threading.Thread(target=self._deliver, name="analysis-events", daemon=True),
        )
        for thread in self._threads:
            thread.start()

    def start(self) -> None:
        """Start the worker, so that it is warm when the first request comes."""
        self._orders.put(self._connected)

    def submit(self, request: Request) -> int:
        """Ask; the answer is an event with the id that is returned.

        Raises
        ------
        RuntimeError
            If the client is closed.
        """
        if self._is_closed:
            msg = "the client is closed"
            raise RuntimeError(msg)
        identifier = next(self._ids)
        with self._lock:
            self._open[identifier] = None
        self._orders.put(partial(self._handle, identifier, request))
        return identifier

    def cancel(self, identifier: int) -> None:
        """Give a request up; nothing happens if it has its answer."""
        with self._lock:
            link = self._open.get(identifier)
        if link:
            link.cancel(identifier)
        self._finish(RequestCancelled(identifier))

    def restart(self) -> None:
        """End the worker, whatever it does, and start another."""
        with self._lock:
            link, self._link = self._link, None
        if link:
            link.end()
            self._fail_all(link, tr("The analysis was stopped."))
        self.start()

    def close(self) -> None:
        """End the worker and the threads; no event comes afterwards."""
        with self._lock:
            self._is_closed = True
            link, self._link = self._link, None
            self._open.clear()
        self._orders.put(None)
        self._events.put(None)
        if link:
            link.end()
            link.wait()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()

    def _serve(self) -> None:
        while (order := self._orders.get()) is not None:
            order()

    def _deliver(self) -> None:
        while (event := self._events.get()) is not None and not self._is_closed:
            try:
                self._on_event(event)
            except Exception as error:  # noqa: BLE001 - later events must still come
                _log.error("an event was not handled: %s", type(error).__name__)

    def _connected(self) -> WorkerProcess | None:
        """The worker, started if there is none; None when closed."""
        from tumorviewer.analysis import worker  # runs in its own process; imports torch there

        with self._lock:
            if self._is_closed:
                return None
            if self._link is None or not self._link.is_alive:
                self._link = WorkerProcess(worker.main, self._hear, self._lost)
            return self._link

    def _handle(self, identifier: int, request: Request) -> None:
        try:
            self._hand_over(identifier, request)
        except errors.Cancelled:
            pass
        except errors.InputError as error:
            self._finish(Failed(identifier, str(error)))
        except OSError as error:
            message = tr("The analysis process could not be reached. Ask again.")
            self._finish(unexpected(identifier, message, error))
        except Exception as error:  # noqa: BLE001 - a bad request must not end the thread
            message = tr("The volume could not be prepared for the model.")
            self._finish(unexpected(identifier, message, error))

    def _hand_over(self, identifier: int, request: Request) -> None:
        def progress(done: int, total: int, text: str) -> None:
            if identifier not in self._open:
                raise errors.Cancelled
            self._tell(ProgressEvent(identifier, done, total, text))

        settings = bundle.read_card(request.model).preprocessing
        link, prepared = self._connected(), None
        if link and not link.holds(request.volume, settings):
            prepared = prepare_volume(request.volume, settings, progress)
            link = self._connected()
        with self._lock:
            if link is None or identifier not in self._open:
                return
            self._open[identifier] = link
        link.send(_task(identifier, request, prepared), request.volume)

    def _hear(self, event: Event) -> None:
        if isinstance(event, (Done, Failed, RequestCancelled)):
            self._finish(event)
        elif isinstance(event, ProgressEvent):
            self._tell(event)
        else:
            self._events.put(event)

    def _tell(self, progress: ProgressEvent) -> None:
        """Not more often than it can be seen."""
        now, stage = time.monotonic(), (progress.id, progress.text)
        if progress.id in self._open and (stage != self._told or now > self._told_at + _SEEN_S):
            self._told, self._told_at = stage, now
            self._events.put(progress)

    def _lost(self, link: WorkerProcess, reason: str) -> None:
        if reason:
            self._events.put(Died(reason))
            self._fail_all(link, f"{reason} {tr('Ask again.')}")

    def _fail_all(self, link: WorkerProcess, message: str) -> None:
        with self._lock:
            lost = [identifier for identifier, at in self._open.items() if at is link]
        for identifier in lost:
            self._finish(Failed(identifier, message))

    def _finish(self, event: Done | Failed | RequestCancelled) -> None:
        with self._lock:
            if event.id not in self._open:
                return
            del self._open[event.id]
        self._events.put(event)


def _task(identifier: int, request: Request, prepared: PreparedVolume | None) -> Task:
    """A request as it travels."""
    similar = request if isinstance(request, FindSimilar) else None
    maps = request if isinstance(request, (Analyse, Explain, CheckMap)) else None
    return Task(
        id=identifier,
        model=request.model,
        device=request.device,
        method=maps.method if maps else None,
        target=maps.target if maps else None,
        slices=request.slices if isinstance(request, Explain) else None,
        maps_only=isinstance(request, Explain),
        prepared=prepared,
        against=request.against if isinstance(request, (Explain, CheckMap)) else "",
        checked=request.index if isinstance(request, CheckMap) else None,
        similar_to=similar.slice if similar else None,
        varied=request.slice if isinstance(request, Vary) else None,
        study=_study_task(request) if isinstance(request, AnswerStudy) else None,
    )


def _study_task(request: AnswerStudy) -> StudyTask:
    grey = to_grey_volume(request.volume)
    return StudyTask(grey, request.finder, request.read, request.present, request.source)
