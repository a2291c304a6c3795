"""Which files are one study to its reader: those of one examination. No Qt."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from pathlib import Path

from tumorviewer.imaging.sequences import (
    Sequence,
    find_case_name,
    is_outline,
    recognise_sequence,
)
from tumorviewer.study.types import Study


def identify_case(study: Study) -> Hashable:
    """What a file, which is a study of its own, has in common with those of the same examination:
    folder and beginning of the name, where the rest of the name is a sequence or an outline. Any
    other study or file is a case of its own: that two files lie in one folder does not make them
    one patient's."""
    if study.uid is not None:
        return study.uid, study.patient_id
    series = study.series[0]
    is_named = recognise_sequence(series).sequence is not Sequence.OTHER or is_outline(series)
    if not is_named:
        return series.source, study.title
    return Path(series.source).parent, find_case_name(study.title)


def group_cases(studies: Iterable[Study]) -> list[list[Study]]:
    """Studies by case, in the order in which each case came first."""
    cases: dict[Hashable, list[Study]] = {}
    for study in studies:
        cases.setdefault(identify_case(study), []).append(study)
    return list(cases.values())


def name_case(case: list[Study]) -> str:
    """What a case is called: as its file, as what its files begin with, or as their folder."""
    first = case[0]
    if first.uid is not None or len(case) == 1:
        return first.title
    return find_case_name(first.title).rstrip(" _-.") or Path(first.series[0].source).parent.name
