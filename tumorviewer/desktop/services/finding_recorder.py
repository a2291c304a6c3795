"""What the model says of what is shown is kept, and what it said before is not asked again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from tumorviewer.analysis.finding import Finding
from tumorviewer.desktop.services.inference import InferencePhase, InferenceState
from tumorviewer.desktop.services.reading import Reading, Shown
from tumorviewer.desktop.services.records_executor import RecordsExecutor
from tumorviewer.desktop.services.register import StudyRegister
from tumorviewer.models import bundle
from tumorviewer.records.identity import volume_key
from tumorviewer.study.types import Study

if TYPE_CHECKING:
    from pathlib import Path

    from tumorviewer.records import FindingEntry, Records


class FindingRecorder(QObject):
    """Stands between inference and the records."""

    kept = Signal(int)
    """There is a new answer on this entry of the worklist."""

    def __init__(
        self,
        executor: RecordsExecutor,
        reading: Reading,
        register: StudyRegister,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._executor = executor
        self._reading = reading
        self._register = register
        self._kept: dict[tuple[int, str], NDArray[np.float64]] = {}
        """The probabilities that were kept last, by entry and volume: other maps of the same answer
        hold the same array."""
        self._asked: Shown | None = None
        reading.inference.changed.connect(self._hear)
        reading.shown_changed.connect(self._look_up)
        register.entered.connect(self._entered)

    def _entered(self, study: Study, _entry: object) -> None:
        shown = self._reading.shown
        if shown is not None and shown.study is study:
            self._look_up(shown)
            self._hear(self._reading.inference.state)

    def _hear(self, state: InferenceState) -> None:
        shown = self._reading.shown
        entry = self._register.entry(shown.study) if shown else None
        if shown is None or entry is None:
            return
        if (
            state.phase is InferencePhase.WORKING
            and state.finding is None
            and self._asked is not shown
        ):
            self._asked = shown
            self._executor.ask(lambda records: records.trail.note("asked", entry.id))
        elif state.phase is InferencePhase.ANSWERED and state.finding is not None:
            self._keep(entry.id, volume_key(shown.series, shown.source), state.finding)

    def _keep(self, study: int, volume: str, finding: Finding) -> None:
        if self._kept.get((study, volume)) is finding.probabilities:
            return
        self._kept[study, volume] = finding.probabilities
        pixels = self._reading.inference.volume
        self._executor.ask(
            lambda records: records.findings.add(study, volume, finding, pixels),
            lambda _: self.kept.emit(study),
        )

    def _look_up(self, shown: Shown | None) -> None:
        entry = self._register.entry(shown.study) if shown else None
        if shown is None or entry is None:
            return
        volume = volume_key(shown.series, shown.source)
        if (entry.id, volume) not in self._kept:
            self._executor.ask(
                partial(_known, entry.id, volume, self._reading.inference.find_model),
                partial(self._recall, shown, entry.id, volume),
                lambda _: None,
            )

    def _recall(self, shown: Shown, study: int, volume: str, finding: Finding | None) -> None:
        if finding is not None and (study, volume) not in self._kept:
            self._kept[study, volume] = finding.probabilities
            self._reading.inference.recall(id(shown.source), finding)


def _known(
    study: int, volume: str, find_model: Callable[[], Path], records: Records
) -> Finding | None:
    """What the model that is asked now said of these very files."""
    from tumorviewer.records import FindingEntry

    sha256 = bundle.read_card(find_model()).weights.sha256
    entry: FindingEntry | str | None = records.findings.current(study, volume, sha256)
    return records.findings.finding(entry) if isinstance(entry, FindingEntry) else None
