"""Studies that are analysed in the background: with progress, pause, time left and resumption."""

from __future__ import annotations

import queue
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from tumorviewer.analysis.finding import Finding
from tumorviewer.analysis.messages import Analyse, Done, Event, Failed
from tumorviewer.desktop.analyst import Analyst, Phase
from tumorviewer.desktop.clerk import Clerk
from tumorviewer.desktop.jobs import Job, Jobs
from tumorviewer.desktop.judging import Judge, enter
from tumorviewer.desktop.loading import Pace
from tumorviewer.errors import InputError
from tumorviewer.study.types import Refused

if TYPE_CHECKING:
    from tumorviewer.records import Records

_KEPT = "batch"
_WAIT_S = 0.1


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
    failures: int = 0
    """Studies that could not be judged."""


class Batch(QObject):
    """Lets the worker judge studies while it has nothing more urgent to do.

    What the reader asks about comes first: the study that is being judged is given up for it and
    begun again afterwards.
    """

    changed = Signal(object)
    """The new :class:`BatchState`."""
    judged = Signal()
    """Another study is done, or was entered."""
    refused = Signal(object)
    """What could not be entered: a tuple of :class:`Refused`."""
    failed = Signal(object)
    """An :class:`InputError` that stopped the batch."""
    _wanted = Signal(object)

    def __init__(self, clerk: Clerk, analyst: Analyst, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._clerk, self._analyst = clerk, analyst
        self._entering, self._judging = Jobs(parent=self), Jobs(parent=self)
        self._studies: set[int] = set()
        self._line = _Line(analyst, self)
        self._wanted.connect(self._line.ask)
        self.state = BatchState()

    def start(self) -> None:
        """Go on with what a window before this one left."""
        self._clerk.ask(lambda records: records.session.kept(_KEPT), self._found)

    def enter(self, paths: Sequence[Path]) -> None:
        """Put what the paths hold on the worklist, and judge it."""
        self._set(text="Looking for files…")
        self._clerk.ask(lambda records: records, partial(self._enter, tuple(paths)))

    def add(self, studies: Sequence[int]) -> None:
        """Judge these too."""
        self._studies |= set(studies)
        self._keep()
        self._go()

    def pause(self) -> None:
        """Stop until :meth:`go_on`; the window may be closed meanwhile."""
        self._judging.cancel()
        self._line.give_up()
        self._set(is_paused=True, seconds_left=None)
        self._keep()

    def go_on(self) -> None:
        self._set(is_paused=False)
        self._keep()
        self._go()

    def stop(self) -> None:
        """Judge no more of them; what is judged stays so."""
        self._entering.cancel()
        self._judging.cancel()
        self._line.give_up()
        self._end()

    def close(self) -> bool:
        """End all work; False if some of it does not heed that in time."""
        self._line.give_up()
        return all([self._entering.close(), self._judging.close()])

    def _found(self, kept: dict[str, object] | None) -> None:
        if kept is not None:
            self._studies |= set(kept["studies"])  # type: ignore[call-overload]
            self._set(is_paused=bool(kept["paused"]), total=len(self._studies))
            self._go()

    def _enter(self, paths: tuple[Path, ...], records: Records) -> None:
        pace = Pace()

        def work(job: Job) -> tuple[list[int], tuple[Refused, ...]]:
            def tell(text: str) -> None:
                if pace.is_due():
                    job.tell(self._say, text)

            return enter(paths, records, job.check, tell)

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

    def _go(self) -> None:
        if self._studies and not self.state.is_paused and not self._judging.is_busy:
            self._clerk.ask(lambda records: records, self._judge_all)

    def _judge_all(self, records: Records) -> None:
        if not self._judging.is_busy and not self.state.is_paused:
            self._judging.start(partial(self._work, records), self._finished, self._stopped)

    def _work(self, records: Records, job: Job) -> int:
        """On a thread: the most urgent of the studies that wait, until there is none.

        Returns
        -------
        int
            How many could not be judged.
        """
        judge = Judge(records, self._analyst.find_model(), partial(self._ask, job), job.check)
        tried: set[int] = set()
        start, failures = time.monotonic(), 0
        while waiting := judge.waiting(self._studies - tried):
            spent = time.monotonic() - start
            left = spent / len(tried) * len(waiting) if tried else None
            job.tell(self._tell, len(tried), len(tried) + len(waiting), left, failures)
            tried.add(waiting[0].id)
            try:
                judge.judge(waiting[0])
            except InputError:
                failures += 1
            job.tell(self.judged.emit)
        return failures

    def _ask(self, job: Job, request: Analyse) -> Finding:
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

    def _tell(self, done: int, total: int, left: float | None, failures: int) -> None:
        self._set(done=done, total=total, seconds_left=left, failures=failures)

    def _finished(self, failures: int) -> None:
        self._set(failures=failures)
        self._end()

    def _stopped(self, error: InputError) -> None:
        self.failed.emit(error)
        self._set(is_paused=bool(self._studies), text="")

    def _end(self) -> None:
        self._studies.clear()
        self.state = BatchState(failures=self.state.failures)
        self.changed.emit(self.state)
        self.judged.emit()
        self._clerk.ask(lambda records: records.session.drop(_KEPT))

    def _keep(self) -> None:
        document = {"studies": sorted(self._studies), "paused": self.state.is_paused}
        self._clerk.ask(lambda records: records.session.keep(_KEPT, document))

    def _set(self, **changes: object) -> None:
        self.state = replace(self.state, **changes)  # type: ignore[arg-type]
        self.changed.emit(self.state)


class _Line(QObject):
    """The batch's one question to the worker, which gives way to those of the reader."""

    def __init__(self, analyst: Analyst, parent: QObject) -> None:
        super().__init__(parent)
        self._analyst = analyst
        self._question: Analyse | None = None
        self._answers: queue.SimpleQueue[Finding | InputError] = queue.SimpleQueue()
        self._request: int | None = None
        self._deaths = 0
        analyst.changed.connect(self._give_way)
        analyst.overheard.connect(self._hear)
        analyst.stopped.connect(self._mourn)

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
        is_needed = self._analyst.state.phase is Phase.WORKING
        if is_needed:
            self._withdraw()
        elif self._question is not None and self._request is None:
            self._request = self._analyst.submit(self._question)

    def _withdraw(self) -> None:
        request, self._request = self._request, None
        if request is not None:
            self._analyst.withdraw(request)

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
        else:
            self._question = None
            self._answers.put(InputError("", event.message))

    def _mourn(self, _reason: str) -> None:
        self._deaths += self._request is not None


def duration(seconds: float) -> str:
    """About how long, for people."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{max(1, round(seconds))} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes / 60:.1f} h"
