"""The job without a screen: paths to findings, one for each volume, and what could not be judged.

torch is imported when there is something to judge.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tumorviewer.analysis.methods import BEST
from tumorviewer.errors import InputError
from tumorviewer.language import later, tr
from tumorviewer.study.notes import make_note
from tumorviewer.study.types import Placement

if TYPE_CHECKING:
    from tumorviewer.analysis.candidates import Finder
    from tumorviewer.analysis.engines.model import Model
    from tumorviewer.analysis.examination import Examination
    from tumorviewer.analysis.finding import Finding
    from tumorviewer.analysis.whole_study.series_choice import SeriesChoice
    from tumorviewer.analysis.whole_study.study_answer import StudyAnswer
    from tumorviewer.study.types import Opened, Series, Study, Volume, VolumeReader

Tell = Callable[[str], None]
"""Told what is being done."""


@dataclass(frozen=True)
class ClassifySettings:
    """How to judge."""

    model: Path
    """The bundle's folder."""
    device: str = "auto"
    engine: str = "auto"
    """Of :data:`tumorviewer.analysis.engines.choice.ENGINES`."""
    method: str | None = BEST
    """Of the saliency maps, the one that points best for the model if not named; None for none."""
    finder: Path | None = None
    """The folder of the bundle that outlines; None if there is none."""
    out: Path | None = None
    """Where to write; nothing is written without."""
    checks_map: bool = False
    """Whether the map of the most telling slice is checked."""
    varies: bool = False
    """Whether small changes of that slice are tried, also where it is not nearly free."""


@dataclass
class ClassifyResult:
    """What became of some paths."""

    findings: list[dict[str, Any]] = field(default_factory=list)
    """As ``classify --json`` prints them."""
    studies: list[dict[str, Any]] = field(default_factory=list)
    """The answer for each study, as ``classify --json`` prints it."""
    labels: dict[str, str] = field(default_factory=dict)
    """What a reader sees for each class."""
    errors: list[dict[str, str]] = field(default_factory=list)
    notes: list[dict[str, str]] = field(default_factory=list)
    """Files that are in order and have nothing to judge."""

    def refuse(self, error: InputError) -> None:
        """Note down an error."""
        self.errors.append({"source": error.source, "message": error.message})


class VolumeItem(NamedTuple):
    """One volume to judge."""

    series: Series
    volume: VolumeReader


def classify_paths(paths: Sequence[str], settings: ClassifySettings, tell: Tell) -> ClassifyResult:
    """Judge everything that some paths hold; a volume that repeats another's anatomy is left out.

    Raises
    ------
    InputError
        If the model, the device or ``settings.out`` cannot be used.
    """
    from tumorviewer.analysis.whole_study.series_choice import join_cases
    from tumorviewer.study import open_paths

    if settings.out:
        _make_folder(settings.out)
    opened = open_paths(
        paths,
        lambda done, found: tell(
            tr("Looking into file {done} of {found}", done=done + 1, found=found)
        ),
    )
    report = ClassifyResult()
    _take_refused(opened, report)
    if any(True for study in opened.studies for _ in list_volumes_to_judge(study)):
        _judge_all(join_cases(opened.studies), settings, report, tell)
    return report


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> InputError:
    reason = tr("It cannot be written to: {error}.", error=error.strerror or error)
    return InputError(str(folder), reason, tr("Make room or choose another folder."))


def _take_refused(opened: Opened, report: ClassifyResult) -> None:
    for refused in opened.refused:
        message = f"{refused.reason} {refused.remedy}".strip()
        kept = report.errors if refused.is_error else report.notes
        kept.append({"source": refused.source, "message": message})


def list_volumes_to_judge(study: Study) -> Iterator[VolumeItem]:
    """The volumes of a study that are worth asking about."""
    for series in study.series:
        yield from (VolumeItem(series, volume) for volume in series.volumes if not volume.repeats)


def _judge_all(
    studies: Sequence[Study], settings: ClassifySettings, report: ClassifyResult, tell: Tell
) -> None:
    tell(tr("Starting the model"))
    from tumorviewer.analysis.engines import choice

    model = choice.load_model(settings.model, settings.device, settings.engine)
    choice.use_threads()
    load_finder = None
    if settings.finder:
        load_finder = cache(partial(choice.load_finder, settings.finder, settings.engine))
    report.labels = model.card.labels
    total = sum(1 for study in studies for _ in list_volumes_to_judge(study))
    number = 0
    for study in studies:
        judged = _StudyJudge(study, model, load_finder, settings)
        for item in list_volumes_to_judge(study):
            number += 1
            at = f"{number} / {total}"
            try:
                report.findings.append(judged.judge(item, number, partial(_tell_at, tell, at)))
            except InputError as error:
                report.refuse(error)
        report.studies.append(judged.answer())


