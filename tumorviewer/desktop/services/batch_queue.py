"""Studies that are analysed in the background: with progress, pause, time left and resumption."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from tumorviewer.analysis.finding import Finding
from tumorviewer.analysis.messages import Analyse, Done, Event, Failed
from tumorviewer.desktop.services.inference import InferenceController, InferencePhase
from tumorviewer.desktop.services.jobs import BackgroundJob, JobQueue
from tumorviewer.desktop.services.loading import Throttle
from tumorviewer.desktop.services.records_executor import RecordsExecutor
from tumorviewer.desktop.services.study_analysis import StudyAnalyser, WorkerError, enter_studies
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.study.types import Refused

if TYPE_CHECKING:
    from tumorviewer.records import Records, WorklistEntry
    from tumorviewer.records.queue import Wanted

_WAIT_S = 0.1
_EACH_BYTES = 200_000
"""What opening a study costs beside its bytes, in bytes."""


@dataclass(frozen=True)
class BatchState:
    """How far the batch is."""

    done: int = 0
    total: int = 0
    is_paused: bool = False
    text: str = ""
    """What is being done besides judging."""
    seconds_left: float | None = None
    """None while nobody can say."""
    refused: tuple[Refused, ...] = ()
    """What could not be judged, and why."""


class BatchQueue(QObject):
    """Lets the worker judge studies while it has nothing more urgent to do.

    What the reader asks about comes first: the study that is being judged is given up for it and
    begun again afterwards. Other windows may judge studies of the same queue.
    """

    changed = Signal(BatchState)
    """The new :class:`BatchState`."""
    judged = Signal()
    """Another study is done, or was entered."""
    refused = Signal(tuple)
    """What could not be entered: a tuple of :class:`Refused`."""
    not_judged = Signal(tuple)
    """All that could not be judged so far: a tuple of :class:`Refused`."""
    failed = Signal(InputError)
    """An :class:`InputError` that stopped the batch."""
    _wanted = Signal(object)

    def __init__(
        self,
        executor: RecordsExecutor,
        inference: InferenceController,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._executor, self._inference = executor, inference
        self._entering, self._judging = JobQueue(parent=self), JobQueue(parent=self)
        self._line = _BatchQuestion(inference, self)
        self._wanted.connect(self._line.ask)
        self.state = BatchState()

    def start(self) -> None:
        """Go on with what a window before this one left."""
        self._executor.ask(lambda records: records.queue.wanted(), self._take)

    def enter(self, paths: Sequence[Path]) -> None:
        """Put what the paths hold on the worklist, and judge it."""
        self._set(text=tr("Looking for files…"))
        self._executor.ask(lambda records: records, partial(self._enter, tuple(paths)))

    def add(self, studies: Sequence[int]) -> None:
        """Judge these too."""
        self._executor.ask(lambda records: records.queue.add(studies), self._take)

    def pause(self) -> None:
        """Stop until :meth:`go_on`; the window may be closed meanwhile."""
        self._judging.cancel()
        self._line.give_up()
        self._set(is_paused=True, seconds_left=None)
        self._executor.ask(lambda records: records.queue.pause(True))

    def go_on(self) -> None:
        """As it was before it was paused or failed."""
        self._executor.ask(lambda records: records.queue.pause(False), self._take)

    def stop(self) -> None:
        """Judge no more of them; what is judged stays so."""
        self._entering.cancel()
        self._judging.cancel()
        self._line.give_up()
        self._executor.ask(lambda records: records.queue.remove(records.queue.wanted().studies))
        self._end()

    def close(self) -> bool:
        """End all work; False if some of it does not end in time."""
        self._line.give_up()
        return all([self._entering.close(), self._judging.close()])

    def _take(self, wanted: Wanted) -> None:
        if self._judging.is_busy or not wanted.studies:
            return
        self._set(is_paused=wanted.is_paused, done=0, total=len(wanted.studies))
        if not wanted.is_paused:
            self._executor.ask(lambda records: records, self._judge_all)

    def _enter(self, paths: tuple[Path, ...], records: Records) -> None:
        pace = Throttle()

        def work(job: BackgroundJob) -> tuple[list[int], tuple[Refused, ...]]:
            def tell(text: str) -> None:
                if pace.is_due():
                    job.tell(self._say, text)

            return enter_studies(paths, records, job.check, tell)

        self._entering.start(work, self._entered, self._stopped)

    def _entered(self, answer: tuple[list[int], tuple[Refused, ...]]) -> None:
        studies, refused = answer
        self._set(text="")
        self.judged.emit()
        if refused:
            self.refused.emit(refused)
        self.add(studies)

    def _say(self, text: str) -> None:
        self._set(text=text)

    def _judge_all(self, records: Records) -> None:
        if not self._judging.is_busy and not self.state.is_paused:
            self._judging.start(partial(self._work, records), self._finished, self._stopped)

    def _work(self, records: Records, job: BackgroundJob) -> Wanted:
        """On a thread: the most urgent of the studies that wait, until there is none.

        Returns
        -------
        Wanted
            What is left, because somebody has paused.
        """
        judge = StudyAnalyser(
            records, self._inference.find_model(), partial(self._ask, job), job.check
        )
        pace = _TimeLeft(records.worklist.sizes)
        while not (wanted := records.queue.wanted()).is_paused:
            job.check()
            waiting = judge.waiting(wanted.studies)
            if not waiting:
                return records.queue.remove(wanted.studies)
            job.tell(self._tell, pace.done, len(waiting), pace.of(waiting))
            ours = next((one for one in waiting if self._judge(one, judge, job)), None)
            if ours is None:
                time.sleep(_WAIT_S)  # other windows are at all of them
            else:
                pace.finish(ours)
                job.tell(self.judged.emit)
        return wanted

    def _judge(self, entry: WorklistEntry, judge: StudyAnalyser, job: BackgroundJob) -> bool:
        """On the thread: judge a study; False if somebody else does."""
        with judge.records.queue.judging(entry.id) as is_ours:
            if is_ours:
                job.tell(self._say_refused, judge.judge(entry))
                judge.records.queue.remove([entry.id])
        return is_ours

    def _ask(self, job: BackgroundJob, request: Analyse) -> Finding:
        """On the thread: wait for the worker."""
        answers: queue.SimpleQueue[Finding | InputError] = queue.SimpleQueue()
        self._wanted.emit((request, answers))
        while True:
            job.check()
            try:
                answer = answers.get(timeout=_WAIT_S)
            except queue.Empty:
                continue
            if isinstance(answer, InputError):
                raise answer
            return answer

    def _tell(self, done: int, waiting: int, left: float | None) -> None:
        self._set(done=done, total=done + waiting, seconds_left=left, is_paused=False)

    def _say_refused(self, refused: Sequence[Refused]) -> None:
        if refused:
            self._set(refused=(*self.state.refused, *refused))
            self.not_judged.emit(self.state.refused)

    def _finished(self, left: Wanted) -> None:
        if left.studies and left.is_paused:
            self._set(is_paused=True, seconds_left=None)
        else:
            self._end()
            self._take(left)

    def _stopped(self, error: InputError) -> None:
        self.failed.emit(error)
        self._set(is_paused=self.state.total > 0, seconds_left=None, text="")

    def _end(self) -> None:
        self.state = BatchState()
        self.changed.emit(self.state)
        self.judged.emit()

    def _set(self, **changes: object) -> None:
        self.state = replace(self.state, **changes)  # type: ignore[arg-type]
        self.changed.emit(self.state)


class _TimeLeft:
    """How long the rest will take, by the bytes of what is done.

    Parameters
    ----------
    sizes
        Bytes of some studies.
    """

    def __init__(self, sizes: Callable[[Sequence[int]], dict[int, int]]) -> None:
        self._measure = sizes
        self._sizes: dict[int, int] = {}
        self._start = time.monotonic()
        self._bytes = 0
        self.done = 0
        """Studies."""

    def of(self, waiting: Sequence[WorklistEntry]) -> float | None:
        """Seconds; None before the second is done: the first waits for the worker to start."""
        new = [entry.id for entry in waiting if entry.id not in self._sizes]
        self._sizes |= {key: size + _EACH_BYTES for key, size in self._measure(new).items()}
        left = sum(self._sizes[entry.id] for entry in waiting)
        spent = time.monotonic() - self._start
        return spent / self._bytes * left if self._bytes else None

    def finish(self, entry: WorklistEntry) -> None:
        """A study is done."""
        if not self.done:
            self._start = time.monotonic()
        else:
            self._bytes += self._sizes[entry.id]
        self.done += 1


class _BatchQuestion(QObject):
    """The batch's one question to the worker, which gives way to those of the reader."""

    def __init__(self, inference: InferenceController, parent: QObject) -> None:
        super().__init__(parent)
        self._inference = inference
        self._question: Analyse | None = None
        self._answers: queue.SimpleQueue[Finding | InputError] = queue.SimpleQueue()
        self._request: int | None = None
        self._deaths = 0
        inference.changed.connect(self._give_way)
        inference.overheard.connect(self._hear)
        inference.stopped.connect(self._on_worker_died)

    def ask(self, wanted: tuple[Analyse, queue.SimpleQueue[Finding | InputError]]) -> None:
        """Ask as soon as the reader waits for nothing."""
        self._withdraw()  # of a batch that was paused: its answer is about another volume
        self._question, self._answers = wanted
        self._deaths = 0
        self._give_way()

    def give_up(self) -> None:
        """The answer is not wanted any more."""
        self._question = None
        self._withdraw()

    def _give_way(self, _state: object = None) -> None:
        is_needed = self._inference.state.phase is InferencePhase.WORKING
        if is_needed:
            self._withdraw()
        elif self._question is not None and self._request is None:
            self._request = self._inference.submit(self._question)

    def _withdraw(self) -> None:
        request, self._request = self._request, None
        if request is not None:
            self._inference.withdraw(request)

    def _hear(self, event: Event) -> None:
        if not isinstance(event, (Done, Failed)) or event.id != self._request:
            return
        self._request = None
        if isinstance(event, Done):
            assert isinstance(event.result, Finding)
            self._question = None
            self._answers.put(event.result)
        elif self._deaths == 1:
            self._deaths += 1  # it died of something; once more
            self._give_way()
        elif self._question is not None:
            message = event.message.removeprefix(f"{self._question.volume.source}: ")
            failed = WorkerError if event.detail or self._deaths else InputError
            self._question = None
            self._answers.put(failed("", message))

    def _on_worker_died(self, _reason: str) -> None:
        self._deaths += self._request is not None
