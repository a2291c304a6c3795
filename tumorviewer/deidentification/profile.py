"""The table of PS3.15 E.1-1: what is done to which attribute, and under which options."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import Enum
from functools import cache

from pydicom.datadict import dictionary_VR
from pydicom.tag import BaseTag

from tumorviewer.resources import resource_path


class Action(Enum):
    """What becomes of an element (PS3.15 E.3.1, action codes)."""

    KEEP = "K"
    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    """A value without meaning; items of a sequence are de-identified."""
    MAP_UID = "U"
    SHIFT_DATE = "C (date)"
    CLEAN = "C"
    """Only words of the imaging vocabulary stay."""


@dataclass(frozen=True)
class Options:
    """What is kept beyond the basic profile; both are reversible by nobody without the key."""

    dates: bool = False
    """Dates are shifted by a number of days that is the same for all of a patient's (Retain
    Longitudinal Temporal Information with Modified Dates); else they are emptied or removed."""
    descriptions: bool = False
    """Descriptions keep their words of the imaging vocabulary (Clean Descriptors); else they are
    removed."""

    def codes(self) -> list[tuple[str, str]]:
        """Value and meaning of the method codes (PS3.16 CID 7050)."""
        codes = [("113100", "Basic Application Confidentiality Profile")]
        if self.descriptions:
            codes.append(("113105", "Clean Descriptors Option"))
        if self.dates:
            codes.append(
                ("113107", "Retain Longitudinal Temporal Information Modified Dates Option")
            )
        return codes


_BASIC = {
    "D": Action.DUMMY,
    "Z": Action.EMPTY,
    "X": Action.REMOVE,
    "U": Action.MAP_UID,
    "Z/D": Action.DUMMY,
    "X/Z": Action.EMPTY,
    "X/D": Action.DUMMY,
    "X/Z/D": Action.DUMMY,
    "X/Z/U*": Action.DUMMY,
}
"""Of compound codes the one that is conformant whatever the attribute's type is in the object."""
_DATES = ("DA", "DT", "TM")
_KEPT_UIDS = ("ClassUID", "SyntaxUID", "SchemeUID", "ResourceUID", "CreatorUID", "ContextUID")
"""Endings of keywords of UIDs that name a kind of thing."""


@cache
def _table() -> dict[int, tuple[Action, bool, bool]]:
    """By tag: the action, whether it is a date to shift, whether it is a description to clean."""
    with resource_path("dicom", "confidentiality_profile.csv").open(encoding="utf-8") as stream:
        return {
            int(row["tag"], 16): (
                _BASIC[row["basic"]],
                bool(row["dates"]),
                bool(row["descriptions"]),
            )
            for row in csv.DictReader(stream)
        }


def choose_action(tag: BaseTag, vr: str, keyword: str, options: Options) -> Action:
    """What is done to an element.

    Beyond the table: private elements, curves, overlays and what the dictionary does not know are
    removed; names and dates that the table forgets are treated as those that it lists.
    """
    if tag.is_private or _is_repeating(tag.group) or not keyword:
        return Action.REMOVE
    row = _table().get(tag)
    if row is None:
        return _unlisted(vr, keyword, options)
    basic, is_date, is_description = row
    if is_date and options.dates and vr in _DATES:
        return Action.SHIFT_DATE
    if is_description and options.descriptions and vr in ("LO", "SH", "ST", "LT", "UT", "UC"):
        return Action.CLEAN
    return basic


def _unlisted(vr: str, keyword: str, options: Options) -> Action:
    if vr in _DATES:
        return Action.SHIFT_DATE if options.dates else Action.EMPTY
    if vr == "PN":
        return Action.EMPTY
    if vr == "UN":
        return Action.REMOVE
    if vr == "UI" and not keyword.endswith(_KEPT_UIDS):
        return Action.MAP_UID
    return Action.KEEP


def _is_repeating(group: int) -> bool:
    """Whether it is a group of curves (50xx) or overlays (60xx)."""
    return group & 0xFF00 in (0x5000, 0x6000)


def look_up_vr(tag: BaseTag) -> str:
    """The VR that the dictionary gives, the first where it gives several; ``UN`` if none."""
    try:
        return dictionary_VR(tag).split(" or ")[0]
    except KeyError:
        return "UN"
