"""Many studies, one after another, as the worklist's order has it. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tumorviewer.analysis.finding import Finding, ModelIdentity
from tumorviewer.analysis.messages import Analyse
from tumorviewer.errors import InputError
from tumorviewer.models import bundle
from tumorviewer.records import OnDisk, StudyEntry
from tumorviewer.records.identity import study_key, volume_key
from tumorviewer.study.types import Refused, Series, Study, VolumeSource

if TYPE_CHECKING:
    from tumorviewer.records import Records

Ask = Callable[[Analyse], Finding]
Check = Callable[[], None]
"""Raises Cancelled once the work is not wanted any more."""


@dataclass
class Judge:
    """Asks the model about studies of the worklist; what is answered is kept at once, so that an
    interruption costs one volume at most."""

    records: Records
    model: Path
    ask: Ask
    check: Check

    def __post_init__(self) -> None:
        card = bundle.read_card(self.model)
        self._identity = ModelIdentity(card.name, card.version, card.weights.sha256)

    def waiting(self, studies: Collection[int]) -> list[StudyEntry]:
        """Those among some studies that the model has not judged wholly, in the order to do so."""
        waiting = self.records.worklist.waiting(self._identity.sha256)
        return [entry for entry in waiting if entry.id in studies]

    def judge(self, entry: StudyEntry) -> None:
        """Ask about each volume that has no answer; what cannot be judged is noted with its reason.

        Raises
        ------
        InputError
            If the study cannot be opened, or the records cannot be written.
        """
        self.records.worklist.check([entry.id])
        if self.records.worklist.get(entry.id).on_disk is OnDisk.GONE:
            raise InputError("", "Its files have gone.", "Bring them back and try again.")
        study = self._opened(entry)
        self.records.trail.note("asked", entry.id, model=self._identity.sha256)
        for series in study.series:
            for source in series.volumes:
                if not source.repeats:
                    self._judge_volume(entry.id, series, source)

    def _judge_volume(self, study: int, series: Series, source: VolumeSource) -> None:
        self.check()
        key = volume_key(series, source)
        findings = self.records.findings
        if findings.current(study, key, self._identity.sha256) is not None:
            return
        try:
            volume = source.load(lambda *_: self.check())
            answer = self.ask(Analyse(volume, self.model, method=None))
        except InputError as error:
            findings.refuse(study, key, self._identity, error.message)
        else:
            findings.add(study, key, answer)

    def _opened(self, entry: StudyEntry) -> Study:
        from tumorviewer.study import open_paths

        opened = open_paths(self.records.worklist.paths(entry.id), lambda *_: self.check())
        for study in opened.studies:
            if study_key(study) == entry.key:
                self.records.worklist.add(study)  # its files may have changed since
                return study
        raise InputError("", "It is not in its files any more.", "Open it anew.")


def enter(
    paths: Sequence[Path], records: Records, check: Check, tell: Callable[[str], object]
) -> tuple[list[int], tuple[Refused, ...]]:
    """Put what some paths hold on the worklist.

    Returns
    -------
    tuple
        The studies; what could not be entered, and why.
    """
    from tumorviewer.study import open_paths

    def progress(done: int, total: int) -> None:
        check()
        tell(f"Looking into file {done + 1:,} of {total:,}")

    opened = open_paths(paths, progress)
    entered, refused = [], list(opened.refused)
    for number, study in enumerate(opened.studies, 1):
        check()
        tell(f"Entering study {number:,} of {len(opened.studies):,}")
        try:
            entered.append(records.worklist.add(study).id)
        except InputError as error:
            refused.append(Refused(error.source, error.reason, error.remedy))
    return entered, tuple(refused)
