"""What the model answers for the study that is read: asked, kept, and shown again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from tumorviewer.analysis.messages import AnswerStudy, Done, Failed, ProgressEvent
from tumorviewer.analysis.slices import is_label_map
from tumorviewer.analysis.whole_study.decision import refuse_study
from tumorviewer.analysis.whole_study.series_choice import (
    SeriesChoice,
    describe_present,
    find_source,
    join_cases,
    rank_series,
)
from tumorviewer.analysis.whole_study.study_answer import StudyAnswer
from tumorviewer.desktop.services.inference import InferencePhase, InferenceState
from tumorviewer.desktop.services.reading import Reading, Shown
from tumorviewer.desktop.services.records_executor import RecordsExecutor
from tumorviewer.desktop.services.register import StudyRegister
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.models import bundle
from tumorviewer.study.types import Placement, Study, Volume

if TYPE_CHECKING:
    from tumorviewer.records import Records


@dataclass(frozen=True)
class StudyAnswerState:
    """Where the question about the study stands."""

    phase: InferencePhase = InferencePhase.IDLE
    text: str = ""
    """What is being done, or why there is no answer."""
    done: int = 0
    total: int = 0
    answer: StudyAnswer | None = None
    volume: Volume | None = None
    """The one that the answer was read from; None if the study holds none."""


class StudyAnswerController(QObject):
    """Asks for the study once the shown series is answered, and before its maps are made; not
    where there is no model that outlines."""

    changed = Signal(StudyAnswerState)
    """The new :class:`StudyAnswerState`."""
    kept = Signal(int)
    """There is a new answer on this entry of the worklist."""

    def __init__(
        self,
        reading: Reading,
        executor: RecordsExecutor,
        register: StudyRegister,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._reading, self._inference = reading, reading.inference
        self._executor, self._register = executor, register
        self.state = StudyAnswerState()
        self._case: Study | None = None
        self._choices: list[SeriesChoice] = []
        """Volumes that may be read, the best first; the first one is being read."""
        self._request: int | None = None
        self._deaths = 0
        self._asks_anew = False
        """Whether an answer that was kept is passed over."""
        self._unkept: StudyAnswer | None = None
        """An answer whose study is not on the worklist yet."""
        self._inference.changed.connect(self._follow)
        self._inference.overheard.connect(self._hear)
        self._inference.progressed.connect(self._show_progress)
        self._inference.stopped.connect(self._on_worker_died)
        reading.shown_changed.connect(self._turn)
        register.entered.connect(self._entered)
        reading.study_loader.loaded.connect(self._loaded)
        reading.study_loader.failed.connect(lambda _: self._try_next())

    @property
    def read(self) -> SeriesChoice | None:
        """The volume that the answer is read from."""
        return self._choices[0] if self._choices else None

    def ask_again(self) -> None:
        """Ask once more, whatever was answered before, as soon as the shown series is answered."""
        self._give_up()
        self._deaths, self._asks_anew = 0, True
        self._set(StudyAnswerState())

    def cancel(self) -> None:
        """Give up the question."""
        if self.state.phase is InferencePhase.WORKING:
            self._give_up()
            self._end(StudyAnswerState(InferencePhase.CANCELLED, tr("Cancelled.")))

    # Which study

    def _turn(self, shown: Shown | None) -> None:
        case = None if shown is None else self._find_case(shown.study)
        if case is not None and self._case is not None and case.series == self._case.series:
            return
        self._give_up()
        self._case, self._choices, self._unkept = case, [], None
        self._deaths, self._asks_anew = 0, False
        self._set(StudyAnswerState())

    def _find_case(self, study: Study) -> Study:
        """The study with the files of its case that are open beside it."""
        cases = join_cases(self._reading.library.studies)
        return next((case for case in cases if study.series[0] in case.series), study)

    def _follow(self, state: InferenceState) -> None:
        is_answered = state.phase in (InferencePhase.ANSWERED, InferencePhase.FAILED)
        volume = self._inference.volume
        if not is_answered or self.state.phase is not InferencePhase.IDLE or self._case is None:
            return
        if (
            volume is None
            or volume.placement is Placement.NONE
            or self._inference.find_finder() is None
        ):
            return
        self._inference.let_maps_wait(True)
        self._set(StudyAnswerState(InferencePhase.WORKING, tr("Looking for the series to read…")))
        self._choices = list(rank_series(self._case))
        self._read()

    # The volume that is read

    def _read(self) -> None:
        assert self._case is not None
        if self._choices:
            self._reading.study_loader.load(self._choices[0].volume)
        else:
            present = describe_present(self._case)
            self._take(refuse_study(find_source(self._case), present))

    def _try_next(self) -> None:
        del self._choices[:1]
        self._read()

    def _loaded(self, volume: Volume) -> None:
        if self.state.phase is not InferencePhase.WORKING:
            return
        if is_label_map(volume):
            self._try_next()
            return
        self._set(replace(self.state, volume=volume))
        entry = self._register.entry(self._owner())
        if entry is None or self._asks_anew:
            self._ask()
            return
        find = partial(
            _find_kept, entry.id, self._inference.find_model, self._inference.find_finder
        )
        use = partial(self._recall, self._choices[0])
        self._executor.ask(find, use, lambda _: use(None))

    def _recall(self, choice: SeriesChoice, answer: StudyAnswer | None) -> None:
        if self.read is not choice or self.state.phase is not InferencePhase.WORKING:
            return
        if answer is None:
            self._ask()
        else:
            self._end(replace(self.state, phase=InferencePhase.ANSWERED, answer=answer))

    def _owner(self) -> Study | None:
        """The open study that holds the series that is read."""
        read = self.read
        if read is not None:
            return self._reading.library.study_of(read.series)
        return self._reading.shown and self._reading.shown.study

    # The answer

    def _ask(self) -> None:
        volume, read = self.state.volume, self.read
        assert volume is not None
        assert read is not None
        assert self._case is not None
        try:
            model, finder = self._inference.find_model(), self._inference.find_finder()
        except InputError as error:
            self._end(StudyAnswerState(InferencePhase.FAILED, error.message))
            return
        self._set(replace(self.state, text=tr("Looking for a tumour in the study…")))
        present, source = describe_present(self._case), find_source(self._case)
        self._request = self._inference.submit(
            AnswerStudy(volume, model, finder, read.read, present, source)
        )

    def _show_progress(self, event: ProgressEvent) -> None:
        if event.id == self._request:
            self._set(replace(self.state, text=event.text, done=event.done, total=event.total))

    def _hear(self, event: Done | Failed) -> None:
        if self._request is None or event.id != self._request:
            return
        self._request = None
        if isinstance(event, Failed):
            self._end(StudyAnswerState(InferencePhase.FAILED, event.message))
        elif isinstance(event.result, StudyAnswer):
            self._take(event.result)

    def _take(self, answer: StudyAnswer) -> None:
        self._asks_anew, self._unkept = False, answer
        self._end(replace(self.state, phase=InferencePhase.ANSWERED, answer=answer))
        self._keep()

    def _keep(self) -> None:
        entry, answer = self._register.entry(self._owner()), self._unkept
        if entry is None or answer is None:
            return
        self._unkept = None
        self._executor.ask(
            lambda records: records.study_answers.add(entry.id, answer),
            lambda _: self.kept.emit(entry.id),
        )

    def _entered(self, study: Study, _entry: object) -> None:
        if study is self._owner():
            self._keep()

    def _on_worker_died(self, reason: str) -> None:
        """Ask again by itself once."""
        if self._request is None:
            return
        self._request = None
        self._deaths += 1
        if self._deaths == 1:
            self._ask()
        else:
            self._end(StudyAnswerState(InferencePhase.DIED, reason))

    def _give_up(self) -> None:
        request, self._request = self._request, None
        self._reading.study_loader.cancel()
        if request is not None:
            self._inference.withdraw(request)
        self._inference.let_maps_wait(False)

    def _end(self, state: StudyAnswerState) -> None:
        self._set(state)
        self._inference.let_maps_wait(False)

    def _set(self, state: StudyAnswerState) -> None:
        self.state = state
        self.changed.emit(state)


def _find_kept(
    entry: int,
    find_model: Callable[[], Path],
    find_finder: Callable[[], Path | None],
    records: Records,
) -> StudyAnswer | None:
    """What the models that are asked now said of the study as it is now."""
    answer = records.study_answers.latest(entry)
    if answer is None:
        return None
    finder = find_finder()
    asked = [find_model(), *([finder] if finder else [])]
    now = {bundle.read_card(folder).weights.sha256 for folder in asked}
    return answer if {model.sha256 for model in answer.models} == now else None
