"""Status codes of C-STORE and of the retrieve services (PS3.4 B.2.3, PS3.7 C) in words."""

from __future__ import annotations

from tumorviewer.language import later, tr

_WORDS = {
    0x0110: later("processing failure"),
    0x0111: later("an object of this UID is there already"),
    0x0112: later("no such object"),
    0x0117: later("the UID is not valid"),
    0x0118: later("the kind of object is not known"),
    0x0122: later("the kind of object is not supported"),
    0x0124: later("not authorised"),
    0xA801: later("it does not know the destination"),
    0xFE00: later("cancelled"),
}
_RANGES = (
    (0xA700, 0xA7FF, later("out of resources")),
    (0xA800, 0xA8FF, later("the kind of object is not supported")),
    (0xA900, 0xA9FF, later("the object does not match its kind")),
    (0xB000, 0xBFFF, later("stored with a warning")),
    (0xC000, 0xCFFF, later("the object cannot be understood")),
)
_PASSING = (0x0110, 0x0213)
"""Failures that may not happen again."""


def is_stored(code: int) -> bool:
    """Whether a C-STORE succeeded, be it with a warning."""
    return code == 0x0000 or 0xB000 <= code <= 0xBFFF


def is_permanent(code: int) -> bool:
    """Whether sending the same object again is useless."""
    passing = code in _PASSING or 0xA700 <= code <= 0xA7FF
    return not is_stored(code) and not passing


def describe_status(code: int) -> str:
    """A code in words; empty for success."""
    if code == 0x0000:
        return ""
    words = _WORDS.get(code)
    if words is None:
        words = next((words for low, high, words in _RANGES if low <= code <= high), "")
    told = tr(words) if words else tr("unknown status")
    return f"{told} ({code:04X}H)"