class _StudyJudge:
    """Judges the volumes of one study, and answers for it from the one that is read for that."""

    def __init__(
        self,
        study: Study,
        model: Model,
        load_finder: Callable[[], Finder] | None,
        settings: ClassifySettings,
    ) -> None:
        from tumorviewer.analysis.whole_study.series_choice import (
            describe_present,
            find_source,
        )

        self._model, self._load_finder = model, load_finder
        self._settings = settings
        self._source = find_source(study)
        self._present = describe_present(study)
        self._choice, self._volume = pick_volume(study)
        self._answer: dict[str, Any] | None = None

    def judge(self, item: VolumeItem, number: int, tell: Tell) -> dict[str, Any]:
        """The finding of one volume as JSON; its files are written if that is asked for.

        Raises
        ------
        InputError
            If it cannot be read or judged, or the files cannot be written.
        """
        stem = f"{number:03}-{name_files(item)}"
        try:
            return self._judge(item, stem, tell)
        except MemoryError as error:
            raise too_large(item.series) from error
        except OSError as error:
            if self._settings.out is None:
                raise
            raise _unwritable(self._settings.out, error) from error

    def answer(self) -> dict[str, Any]:
        """What is said of the study, as JSON."""
        from tumorviewer.analysis.whole_study.decision import refuse_study
        from tumorviewer.export.study_json import study_answer_to_json

        if self._answer is not None:
            return self._answer
        reason = tr("The series that is read could not be judged.") if self._choice else ""
        return study_answer_to_json(refuse_study(self._source, self._present, reason))

    def _judge(self, item: VolumeItem, stem: str, tell: Tell) -> dict[str, Any]:
        from tumorviewer.analysis import pipeline
        from tumorviewer.export.finding_files import export_finding
        from tumorviewer.export.finding_json import finding_to_json

        settings, progress = self._settings, report_progress(tell)
        tell(tr("Loading"))
        is_read = self._choice is not None and item.volume is self._choice.volume
        volume = self._volume if is_read and self._volume is not None else item.volume.load()
        volume = note_repeats(item, volume)
        examination = pipeline.examine_volume(volume, self._model, progress)
        if is_read:
            self._answer, self._volume = self._answer_for(examination, volume, stem, tell), None
        finding = pipeline.analyse_examination(
            examination,
            method=settings.method,
            checks_map=settings.checks_map,
            varies=settings.varies,
            progress=progress,
        )
        if settings.out is None:
            return finding_to_json(finding, volume)
        return export_finding(finding, volume, settings.out, stem)

    def _answer_for(
        self, examination: Examination, volume: Volume, stem: str, tell: Tell
    ) -> dict[str, Any]:
        from tumorviewer.analysis.whole_study.answering import answer_study
        from tumorviewer.export.study_json import study_answer_to_json

        assert self._choice is not None
        load = None if volume.placement is Placement.NONE else self._load_finder
        answer = answer_study(
            volume,
            load() if load else None,
            examination,
            self._choice.read,
            self._present,
            self._source,
            progress=report_progress(tell),
        )
        if (out := self._settings.out) is None:
            return study_answer_to_json(answer)
        from tumorviewer.export.mask_file import save_mask  # nibabel takes long

        masks = [
            save_mask(one.mask, volume, out / f"{stem}-outline{number}")
            for number, one in enumerate(answer.candidates, 1)
        ]
        return study_answer_to_json(answer, [one and one.relative_to(out) for one in masks])


def answer_for_study(study: Study, model: Model, finder: Finder | None, tell: Tell) -> StudyAnswer:
    """Load the volume that is read for a study's answer, and answer from it.

    Raises
    ------
    InputError
        If it cannot be judged.
    """
    from tumorviewer.analysis.pipeline import examine_volume as examine
    from tumorviewer.analysis.whole_study.answering import answer_study
    from tumorviewer.analysis.whole_study.decision import refuse_study
    from tumorviewer.analysis.whole_study.series_choice import describe_present, find_source

    source, present = find_source(study), describe_present(study)
    choice, volume = pick_volume(study)
    if choice is None or volume is None:
        return refuse_study(source, present)
    progress = report_progress(tell)
    examination = examine(volume, model, progress)
    return answer_study(
        volume, finder, examination, choice.read, present, source, progress=progress
    )


def pick_volume(study: Study) -> tuple[SeriesChoice | None, Volume | None]:
    """The volume that is read for a study's answer, loaded; masks are passed over."""
    from tumorviewer.analysis.slices import is_label_map
    from tumorviewer.analysis.whole_study.series_choice import rank_series

    for choice in rank_series(study):
        try:
            volume = choice.volume.load()
        except (InputError, MemoryError):  # said when it is judged
            continue
        if not is_label_map(volume):
            return choice, volume
    return None, None


def _tell_at(tell: Tell, at: str, text: str) -> None:
    tell(f"{at}: {text}")


def examine_volume(
    item: VolumeItem, model: Model, method: str | None, tell: Tell
) -> tuple[Finding, Volume]:
    """Load a volume and ask a model about it.

    Raises
    ------
    InputError
        If it cannot be read or judged.
    """
    from tumorviewer.analysis.pipeline import analyse_volume

    tell(tr("Loading"))
    try:
        volume = note_repeats(item, item.volume.load())
        finding = analyse_volume(volume, model, method=method, progress=report_progress(tell))
    except MemoryError as error:
        raise too_large(item.series) from error
    return finding, volume


def note_repeats(item: VolumeItem, volume: Volume) -> Volume:
    """A volume that says how many others of its series are not judged, as they repeat it."""
    repeats = sum(one.repeats for one in item.series.volumes)
    if not repeats:
        return volume
    text = later("{n} further volumes of the series repeat what a judged one shows: not judged.")
    note = make_note("repeats_not_judged", text, n=repeats)
    return replace(volume, notes=(*volume.notes, note))


def report_progress(tell: Tell) -> Callable[[int, int, str], None]:
    """Progress of an analysis as a line of text."""
    return lambda done, total, text: tell(f"{text} {done} / {total}")


def too_large(series: Series) -> InputError:
    """There is not enough memory for a series."""
    return InputError(series.source, tr("There is not enough memory for it."))


def name_files(item: VolumeItem) -> str:
    """A name for files from a series' title and the volume's label, safe on every system."""
    words = f"{item.series.title} {item.volume.label}"
    return re.sub(r"[^A-Za-z0-9]+", "-", words).strip("-").lower()[:60] or "volume"
