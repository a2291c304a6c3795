"""Which MR sequence a series is: from DICOM tags first, then from its names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from tumorviewer.language import later, tr
from tumorviewer.study.types import Series


class Sequence(Enum):
    """What a hanging protocol tells apart; the value is its name in one."""

    T1 = "T1"
    T1_CONTRAST = later("T1 + contrast")
    T2 = "T2"
    FLAIR = "FLAIR"
    DIFFUSION = later("Diffusion")
    OTHER = "Other"


@dataclass(frozen=True)
class Recognised:
    """A sequence, and what makes it uncertain."""

    sequence: Sequence
    doubt: str = ""
    """In words; empty where the tags say it and no name says otherwise."""

    def __str__(self) -> str:
        if self.sequence is Sequence.OTHER:
            return ""
        name = tr(self.sequence.value)
        return f"{name}? ({self.doubt})" if self.doubt else name


_B = r"(?<![a-z0-9])"
_E = r"(?![a-z0-9])"
_NAMES = (
    (Sequence.DIFFUSION, rf"{_B}(dwi|dti|adc|diff\w*|tracew?|b[ =_]?\d{{3,4}}){_E}"),
    (Sequence.FLAIR, rf"flair|dark.?fluid|tirm|{_B}t2f{_E}"),
    (Sequence.T1_CONTRAST, rf"{_B}(t1(ce|c|gd|post|w?[ _+-]*(c\+|\+c|gd|post|ce))|c\+|\+c){_E}"),
    (Sequence.T1, rf"{_B}t1(?!\d)|mp.?rage|{_B}(spgr|bravo|tfl){_E}"),
    (Sequence.T2, rf"{_B}t2(?!\d|.?(\*|star))"),
)
_VESSELS = rf"{_B}(tof|mra|mip|angio\w*){_E}"
_OUTLINES = rf"{_B}(seg|segm\w*|mask|labels?|roi){_E}"
_CONTRAST = re.compile(rf"{_B}(gd|gad\w*|post|contrast|ce|c\+|\+c|km|kontrast\w*){_E}")
_PLAIN = re.compile(rf"{_B}(pre|native?|w/?o|without|non|no)[ _-]*(gd|gad\w*|contrast|km)?{_E}")
_WORD = "|".join([*(pattern for _, pattern in _NAMES), _CONTRAST.pattern])
_CASE = re.compile(rf"sub-[a-z0-9]+(_ses-[a-z0-9]+)?|.*?(?={_WORD})|.*[ _-]|", re.IGNORECASE)
_NO_AGENT = {"", "NO", "NONE", "N", "0", "WITHOUT"}


def recognise_sequence(series: Series) -> Recognised:
    """Tell T1, T1 after contrast, T2, FLAIR and diffusion from each other and from the rest.

    Weighting is judged from echo, repetition and inversion time, contrast from Contrast/Bolus
    Agent (PS3.3 C.8.3.1, C.7.6.4); where the tags do not tell, from description, protocol and
    file name.
    """
    if series.modality not in ("", "MR") or _is_angiography(series) or is_outline(series):
        return Recognised(Sequence.OTHER)
    by_name, by_tags = _by_name(series), _by_tags(series.tags)
    if by_tags is None:
        doubt = "" if by_name is Sequence.OTHER else tr("by name")
        return Recognised(by_name, doubt)
    if by_tags is Sequence.T1 and by_name is Sequence.T1_CONTRAST:
        return Recognised(by_name, tr("contrast by name"))
    agrees = by_name in (by_tags, Sequence.OTHER) or {by_name, by_tags} == {
        Sequence.T1,
        Sequence.T1_CONTRAST,
    }
    return Recognised(by_tags, "" if agrees else tr("name: {name}", name=tr(by_name.value)))


def find_modality(series: Series) -> str:
    """DICOM's two letters; MR of a file that has none, and whose name is that of a sequence."""
    is_named = recognise_sequence(series).sequence is not Sequence.OTHER
    return series.modality or ("MR" if is_named else "")


def find_case_name(name: str) -> str:
    """What the files of one examination begin with: subject and session as BIDS writes them
    (``sub-01_ses-2``), else what stands before the sequence (``x_`` of ``x_t1ce.nii.gz``), or
    before the last word where there is none."""
    found = _CASE.match(name)
    assert found is not None
    return found[0]


def _by_name(series: Series) -> Sequence:
    tags = series.tags
    words = (series.title, tags.get("SeriesDescription", ""), tags.get("ProtocolName", ""))
    text = " ".join(words).lower()
    found = next((kind for kind, pattern in _NAMES if re.search(pattern, text)), Sequence.OTHER)
    if found is Sequence.T1 and _CONTRAST.search(text) and not _PLAIN.search(text):
        return Sequence.T1_CONTRAST
    return found


def _by_tags(tags: Mapping[str, str]) -> Sequence | None:
    """None where the tags do not tell."""
    if _is_diffusion(tags):
        return Sequence.DIFFUSION
    weighting = _weighting(tags)
    agent = tags.get("ContrastBolusAgent", "").strip().upper()
    if weighting is Sequence.T1 and agent not in _NO_AGENT:
        return Sequence.T1_CONTRAST
    return weighting


def _is_angiography(series: Series) -> bool:
    """Vessels, or a projection of them: T1-weighted by their times, and read as neither."""
    tags = series.tags
    image_type = tags.get("ImageType", "").upper()
    is_projected = re.search(r"PROJECTION IMAGE|\bMIP\b", image_type) is not None
    named = re.search(_VESSELS, f"{series.title} {tags.get('ProtocolName', '')}".lower())
    return is_projected or tags.get("AngioFlag", "").upper() == "Y" or named is not None


def is_outline(series: Series) -> bool:
    """A file named after the sequence that it was drawn on (``x_flair_seg.nii.gz``)."""
    return not series.modality and re.search(_OUTLINES, series.title.lower()) is not None


def _is_diffusion(tags: Mapping[str, str]) -> bool:
    kinds = {"DIFFUSION", "ADC", "TRACEW", "FA"}
    image_type = set(tags.get("ImageType", "").upper().split("\\"))
    b_value = _number(tags, "DiffusionBValue")
    named = re.search(r"ep_b\d|_b\d{3,}", tags.get("SequenceName", "").lower())
    return bool(image_type & kinds or (b_value or 0) > 0 or named)


def _weighting(tags: Mapping[str, str]) -> Sequence | None:
    """By the times of the sequence, ms."""
    echo = _number(tags, "EchoTime") or _number(tags, "EffectiveEchoTime")
    repetition, inversion = _number(tags, "RepetitionTime"), _number(tags, "InversionTime")
    if repetition is None or echo is None:
        return None
    if inversion is not None and inversion >= 1500 and repetition >= 4000:
        return Sequence.FLAIR if echo >= 60 else None
    if inversion is not None and 300 <= inversion <= 1400 and echo <= 15:
        return Sequence.T1
    if repetition >= 2000 and echo >= 60:
        return Sequence.T2
    if repetition >= 1500:
        return Sequence.OTHER if echo < 60 and not inversion else None
    if "GR" in tags.get("ScanningSequence", "").upper().split("\\"):
        return _gradient_echo(echo, _number(tags, "FlipAngle"))
    return Sequence.T1 if repetition <= 1000 and echo <= 30 else None


def _gradient_echo(echo: float, flip: float | None) -> Sequence | None:
    return Sequence.T1 if echo <= 10 and flip is not None and flip >= 8 else None


def _number(tags: Mapping[str, str], keyword: str) -> float | None:
    try:
        return float(tags.get(keyword, "").split("\\")[0])
    except ValueError:
        return None
