"""What a report would be about now: the series with its answer, or what it must wait for."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tumorviewer.analysis.finding import Finding
from tumorviewer.analysis.whole_study.study_answer import StudyAnswer
from tumorviewer.desktop.services.inference import InferencePhase
from tumorviewer.desktop.services.reading import Reading, Shown
from tumorviewer.desktop.services.study_answer_controller import StudyAnswerController
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.records.identity import study_key, volume_key
from tumorviewer.study.types import Volume

if TYPE_CHECKING:
    from tumorviewer.records import Records
    from tumorviewer.reports.content import ReportContent


@dataclass(frozen=True, eq=False)
class ReportSubject:
    """A series with everything that is said of it."""

    shown: Shown
    volume: Volume
    finding: Finding
    model: Path
    """Folder of the model that answered."""
    answer: StudyAnswer | None
    """For the whole study, read from this volume."""


def find_subject(reading: Reading, answers: StudyAnswerController) -> ReportSubject | None:
    """What can be reported on now; None while the answer is still to come.

    Raises
    ------
    InputError
        If no answer will come.
    """
    shown, snapshot = reading.shown, reading.snapshot
    if shown is None:
        raise InputError("", tr("No study is open."))
    phase = snapshot.phase
    if phase in (InferencePhase.FAILED, InferencePhase.DIED, InferencePhase.CANCELLED):
        reason = tr("There is no answer of the model to report on.")
        raise InputError("", reason, tr("Analyse the series first."))
    is_busy = InferencePhase.WORKING in (phase, answers.state.phase)
    if is_busy or snapshot.finding is None or snapshot.volume is None:
        return None
    is_read = answers.read is not None and answers.read.volume is shown.source
    return ReportSubject(
        shown,
        snapshot.volume,
        snapshot.finding,
        reading.inference.find_model(),
        answers.state.answer if is_read else None,
    )


def gather_content(subject: ReportSubject, records: Records) -> ReportContent:
    """The content of the report of a subject; off the GUI thread.

    Raises
    ------
    InputError
        If a file of the series has changed or gone.
    """
    from tumorviewer.models import bundle
    from tumorviewer.reports.from_finding import build_content
    from tumorviewer.reports.from_records import look_up_reading
    from tumorviewer.reports.from_study_answer import with_study_answer

    study, series, _ = subject.shown
    reader = subject.shown.source
    time, verdict = look_up_reading(records, study, series, reader, subject.finding)
    content = build_content(
        study, series, reader, subject.volume, subject.finding,
        time=time, verdict=verdict, limits=bundle.read_card(subject.model).limits,
    )  # fmt: skip
    return content if subject.answer is None else with_study_answer(content, subject.answer)


def name_report(shown: Shown) -> str:
    """What the files of a report begin with: date and series, nothing of the patient, and the same
    only for the same volume."""
    key = f"{study_key(shown.study)}/{volume_key(shown.series, shown.source)}"
    words = re.sub(r"[^\w]+", "-", f"{shown.study.date} {shown.series.title}".strip())[:48]
    return f"{words.strip('-') or 'report'}-{hashlib.sha256(key.encode()).hexdigest()[:6]}"
