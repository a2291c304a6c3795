"""How either side of ``beside_napari.py`` times a step, and reads its memory."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget

AGAIN = 4


class Paints(QObject):
    """Counts how often a widget is painted."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.count = 0
        widget.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        self.count += event.type() is QEvent.Type.Paint
        return False


def draw() -> None:
    """Return once the X server has drawn all that changed."""
    QApplication.processEvents()
    QGuiApplication.sync()


def milliseconds(act: Callable[[], object]) -> float:
    """Until all that it changes is drawn."""
    began = time.perf_counter()
    act()
    draw()
    return 1000 * (time.perf_counter() - began)


def openings(fill: Callable[[], object], clear: Callable[[], object]) -> dict[str, list[float]]:
    """Milliseconds of the first time, which loads code and makes shaders, and of the next few."""
    first, again = milliseconds(fill), []
    for _ in range(AGAIN):
        clear()
        draw()
        again.append(milliseconds(fill))
    return {"ready_first": [first], "ready_again": again}


def each(step: Callable[[int], object], steps: int, painted: QWidget) -> list[float]:
    """Milliseconds of some steps, all of which paint a widget, unless its window is not painted."""
    paints = Paints(painted)
    taken = [milliseconds(lambda number=number: step(number)) for number in range(steps)]
    assert paints.count >= steps or not painted.updatesEnabled()
    return taken


class Memory:
    """Megabytes of this process beyond what it had at the start."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew
        self._start = _read("VmRSS")

    def now(self) -> float:
        return _read("VmRSS") - self._start

    def peak(self) -> float:
        return _read("VmHWM") - self._start


def _read(what: str) -> float:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what the allocator keeps for later is not held
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(what))
