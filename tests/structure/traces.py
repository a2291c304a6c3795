"""What really runs in a checkout: a path that is dropped, and a training from folder to bundle.

Run by ``measure_structure.py`` in a process of its own, with the checkout first on ``PYTHONPATH``.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path, PurePath
from types import FrameType
from typing import Any

DATA = Path(__file__).resolve().parents[1] / "golden" / "062b057"
SMALL = (
    "--progress=none", "--set=preprocessing.size=32", "--set=model.architecture=light",
    "--set=model.options.width=4", "--set=training.batch=8", "--set=training.epochs=1",
    "--set=split.folds=4",
)  # fmt: skip
_NEAR = 4
"""A step of the training is called so many of the trainer's own frames below the command, at most:
what is deeper is how a step is done."""


def trace_drop(root: Path, _: Path) -> dict[str, Any]:
    """Files of the window that are handed the path, or a study, series or volume of it, until all
    is still again."""
    from PySide6.QtCore import QEventLoop, QTimer

    app = _first_module("tumorviewer.desktop.shell.app", "tumorviewer.desktop.app")
    _application, window, loop = app.make_application(), app.make_window(), QEventLoop()
    window.show()
    QTimer.singleShot(4000, loop.quit)
    loop.exec()
    handed: dict[str, None] = {}

    def note(frame: FrameType, file: str) -> None:
        code = frame.f_code
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if file not in handed and any(_is_read(frame.f_locals.get(name)) for name in names):
            handed[file] = None

    with _Tracing(root / "tumorviewer", note):
        window.open([DATA / "patients" / "1" / "1"])
        QTimer.singleShot(6000, loop.quit)
        loop.exec()
    return {"files": list(handed)}


def trace_fit(root: Path, out: Path) -> dict[str, Any]:
    """Functions of other modules that the training calls near its command until the bundle is
    there, in order."""
    from trainer import cli

    package = str(root / "trainer") + os.sep
    steps: dict[str, None] = {}
    entered: list[str] = []
    written = out / "run" / "bundle" / "card.json"

    def note(frame: FrameType, file: str) -> None:
        callers = [each for each in _callers(frame) if each.f_code.co_filename.startswith(package)]
        is_call = callers and callers[0].f_code.co_filename != frame.f_code.co_filename
        if is_call and len(callers) <= _NEAR and not written.exists():
            name = frame.f_code.co_qualname
            if name != "<module>":
                steps.setdefault(f"{file}: {name}")
                entered.append(file)

    with _Tracing(root / "trainer", note):
        data = str(DATA / "shapes")
        cli.main(["fit", data, f"--out={out / 'run'}", f"--cache={out / 'cache'}", *SMALL])
    return {"steps": list(steps), "entered": entered}


class _Tracing:
    """Notes calls into a package, in every thread."""

    def __init__(self, package: Path, note: Callable[[FrameType, str], None]) -> None:
        self._package = str(package) + os.sep
        self._note = note

    def __enter__(self) -> None:
        threading.setprofile(self._trace)
        sys.setprofile(self._trace)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _trace(self, frame: FrameType, event: str, _: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(self._package) and file.endswith(".py"):
            self._note(frame, file.removeprefix(self._package))


def _callers(frame: FrameType) -> list[FrameType]:
    found = []
    while (caller := frame.f_back) is not None:
        found.append(caller)
        frame = caller
    return found


def _is_read(value: object, depth: int = 2) -> bool:
    """Whether it is a path, or something that was read, or holds one directly."""
    if isinstance(value, PurePath) or type(value).__module__ == "tumorviewer.study.types":
        return True
    if depth and isinstance(value, list | tuple):
        return any(_is_read(each, depth - 1) for each in value[:4])
    if depth and dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = (getattr(value, field.name, None) for field in dataclasses.fields(value))
        return any(_is_read(part, 0) for part in parts)
    return False


def _first_module(*names: str) -> Any:
    for name in names:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise ModuleNotFoundError(names[0])


if __name__ == "__main__":
    what, root, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    result = {"drop": trace_drop, "fit": trace_fit}[what](root, out)
    (out / f"{what}.json").write_text(json.dumps(result), "utf-8")
    os._exit(0)
