"""The worker process as the window sees it: what is shown is asked about, and answers arrive."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QObject, Signal, Slot

from tumorviewer.analysis.finding import Finding, Saliency, join_saliency
from tumorviewer.analysis.messages import (
    Analyse,
    Died,
    Done,
    Event,
    Explain,
    Failed,
    ProgressEvent,
    Ready,
    Request,
    RequestCancelled,
    SelfTest,
)
from tumorviewer.analysis.methods import BEST
from tumorviewer.desktop.services.byte_cache import make_byte_cache
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.study.types import Volume

_KEPT_BYTES = 256 << 20
"""Findings of volumes that were shown before."""
_log = logging.getLogger(__name__)


class InferenceClient(Protocol):
    """What is used of :class:`tumorviewer.analysis.client.WorkerClient`."""

    def start(self) -> None: ...
    def submit(self, request: Request) -> int: ...
    def cancel(self, request: int) -> None: ...
    def restart(self) -> None: ...
    def close(self) -> None: ...


class InferencePhase(Enum):
    """Where the question about the shown volume stands."""

    IDLE = auto()
    WORKING = auto()
    ANSWERED = auto()
    CANCELLED = auto()
    FAILED = auto()
    DIED = auto()


@dataclass(frozen=True)
class InferenceState:
    """Everything that the assessment panel needs to know."""

    phase: InferencePhase
    text: str = ""
    """What is being done, or why there is no answer."""
    done: int = 0
    total: int = 0
    finding: Finding | None = None
    """The answer so far: it stays while other maps are made, and if they fail."""


class InferenceController(QObject):
    """Asks the worker about one volume at a time; answers to older questions are dropped.

    Parameters
    ----------
    make_client
        Makes the client, given what to call with each event, from any thread.
    find_model
        Folder of the model's bundle; raises InputError if there is none.
    find_finder
        Folder of the model that outlines, if there is one.
    """

    changed = Signal(InferenceState)
    """The new :class:`InferenceState`."""
    ready = Signal(SelfTest)
    """The worker's :class:`SelfTest`."""
    stopped = Signal(str)
    """The worker died, for this reason."""
    overheard = Signal(object)
    """The end of a request that was not about the shown volume."""
    progressed = Signal(ProgressEvent)
    """How far a request is that was not about the shown volume."""
    _arrived = Signal(object)

    def __init__(
        self,
        make_client: Callable[[Callable[[Event], None]], InferenceClient],
        find_model: Callable[[], Path],
        find_finder: Callable[[], Path | None] = lambda: None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.find_model, self.find_finder = find_model, find_finder
        self._arrived.connect(self._handle)
        self._client = make_client(self._arrived.emit)
        self._is_ready = False
        self._volume: Volume | None = None
        self._key: Hashable = None
        self._request: int | None = None
        self._question: Callable[[Path], Request] | None = None
        self._deaths = 0
        self._is_outdated = False
        """Whether another model than the one in use gave the answer that is shown."""
        self._findings = make_byte_cache(_KEPT_BYTES, _size)
        self._maps_wait = False
        self._to_explain: list[Sequence[int] | None] = []
        """Slices whose maps are still to be made; None for all that the method makes by itself."""
        self.slice = 0
        """The slice that is looked at: its map is made first."""
        self.method = BEST
        self.target = ""
        """The class to explain; empty for the predicted one."""
        self.state = InferenceState(InferencePhase.IDLE)

    def start(self) -> None:
        """Start the worker process."""
        self._client.start()

    def show(self, volume: Volume | None, key: Hashable = None) -> None:
        """Turn to another volume.

        Parameters
        ----------
        key
            Stands for the volume also after its pixels were let go: the answer that was given
            under this key is used again.
        """
        self._give_up()
        self._volume, self._key = volume, key
        self.method, self.target = BEST, ""
        self._deaths = 0
        self._is_outdated = False
        known = self._findings.get(key)
        if volume is None:
            self._set(InferenceState(InferencePhase.IDLE))
        elif known is not None:
            self._answer(known)
        else:
            self.analyse()

    def recall(self, key: Hashable, finding: Finding) -> None:
        """Use an answer from before for what is, or will be, shown under this key."""
        self._findings[key] = finding
        if self._volume is not None and key == self._key and self.state.finding is None:
            self._give_up()
            self._answer(finding)

    def forget(self, key: Hashable) -> None:
        """Let go of the answer that was given under this key."""
        self._findings.pop(key, None)

    def forget_all(self) -> None:
        """Let go of every answer: another model is asked from now on."""
        self._findings.clear()
        self._is_outdated = self.state.finding is not None

    def analyse(self) -> None:
        """Ask for an answer to the shown volume, from the beginning: with its map for a picture;
        for several slices first the answer, then the maps."""
        self._is_outdated = False
        if self._volume is not None:
            volume = self._volume
            method = self.method if len(volume.array) == 1 else None
            self._ask(
                lambda model: Analyse(volume, model, method=method, target=self.target or None)
            )

    def let_maps_wait(self, wait: bool) -> None:
        """Whether something more urgent is asked of the worker than the maps of the answer."""
        self._maps_wait = wait
        if not wait:
            self._explain_next()

    def make_maps(self) -> None:
        """Make the maps of the answer that has none: of the slice that is looked at, then of the
        rest."""
        finding = self.state.finding
        if finding is not None and finding.saliency is None:
            is_long = len(finding.slices) > 1 and self.slice in finding.slices
            self._to_explain = [(self.slice,), None] if is_long else [None]
            self._explain_next()

    @property
    def volume(self) -> Volume | None:
        """What is shown."""
        return self._volume

    def explain(self, method: str, target: str, against: str = "") -> None:
        """Ask for other maps of the shown volume."""
        self.target = target
        if not against:  # that question ends with its answer
            self.method = method
        if self._is_outdated:  # the maps of one model do not explain the answer of another
            self.analyse()
            return
        finding, volume = self.state.finding, self._volume
        if finding is not None and volume is not None:
            wanted = target or finding.predicted_class
            self._ask(
                lambda model: Explain(volume, model, method, wanted, against=against), finding
            )

    def can_explain(self, index: int) -> bool:
        """Whether a slice was judged, has no map, and nothing else is being computed."""
        finding = self.state.finding
        is_busy = self._is_outdated or self.state.phase is InferencePhase.WORKING
        if finding is None or finding.saliency is None or is_busy:
            return False
        return index in finding.slices and index not in finding.saliency.slices

    def explain_slice(self, index: int) -> None:
        """Ask for the map of one slice more, by the method and for the class of the others."""
        finding, volume = self.state.finding, self._volume
        if volume is None or finding is None or not self.can_explain(index):
            return
        assert finding.saliency is not None
        shown = finding.saliency
        self._ask(
            lambda model: Explain(
                volume, model, shown.method, shown.target, (index,), against=shown.against
            ),
            finding,
        )

    def cancel(self) -> None:
        """Give up what is being computed."""
        if self._request is not None:
            self._give_up()
            self._set(
                InferenceState(
                    InferencePhase.CANCELLED, tr("Cancelled."), finding=self.state.finding
                )
            )

    def restart(self) -> None:
        """Start the worker anew and ask again."""
        self._give_up()
        self._is_ready = False
        self._client.restart()
        self.analyse()

    def submit(self, request: Request) -> int:
        """Ask the worker something that is not about the shown volume; see :attr:`overheard`."""
        return self._client.submit(request)

    def withdraw(self, request: int) -> None:
        """Give up what was submitted."""
        self._client.cancel(request)

    def close(self) -> None:
        self._volume = None
        self._client.close()

    def _answer(self, known: Finding) -> None:
        self._set(InferenceState(InferencePhase.ANSWERED, finding=known))
        if self.state.finding is known and not known.is_outside:
            self.make_maps()

    def _explain_next(self) -> None:
        finding, volume = self.state.finding, self._volume
        is_free = self.state.phase is InferencePhase.ANSWERED and not self._maps_wait
        if not self._to_explain or not is_free or finding is None or volume is None:
            return
        slices = self._to_explain.pop(0)
        method, target = self.method, self.target or finding.predicted_class
        self._ask(
            lambda model: Explain(volume, model, method, target, slices), finding, self._to_explain
        )

    def _ask(
        self,
        question: Callable[[Path], Request],
        finding: Finding | None = None,
        to_explain: Sequence[Sequence[int] | None] = (),
    ) -> None:
        self._give_up()
        self._to_explain = list(to_explain)
        try:
            model = self.find_model()
        except InputError as error:
            self._set(InferenceState(InferencePhase.FAILED, error.message, finding=finding))
            return
        self._question = question
        self._request = self._client.submit(question(model))
        self._set(InferenceState(InferencePhase.WORKING, self._waiting(), finding=finding))

    def _waiting(self) -> str:
        return tr("Analysing…") if self._is_ready else tr("Waiting for the model to start…")

    def _give_up(self) -> None:
        request, self._request, self._question = self._request, None, None
        self._to_explain = []
        if request is not None:
            self._client.cancel(request)

    def _set(self, state: InferenceState) -> None:
        self.state = state
        self.changed.emit(state)

    @Slot(object)
    def _handle(self, event: Event) -> None:
        match event:
            case Ready(selftest=selftest):
                self._is_ready = True
                self.ready.emit(selftest)
                if self._request is not None:
                    self._begin(selftest)
            case Died(reason=reason):
                self._on_worker_died(reason)
            case ProgressEvent() | Done() | Failed() | RequestCancelled() if (
                event.id == self._request
            ):
                self._hear(event)
            case Done() | Failed():
                self.overheard.emit(event)
            case ProgressEvent():
                self.progressed.emit(event)

    def _begin(self, selftest: SelfTest) -> None:
        if selftest.ok:
            self._set(replace(self.state, text=self._waiting(), done=0, total=0))
            return
        self._give_up()
        text = tr("The model cannot run on this computer. ") + " ".join(selftest.problems)
        self._set(InferenceState(InferencePhase.FAILED, text, finding=self.state.finding))

    def _hear(self, event: ProgressEvent | Done | Failed | RequestCancelled) -> None:
        finding = self.state.finding
        if isinstance(event, ProgressEvent):
            is_prepared = not self._is_ready and event.done >= event.total
            text = self._waiting() if is_prepared else event.text
            done, total = (0, 0) if is_prepared else (event.done, event.total)
            self._set(InferenceState(InferencePhase.WORKING, text, done, total, finding))
            return
        self._request = self._question = None
        match event:
            case Done(result=Finding() | Saliency() as result):
                self._take(result)
            case Failed(message=message, detail=detail):
                _log.warning("analysis failed: %s", detail or "input refused")
                self._set(
                    InferenceState(
                        InferencePhase.FAILED, self._without_source(message), finding=finding
                    )
                )
            case RequestCancelled():
                self._set(
                    InferenceState(InferencePhase.CANCELLED, tr("Cancelled."), finding=finding)
                )

    def _without_source(self, message: str) -> str:
        """The reader sees which volume is shown; its path may name the patient."""
        source = "" if self._volume is None else self._volume.source
        return message.removeprefix(f"{source}: ")

    def _take(self, result: Finding | Saliency) -> None:
        if isinstance(result, Saliency):
            if self.state.finding is None:
                return
            result = _with_maps(self.state.finding, result)
        if self._volume is not None:
            self._findings[self._key] = result
        if result.saliency is None:
            self._answer(result)
        else:
            self._set(InferenceState(InferencePhase.ANSWERED, finding=result))
            self._explain_next()

    def _on_worker_died(self, reason: str) -> None:
        """Ask again by itself once; what kills the worker twice is left to the reader."""
        _log.error("the worker process stopped")
        was_ready, self._is_ready = self._is_ready, False
        self._deaths += 1
        self.stopped.emit(reason)
        if self._question is None:
            if was_ready:
                self._client.start()
        elif was_ready and self._deaths == 1:
            self._ask(self._question, self.state.finding, self._to_explain)
        else:
            self._give_up()
            self._set(InferenceState(InferencePhase.DIED, reason, finding=self.state.finding))


def _with_maps(finding: Finding, new: Saliency) -> Finding:
    """Maps of the same method and class join those that are there; others replace them."""
    old = finding.saliency
    if old is not None and _question(old) == _question(new):
        new = join_saliency(old, new, finding.labels.get(new.target, new.target))
    return replace(finding, saliency=new)


def _question(saliency: Saliency) -> tuple[str, str, str]:
    return saliency.method, saliency.target, saliency.against


def _size(finding: Finding) -> int:
    return finding.saliency.maps.nbytes if finding.saliency is not None else 0
