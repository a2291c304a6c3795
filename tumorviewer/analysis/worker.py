"""The worker process: everything that needs torch, away from the window.

It answers one task after the other, prints nothing, ignores Ctrl-C, and ends when its client does.
Only the standard library is imported before its first line runs; torch comes later.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tumorviewer import errors
from tumorviewer.analysis.finding import Finding, Saliency, SimilarCases, Variation
from tumorviewer.analysis.messages import (
    Done,
    Event,
    Failed,
    ProgressEvent,
    Ready,
    RequestCancelled,
    SelfTest,
    StudyTask,
    Task,
    unexpected,
)
from tumorviewer.analysis.slices import PreparedVolume, ReportProgress
from tumorviewer.analysis.trust.map_verdict import MapCheck
from tumorviewer.analysis.whole_study.study_answer import StudyAnswer
from tumorviewer.language import tr
from tumorviewer.models import bundle

if TYPE_CHECKING:
    from tumorviewer.analysis.candidates import Finder
    from tumorviewer.analysis.engines.model import Model
    from tumorviewer.analysis.examination import Examination


def main(tasks: Connection, cancellations: Connection) -> NoReturn:
    """Serve until the client closes its ends.

    Parameters
    ----------
    tasks
        Brings :class:`Task`, takes :data:`Event`.
    cancellations
        Brings ids of tasks to give up.
    """
    _be_silent()
    inbox = _Inbox(tasks, cancellations)
    inbox.start()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # idle threads must not spin
    from tumorviewer.analysis import selftest

    tested = selftest.run_selftest()
    tasks.send(Ready(tested))
    desk = _Desk(inbox, tested)
    while True:
        tasks.send(desk.answer(inbox.tasks.get()))


def _be_silent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)
    sys.stdout = sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for good


class _Inbox(threading.Thread):
    """Receives while the main thread computes, and ends the process with its client."""

    def __init__(self, tasks: Connection, cancellations: Connection) -> None:
        super().__init__(name="inbox", daemon=True)
        self.connection = tasks
        self._cancellations = cancellations
        self.tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
        self.cancelled: set[int] = set()

    def run(self) -> None:
        """Receive for ever."""
        try:
            while True:
                full = wait([self.connection, self._cancellations])
                if self._cancellations in full:
                    self.cancelled.add(self._cancellations.recv())
                if self.connection in full:
                    self.tasks.put(self.connection.recv())
        finally:
            os._exit(0)


class _Desk:
    """Answers tasks; keeps the model and the volume of the last one."""

    def __init__(self, inbox: _Inbox, tested: SelfTest) -> None:
        self._inbox = inbox
        self._tested = tested
        self._prepared: PreparedVolume | None = None
        self._model: Model | None = None
        self._model_key: tuple[Path, str, str] | None = None
        self._examination: Examination | None = None
        self._outliner: Finder | None = None
        self._outliner_key: tuple[Path, str] | None = None

    def answer(self, task: Task) -> Event:
        """Whatever happens, an event."""
        if task.prepared is not None:
            self._prepared, self._examination = task.prepared, None
        if not self._tested.ok:
            return Failed(task.id, " ".join(self._tested.problems), "self-test")
        try:
            return Done(task.id, self._work(task))
        except errors.Cancelled:
            return RequestCancelled(task.id)
        except errors.InputError as error:
            return Failed(task.id, str(error), "" if self._model else "no model")
        except Exception as error:  # noqa: BLE001 - a bad task must not end the process
            message = tr("The analysis failed unexpectedly. If it fails again, please report it.")
            return unexpected(task.id, message, error)

    def _work(
        self, task: Task
    ) -> Finding | Saliency | MapCheck | SimilarCases | Variation | StudyAnswer:
        from tumorviewer.analysis import pipeline

        def progress(done: int, total: int, text: str) -> None:
            if task.id in self._inbox.cancelled:
                raise errors.Cancelled
            self._inbox.connection.send(ProgressEvent(task.id, done, total, text))

        progress(0, 1, tr("Loading the model"))
        examination = self._examine(task)
        if task.study is not None:
            return self._answer_study(task.study, examination, progress)
        if task.similar_to is not None:
            return pipeline.find_similar_cases(examination, task.similar_to)
        if task.varied is not None:
            return pipeline.measure_variation(examination, task.varied)
        if task.checked is not None:
            from tumorviewer.analysis.trust import map_checks

            assert task.method
            assert task.target
            asked = map_checks.CheckedMap(task.method, task.target, task.against, task.checked)
            return map_checks.check_map(examination, asked, progress)
        if task.maps_only:
            assert task.method
            assert task.target
            return pipeline.explain_slices(
                examination, task.method, task.target, task.slices, progress, task.against
            )
        return pipeline.make_finding(examination, task.method, task.target, task.slices, progress)

    def _answer_study(
        self, asked: StudyTask, examination: Examination, progress: ReportProgress
    ) -> StudyAnswer:
        from tumorviewer.analysis.whole_study import answering

        return answering.answer_study(
            asked.grey,
            self._finder(asked.finder),
            examination,
            asked.read,
            asked.present,
            asked.source,
            progress=progress,
        )

    def _finder(self, folder: Path | None) -> Finder | None:
        """The model that outlines; loaded once."""
        from tumorviewer.analysis.engines import choice

        if folder is None:
            return None
        key = folder, bundle.read_card(folder).weights.sha256
        if self._outliner is None or self._outliner_key != key:
            self._outliner, self._outliner_key = choice.load_finder(folder), key
        return self._outliner

    def _examine(self, task: Task) -> Examination:
        from tumorviewer.analysis.examination import Examination

        model = self._load(task)
        if self._prepared is None:
            msg = "a task without slices, and none are kept"
            raise RuntimeError(msg)
        if self._examination is None or self._examination.model is not model:
            self._examination = Examination(self._prepared, model)
        return self._examination

    def _load(self, task: Task) -> Model:
        from tumorviewer.analysis.engines import choice

        kept, self._model = self._model, None
        key = task.model, task.device, bundle.read_card(task.model).weights.sha256
        if kept and key == self._model_key and not kept.has_moved:
            self._model = kept
            return kept
        kept = self._examination = None
        self._model = choice.load_model(task.model, task.device)
        choice.use_threads()
        self._model_key = key
        return self._model
