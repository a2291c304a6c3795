"""A case: files to make, and what opening them must answer."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FOLDER_MARK = "Zaphod"
"""Is in the path of every case."""
PATIENT_MARK = "Beeblebrox"
"""Is in the name of every patient."""

Report = dict[str, Any]
"""What `drive.py` says of a case: `volumes`, `refused`, `studies`."""
Make = Callable[[Path], Iterable[Path] | None]
Check = Callable[[Report], None]


@dataclass(frozen=True)
class Case:
    """Something to open.

    `make` writes it into an empty folder and answers what to open; None stands for all that the
    folder holds, one by one.
    """

    name: str
    make: Make
    check: Check


def crc(array: np.ndarray) -> int:
    """Of the values, whatever the layout in memory."""
    return zlib.crc32(np.ascontiguousarray(array).tobytes())


def one_file(name: str, content: bytes | Callable[[], bytes]) -> Make:
    """A folder with one file."""

    def make(folder: Path) -> None:
        data = content if isinstance(content, bytes) else content()
        (folder / name).write_bytes(data)

    return make


def files(content: dict[str, bytes]) -> Make:
    """A folder that is opened as a whole."""

    def make(folder: Path) -> list[Path]:
        for name, data in content.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return [folder]

    return make


def _reasons(report: Report) -> list[dict[str, Any]]:
    failed = [volume["error"] for volume in report["volumes"] if volume["error"]]
    return [*report["refused"], *failed]


def _shown(report: Report) -> list[dict[str, Any]]:
    return [volume for volume in report["volumes"] if not volume["error"]]


def refused(pattern: str = "", *, remedy: bool = False, quietly: bool = False) -> Check:
    """Nothing opens, and one of the reasons is like `pattern`."""

    def check(report: Report) -> None:
        assert not _shown(report)
        found = [r for r in _reasons(report) if re.search(pattern, r["reason"], re.IGNORECASE)]
        assert found, _reasons(report)[:5]
        assert quietly or any(reason["is_error"] for reason in found)
        assert not remedy or any(reason["remedy"] for reason in found)

    return check


def opens(
    count: int = 1,
    *,
    note: str = "",
    left_out: str | None = None,
    array: np.ndarray | None = None,
    **properties: object,
) -> Check:
    """`count` volumes open, the first with these properties (`shape`, `dtype`, `placement`, …).

    `left_out` is the pattern of a reason why something else was not shown; None allows nothing.
    """

    def check(report: Report) -> None:
        shown = _shown(report)
        assert len(shown) == count, _reasons(report)[:5]
        if array is not None:
            assert shown[0]["crc"] == crc(array)
        for name, value in properties.items():
            assert shown[0][name] == (list(value) if isinstance(value, tuple) else value)
        assert re.search(note, " ".join(shown[0]["notes"]), re.IGNORECASE), shown[0]["notes"]
        others = " ".join(reason["reason"] for reason in _reasons(report))
        assert re.search(left_out or "^$", others, re.IGNORECASE), others[:500]

    return check


def whole_or_refused(array: np.ndarray) -> Check:
    """Never a part of a picture without a word."""

    def check(report: Report) -> None:
        for volume in _shown(report):
            assert volume["crc"] == crc(array) or volume["missing"]
        assert _shown(report) or _reasons(report)

    return check


def answered(report: Report) -> None:
    """It opens or is refused, whichever."""
    assert report["volumes"] or report["refused"]


def study(check: Check, **properties: object) -> Check:
    """Also, the first study has these properties."""

    def both(report: Report) -> None:
        check(report)
        for name, value in properties.items():
            assert report["studies"][0][name] == value

    return both
