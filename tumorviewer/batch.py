"""Many studies without a screen: judged in the worklist's order, gone on with after a kill.

Every answer is in the records before its study's line is printed, so that a run that is repeated
after an interruption, or with more folders, asks only about what is new or has changed on disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tumorviewer.analysis.finding import ModelIdentity
from tumorviewer.analysis.messages import unexpected
from tumorviewer.classify import (
    ClassifySettings,
    Tell,
    VolumeItem,
    answer_for_study,
    examine_volume,
    list_volumes_to_judge,
)
from tumorviewer.errors import InputError
from tumorviewer.export.study_json import study_answer_to_json
from tumorviewer.export.wording import explain_finding
from tumorviewer.language import duration, later, tr
from tumorviewer.records import FindingEntry, Records, WorklistEntry
from tumorviewer.records.identity import volume_key
from tumorviewer.study.types import Refused, Study

if TYPE_CHECKING:
    from tumorviewer.analysis.candidates import Finder
    from tumorviewer.analysis.engines.model import Model
    from tumorviewer.analysis.whole_study.study_answer import StudyAnswer

Emit = Callable[[dict[str, Any]], None]
"""Given the line of a study, as soon as it is known."""

_WAIT_S = 0.5
_UNEXPECTED = later("The analysis failed unexpectedly; please report it:")
_OURS = ("labels", "no_tumour", "map_notes")
"""What a kept finding has beyond ``classify --json``."""
_SHOWN = (
    "key", "uid", "source", "modality", "date", "priority", "predicted_class", "tumour", "doubt",
)  # fmt: skip
"""Of a study; nothing that names the patient."""


def run_batch(
    paths: Sequence[str], settings: ClassifySettings, records: Records, emit: Emit, tell: Tell
) -> bool:
    """Put studies on the worklist and judge them; those judged before are only printed again.

    Returns
    -------
    bool
        Whether everything could be judged.

    Raises
    ------
    InputError
        If the model or the device cannot be used, or the records cannot be written.
    """
    from tumorviewer.study import open_paths

    opened = open_paths(
        paths,
        lambda done, found: tell(
            tr("Looking into file {done} of {found}", done=done + 1, found=found)
        ),
    )
    refused = [one for one in opened.refused if one.is_error]
    studies = _listed(opened.studies, records, refused, tell)
    for one in refused:
        emit(_line(None, errors=[_error(one.source, f"{one.reason} {one.remedy}".strip())]))
    batch = _Batch(settings, records, tell)
    return all([not refused, *batch.judge_all(studies, emit)])


def _listed(
    studies: Sequence[Study], records: Records, refused: list[Refused], tell: Tell
) -> dict[int, Study]:
    """The studies by their number on the worklist."""
    listed = {}
    for number, study in enumerate(studies, 1):
        tell(tr("Listing study {n} of {total}", n=number, total=len(studies)))
        try:
            listed[records.worklist.add(study).id] = study
        except InputError as error:
            refused.append(Refused(error.source, error.reason, error.remedy))
    return listed


@dataclass
class _Batch:
    """One run over some studies."""

    settings: ClassifySettings
    records: Records
    tell: Tell

    @cached_property
    def sha256(self) -> str:
        """Of the model; known without loading it."""
        from tumorviewer.models import bundle

        return bundle.read_card(self.settings.model).weights.sha256

    @cached_property
    def model(self) -> Model:
        """Loaded when there is something to judge."""
        self.tell(tr("Starting the model"))
        from tumorviewer.analysis.engines import choice

        model = choice.load_model(self.settings.model, self.settings.device, self.settings.engine)
        choice.use_threads()
        return model

    @cached_property
    def finder(self) -> Finder | None:
        """What outlines; loaded when there is something to judge."""
        from tumorviewer.analysis.engines import choice

        if self.settings.finder is None:
            return None
        return choice.load_finder(self.settings.finder, self.settings.engine)

    def judge_all(self, studies: dict[int, Study], emit: Emit) -> list[bool]:
        """Emit the line of each study; answers whether each was judged wholly."""
        waiting = [one for one in self.records.worklist.waiting(self.sha256) if one.id in studies]
        ids = {entry.id for entry in waiting}
        done = [self.records.worklist.get(number) for number in studies if number not in ids]
        answered = [self._judge(entry, studies[entry.id], emit, self.tell) for entry in done]
        progress = _Progress([_slices(studies[entry.id]) for entry in waiting], self.tell)
        for at, entry in self._free(waiting):
            self.records.trail.note("asked", entry.id, model=self.sha256)
            answered.append(self._judge(entry, studies[entry.id], emit, progress.of(at)))
        return answered

    def _free(self, waiting: Sequence[WorklistEntry]) -> Iterator[tuple[int, WorklistEntry]]:
        """Each study with its number, while no window judges it; those that one does come later."""
        left = list(waiting)
        while left:
            for entry in tuple(left):
                with self.records.queue.judging(entry.id) as is_ours:
                    if is_ours:
                        left.remove(entry)
                        yield len(waiting) - len(left) - 1, entry
            if left:
                self.tell(tr("Waiting for another program that judges the same studies"))
                time.sleep(_WAIT_S)

    def _judge(self, entry: WorklistEntry, study: Study, emit: Emit, tell: Tell) -> bool:
        found: list[dict[str, Any]] = []
        errors: list[dict[str, str]] = []
        for item in list_volumes_to_judge(study):
            key = volume_key(item.series, item.volume)
            known = self.records.findings.current(entry.id, key, self.sha256)
            if not isinstance(known, FindingEntry):
                known = self._ask(entry.id, key, item, known, tell)
            if isinstance(known, FindingEntry):
                found.append(self._as_printed(known))
            else:
                errors.append(_error(item.series.source, known))
        answer = self._answer(entry.id, study, tell) if found else None
        emit(_line(self.records.worklist.get(entry.id), found, errors, answer))
        return not errors

    def _answer(self, number: int, study: Study, tell: Tell) -> dict[str, Any] | None:
        """The answer for the study, kept if it is new; None if there can be none."""
        kept = self.records.study_answers.latest(number)
        if kept is None or not self._is_current(kept):
            try:
                kept = answer_for_study(study, self.model, self.finder, tell)
            except InputError:  # said of the volume
                return None
            self.records.study_answers.add(number, kept)
        return study_answer_to_json(kept)

    def _is_current(self, answer: StudyAnswer) -> bool:
        """Whether the model of this run gave it, or none could."""
        by_it = self.sha256 in [one.sha256 for one in answer.models]
        return not answer.models or (by_it and answer.series_read is not None)

    def _ask(
        self, study: int, key: str, item: VolumeItem, refused: str | None, tell: Tell
    ) -> FindingEntry | str:
        """Ask the model, also about what it refused: a disk may have come back since."""
        model = self.model
        try:
            finding, volume = examine_volume(item, model, self.settings.method, tell)
        except InputError as error:
            if error.message != refused:
                self.records.findings.refuse(study, key, self._identity, error.message)
            return error.message
        except Exception as error:  # noqa: BLE001 - one bad volume must not end the batch
            return f"{tr(_UNEXPECTED)} {unexpected(study, '', error).detail}"
        return self.records.findings.add(study, key, finding, volume)

    def _as_printed(self, entry: FindingEntry) -> dict[str, Any]:
        printed = {name: value for name, value in entry.document.items() if name not in _OURS}
        if "explanation" not in printed:  # kept by an earlier version
            printed["explanation"] = explain_finding(self.records.findings.finding(entry))
        return printed

    @property
    def _identity(self) -> ModelIdentity:
        card = self.model.card
        return ModelIdentity(card.name, card.version, self.sha256)


class _Progress:
    """How far the batch is, in words, with the time left by the slices that are done.

    Parameters
    ----------
    slices
        Of each study.
    """

    def __init__(self, slices: Sequence[int], tell: Tell) -> None:
        self._slices = slices
        self._tell = tell
        self._start = time.monotonic()

    def of(self, at: int) -> Tell:
        """Tells what is being done to one of the studies."""
        done, left = sum(self._slices[:at]), sum(self._slices[at:])
        spent = time.monotonic() - self._start
        head = tr("Study {n} of {total}", n=at + 1, total=len(self._slices))
        if done:
            head += ", " + tr("about {time} left", time=duration(spent / done * left))
        return lambda text: self._tell(f"{head}: {text}")


def _slices(study: Study) -> int:
    return sum(item.volume.shape[0] for item in list_volumes_to_judge(study))


def _error(source: str, message: str) -> dict[str, str]:
    return {"source": source, "message": message}


def _line(
    entry: WorklistEntry | None,
    found: Sequence[dict[str, Any]] = (),
    errors: Sequence[dict[str, str]] = (),
    answer: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What is printed of one study; None for a file that belongs to none."""
    about = entry and {name: getattr(entry, name) for name in _SHOWN}
    return {"study": about, "answer": answer, "findings": list(found), "errors": list(errors)}
