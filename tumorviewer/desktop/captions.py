"""What stands in the upper corners of a view: whose image it is, and which."""

from __future__ import annotations

from tumorviewer.desktop.reading import Shown
from tumorviewer.imaging.sequences import recognise_sequence
from tumorviewer.language import date


def patient_lines(shown: Shown) -> tuple[str, ...]:
    """Name, identifier and date; the title of a study that has none of them."""
    study = shown.study
    lines = (study.patient_name, study.patient_id, date(study.date))
    return tuple(line for line in lines if line) or (study.title,)


def series_lines(shown: Shown) -> tuple[str, ...]:
    """Description, modality and recognised sequence."""
    series = shown.series
    title = "" if series.uid is None else series.title
    return tuple(filter(None, (title, series.modality, str(recognise_sequence(series)))))
