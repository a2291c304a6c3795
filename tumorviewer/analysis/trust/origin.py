"""What a volume's tags and geometry say it is: modality, body part, sequence, plane. No torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tumorviewer.imaging import geometry
from tumorviewer.imaging.sequences import Sequence, recognise_sequence
from tumorviewer.study.types import Series, Volume


@dataclass(frozen=True)
class Origin:
    """Of a volume; empty where nothing says it."""

    modality: str = ""
    """DICOM's (PS3.3 C.7.3.1.1.1): ``"MR"``."""
    body_part: str = ""
    """As stated; of parts named in descriptions only those that are not of the head."""
    sequence: str = ""
    """A value of :class:`tumorviewer.imaging.sequences.Sequence`."""
    plane: str = ""
    """As :func:`tumorviewer.imaging.geometry.name_plane` answers."""


_HEAD = re.compile(
    r"head|brain|skull|cran|pituit|sella|orbit|\biac\b|kopf|schädel|gehirn|hirn|tete|tête|"
    r"cerve[al]|encephal|cabeza|kafa|beyin|baş|hipofiz",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    r"\b(?:[ctl]-?spine|spine|neck|carotid\w*|chest|thora\w+|lung\w*|heart|cardiac|breast\w*|"
    r"abdom\w+|liver|kidney\w*|pelvis|prostate|uterus|shoulder|elbow|wrist|hand|hip|knee\w*|"
    r"ankle|foot|feet|femur|leg|arm|whole ?body|omurga|boyun|göğüs|karın|karaciğer|meme|diz|kalça|"
    r"omuz|wirbelsäule|hals|bauch|leber|knie|becken)\b",
    re.IGNORECASE,
)


def find_origin(volume: Volume) -> Origin:
    """Read it from the tags of a volume's series; its sequence, without tags, from its name."""
    tags = volume.tags
    series = Series(Path(volume.source).name, (), volume.source, modality="", tags=tags)
    sequence = recognise_sequence(series).sequence
    return Origin(
        modality=tags.get("Modality", "").strip().upper() or ("CT" if volume.units == "HU" else ""),
        body_part=_body_part(volume),
        sequence="" if sequence is Sequence.OTHER else sequence.value,
        plane=geometry.name_plane(volume),
    )


def is_of_head(body_part: str) -> bool:
    """Whether a stated body part is, or includes, the head."""
    return bool(_HEAD.search(body_part))


def _body_part(volume: Volume) -> str:
    """The stated one (PS3.16 L), else one that a description names beside the head."""
    if stated := volume.tags.get("BodyPartExamined", "").strip():
        return stated
    keywords = ("SeriesDescription", "ProtocolName", "StudyDescription")
    words = " ".join(volume.tags.get(keyword, "") for keyword in keywords)
    found = _ELSEWHERE.search(words)
    return found[0] if found and not is_of_head(words) else ""
