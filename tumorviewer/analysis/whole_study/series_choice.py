"""Which series of a study is read: T1 with contrast, if there is one. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tumorviewer.analysis.whole_study.study_answer import SeriesRead
from tumorviewer.imaging.sequences import (
    Recognised,
    find_case_name,
    recognise_sequence,
)
from tumorviewer.imaging.sequences import (
    Sequence as Weighting,
)
from tumorviewer.language import tr
from tumorviewer.study.types import Series, Study, VolumeReader

_LOCALISER = re.compile(r"locali[sz]er|scout|survey|three.?plane|3.?plane|\bloc\b", re.IGNORECASE)
_ORDER = (Weighting.T1_CONTRAST, Weighting.T1, Weighting.OTHER)
"""Of what is read; other sequences are not."""
_LEAST_SLICES = 5
"""Fewer are read only if there is nothing else."""


@dataclass(frozen=True, eq=False)
class SeriesChoice:
    """A volume that may be read for the answer."""

    series: Series
    volume: VolumeReader
    sequence: Weighting
    read: SeriesRead


def rank_series(study: Study) -> tuple[SeriesChoice, ...]:
    """The volumes of a study that may hold what the model reads, the best first.

    T1 with contrast comes first, then T1 of which no contrast is said, then what does not say what
    it is; among equals the one with the most slices. Localisers, other sequences and other
    modalities than MR are left out.
    """
    choices = [
        _choice(series, volume)
        for series in study.series
        if series.modality in ("", "MR") and not _LOCALISER.search(_names(series))
        for volume in series.volumes
        if not volume.repeats
    ]
    return tuple(sorted((one for one in choices if one.sequence in _ORDER), key=_rank))


def describe_present(study: Study) -> tuple[str, ...]:
    """What a study holds, for the reader: sequences where they are known, else titles."""
    said = []
    for series in study.series:
        sequence = recognise_sequence(series).sequence
        if sequence is Weighting.OTHER:
            said.append(f"{series.modality} {series.title}".strip())
        else:
            said.append(tr(sequence.value))
    return tuple(dict.fromkeys(said))


def find_source(study: Study) -> str:
    """The file or folder that a study is from, as its reader knows it."""
    sources = list(dict.fromkeys(series.source for series in study.series))
    return sources[0] if len(sources) == 1 else str(Path(sources[0]).parent)


def join_cases(studies: Iterable[Study]) -> tuple[Study, ...]:
    """Studies as a reader counts them: NIfTI files of one folder and one case, each of another
    sequence (``x_t1.nii.gz``, ``x_t1ce.nii.gz``), are one study; a file alone is one."""
    cases: dict[object, list[Study]] = {}
    for number, study in enumerate(studies):
        cases.setdefault(_case(study) or number, []).append(study)
    return tuple(one for found in cases.values() for one in _joined(found))


def _case(study: Study) -> tuple[Path, str] | None:
    """None for what is a study of its own."""
    if study.uid is not None or len(study.series) != 1:
        return None
    series = study.series[0]
    if recognise_sequence(series).sequence is Weighting.OTHER:
        return None
    path = Path(series.source)
    return path.parent, find_case_name(path.name)


def _joined(found: Sequence[Study]) -> Sequence[Study]:
    sequences = [recognise_sequence(one.series[0]).sequence for one in found]
    if len(found) == 1 or len(set(sequences)) < len(found):
        return found
    first = found[0]
    series = tuple(one.series[0] for one in found)
    return [replace(first, title=Path(first.series[0].source).parent.name, series=series)]


def _choice(series: Series, volume: VolumeReader) -> SeriesChoice:
    found: Recognised = recognise_sequence(series)
    name = "" if found.sequence is Weighting.OTHER else found.sequence.value
    read = SeriesRead(series.source, series.title, series.uid, volume.label, name, found.doubt)
    return SeriesChoice(series, volume, found.sequence, read)


def _rank(choice: SeriesChoice) -> tuple[bool, int, int]:
    slices = choice.volume.shape[0]
    return slices < _LEAST_SLICES, _ORDER.index(choice.sequence), -slices


def _names(series: Series) -> str:
    keys = ("SeriesDescription", "ProtocolName")
    return " ".join((series.title, *(series.tags.get(key, "") for key in keys)))
