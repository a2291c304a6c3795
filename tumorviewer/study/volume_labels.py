"""Labels of volumes in the user's language; the labels themselves tell volumes apart in the
records, so they stay English."""

from __future__ import annotations

import re

from tumorviewer.language import later, tr

TERMS = (
    later("acquisition"),
    later("axial"),
    later("block"),
    later("colour"),
    later("component"),
    later("coronal"),
    later("direction"),
    later("echo"),
    later("frame of reference"),
    later("no."),
    later("object"),
    later("oblique"),
    later("oblique axial"),
    later("oblique coronal"),
    later("oblique sagittal"),
    later("page"),
    later("part"),
    later("phase"),
    later("repeat"),
    later("sagittal"),
    later("stack"),
    later("time"),
    later("volume"),
)
"""What tells the volumes of a series apart, and planes."""
_TERM = re.compile(r"([a-z][a-z .]*)(?: (\d+))?(?: of (\d+))?")
_PAGES = re.compile(r"(\d+) pages from (\d+) to (\d+)")


def translate_label(label: str) -> str:
    """A volume's label to be shown; what comes from the file stays as it is."""
    return ", ".join(map(_words, label.split(", ")))


def _words(part: str) -> str:
    if pages := _PAGES.fullmatch(part):
        count, first, last = pages.groups()
        return tr("{n} pages from {first} to {last}", n=count, first=first, last=last)
    found = _TERM.fullmatch(part)
    if found is None or found[1] not in TERMS:
        return part
    term, at, count = found.groups()
    if count:
        return tr("{term} {n} of {count}", term=tr(term), n=at, count=count)
    return f"{tr(term)} {at or ''}".rstrip()
