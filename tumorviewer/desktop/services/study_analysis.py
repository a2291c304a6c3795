"""Many studies, one after another, as the worklist's order has it. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tumorviewer import language
from tumorviewer.analysis.finding import Finding, ModelIdentity
from tumorviewer.analysis.messages import Analyse, unexpected
from tumorviewer.errors import Cancelled, InputError
from tumorviewer.language import tr
from tumorviewer.models import bundle
from tumorviewer.records import OnDisk, WorklistEntry
from tumorviewer.records.identity import study_key, volume_key
from tumorviewer.study.types import Refused, Series, Study, VolumeReader

if TYPE_CHECKING:
    from tumorviewer.records import Records

Ask = Callable[[Analyse], Finding]
"""Raises InputError for a volume that cannot be judged, :class:`WorkerError` where it may another
time."""
Check = Callable[[], None]
"""Raises Cancelled once the work is not wanted any more."""


class WorkerError(InputError):
    """Something went wrong that is not the volume's fault: nothing is noted of it."""


@dataclass
class StudyAnalyser:
    """Asks the model about studies of the worklist; what is answered is kept at once, so that an
    interruption costs one volume at most."""

    records: Records
    model: Path
    ask: Ask
    check: Check

    def __post_init__(self) -> None:
        card = bundle.read_card(self.model)
        self._identity = ModelIdentity(card.name, card.version, card.weights.sha256)

    def waiting(self, studies: Collection[int]) -> list[WorklistEntry]:
        """Those among some studies that the model has not judged wholly, in the order to do so."""
        waiting = self.records.worklist.waiting(self._identity.sha256)
        return [entry for entry in waiting if entry.id in studies]

    def judge(self, entry: WorklistEntry) -> list[Refused]:
        """Ask about each volume that has no answer; what cannot be judged is noted with its reason.

        Returns
        -------
        list of Refused
            What of the study has no answer now.

        Raises
        ------
        InputError
            If the model has gone, or the records cannot be written.
        """
        study = self._find(entry)
        if study is None:
            words = tr("It is not in its files any more, or they have gone."), tr("Open it anew.")
            return [Refused(entry.source, *words)]
        self.records.worklist.add(study)  # its files may have changed since
        self.records.trail.note("asked", entry.id, model=self._identity.sha256)
        judged = [
            self._judge_volume(entry.id, series, source)
            for series in study.series
            for source in series.volumes
            if not source.repeats
        ]
        return [refused for refused in judged if refused is not None]

    def _find(self, entry: WorklistEntry) -> Study | None:
        from tumorviewer.study import open_paths

        self.records.worklist.check([entry.id])
        if self.records.worklist.get(entry.id).on_disk is OnDisk.GONE:
            return None
        opened = open_paths(self.records.worklist.paths(entry.id), lambda *_: self.check())
        return next((study for study in opened.studies if study_key(study) == entry.key), None)

    def _judge_volume(self, study: int, series: Series, source: VolumeReader) -> Refused | None:
        self.check()
        key, findings = volume_key(series, source), self.records.findings
        known = findings.current(study, key, self._identity.sha256)
        if known is not None:
            return Refused(series.source, known) if isinstance(known, str) else None
        try:
            volume = source.load(lambda *_: self.check())
            answer = self.ask(Analyse(volume, self.model, method=None))
        except InputError as error:
            bundle.read_card(self.model)
            if not isinstance(error, WorkerError) and not self.records.worklist.check([study]):
                findings.refuse(study, key, self._identity, error.message)
            return Refused(series.source, error.reason, error.remedy)
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - one bad volume must not end the batch
            words = tr("The analysis failed unexpectedly. If it fails again, please report it.")
            return Refused(series.source, f"{words} ({unexpected(study, '', error).detail})")
        findings.add(study, key, answer, volume)
        return None


def enter_studies(
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
        tell(
            tr(
                "Looking into file {done} of {total}",
                done=language.number(done + 1, ","),
                total=language.number(total, ","),
            )
        )

    opened = open_paths(paths, progress)
    entered, refused = [], list(opened.refused)
    for number, study in enumerate(opened.studies, 1):
        check()
        tell(
            tr(
                "Entering study {n} of {total}",
                n=language.number(number, ","),
                total=language.number(len(opened.studies), ","),
            )
        )
        try:
            entered.append(records.worklist.add(study).id)
        except InputError as error:
            refused.append(Refused(error.source, error.reason, error.remedy))
    return entered, tuple(refused)
