"""Open cases one after the other as the program would; a line of JSON for each on the output.

Run as a program of its own, so that a crash, a hang or a flood of memory is seen from outside.
Usage: ``drive.py FOLDER NAME…``; a line ``{"starts": NAME}`` precedes each report.
"""

from __future__ import annotations

import gc
import io
import json
import logging
import os
import resource
import shutil
import signal
import sys
import tempfile
import warnings
import zlib
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import numpy as np
from corpus import CASES
from corpus.case import FOLDER_MARK, PATIENT_MARK, Case

from tumorviewer.errors import InputError
from tumorviewer.study import Opened, VolumeReader, open_paths

WALL_SECONDS = 120
"""After which a case is said to hang."""
ADDRESS_SPACE = 6 << 30


class Hang(BaseException):
    """Raised when a case takes too long on the clock."""


def _on_alarm(_signal: int, _frame: FrameType | None) -> None:
    raise Hang


def _volume(source: VolumeReader) -> dict[str, Any]:
    try:
        loaded = source.load()
    except InputError as error:
        shown = {"reason": error.reason, "remedy": error.remedy, "is_error": True}
        return {"error": shown, "source": error.source}
    assert loaded.array.shape[:3] == source.shape
    assert np.isfinite(loaded.affine).all()
    assert abs(np.linalg.det(loaded.affine[:3, :3] / loaded.spacing())) > 1e-4
    assert 1e-6 < min(loaded.spacing()) <= max(loaded.spacing()) < 1e6
    return {
        "error": None,
        "shape": loaded.array.shape[:3],
        "dtype": str(loaded.array.dtype),
        "placement": loaded.placement.name,
        "notes": loaded.notes,
        "missing": loaded.missing,
        "label": loaded.label,
        "crc": zlib.crc32(np.ascontiguousarray(loaded.array).tobytes()),
    }


def _report(opened: Opened) -> dict[str, Any]:
    return {
        "studies": [
            {
                "title": study.title,
                "patient_name": study.patient_name,
                "patient_id": study.patient_id,
            }
            for study in opened.studies
        ],
        "volumes": [
            _volume(source)
            for study in opened.studies
            for series in study.series
            for source in series.volumes
        ],
        "refused": [vars(refused) for refused in opened.refused],
    }


def _reset_peak() -> int:
    """Forget the peak of memory so far; bytes in use now."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return _peak()


def _peak() -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _paths(case: Case, folder: Path) -> list[Path]:
    folder.mkdir(parents=True)
    named = case.make(folder)
    return sorted(folder.iterdir()) if named is None else list(named)


def _open(case: Case, paths: list[Path]) -> dict[str, Any]:
    before = _reset_peak()
    signal.alarm(WALL_SECONDS)
    try:
        report = _report(open_paths(paths))
    except (Exception, Hang) as error:  # noqa: BLE001 - faults are what is looked for
        report = {"fault": f"{type(error).__name__}: {error}"}
    signal.alarm(0)
    gc.collect()
    return report | {
        "memory": _peak() - before,
        "leaked": [path.name for path in Path(tempfile.gettempdir()).iterdir()],
    }


def _captured(case: Case, folder: Path, log: io.StringIO) -> dict[str, Any]:
    """A report with what was printed and logged."""
    paths = _paths(case, folder)
    spoken = folder.parent / "spoken.txt"
    with spoken.open("w+b") as file:
        kept = [os.dup(number) for number in (1, 2)]
        for number in (1, 2):
            os.dup2(file.fileno(), number)
        try:
            report = _open(case, paths)
        finally:
            sys.stderr.flush()
            for number, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, number)
                os.close(copy)
    said = spoken.read_bytes().decode("utf-8", "replace") + log.getvalue()
    return report | {"tells": [mark for mark in (FOLDER_MARK, PATIENT_MARK) if mark in said]}


def main(root: Path, names: list[str], out: TextIO) -> None:
    """Drive the cases of these names."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    signal.signal(signal.SIGALRM, _on_alarm)
    tempfile.tempdir = str(root / "temporary")
    Path(tempfile.tempdir).mkdir(parents=True)
    warnings.simplefilter("default")
    gc.freeze()
    for number, name in enumerate(names):
        log = io.StringIO()
        logging.basicConfig(stream=log, level=logging.DEBUG, force=True)
        print(json.dumps({"starts": name}), file=out, flush=True)
        folder = root / str(number) / FOLDER_MARK
        report = _captured(CASES[name], folder, log)
        print(json.dumps(report | {"name": name}), file=out, flush=True)
        shutil.rmtree(folder.parent)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:], os.fdopen(os.dup(1), "w"))
