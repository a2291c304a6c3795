"""Milliseconds for one step in three planes and map, 512×512×300, with the map laid over.

Run as ``python tests/benchmarks/planes.py``. Real events on the window's viewer at 1440×900,
each timed until everything that it changed is painted: the wheel in each plane, the window
dragged, the crosshair dragged; and from the first slice of a loading series to three planes.
Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication

from tests.benchmarks.scroll import finding, timed
from tumorviewer.analysis.finding import Finding
from tumorviewer.desktop.services.reading import Snapshot
from tumorviewer.desktop.viewer.layouts import PLANES, Pane
from tumorviewer.desktop.viewer.viewer import Viewer
from tumorviewer.desktop.viewer.viewport import Viewport
from tumorviewer.imaging.display import choose_default_window
from tumorviewer.imaging.reslice import Plane
from tumorviewer.study import Placement, Volume

SLICES, SIDE, STEPS = 300, 512, 60
MAPPED = 30  # from here on, the slices that are turned through have a map
LIMIT_MS, LIMIT_FIRST_S = 16, 0.3
NO_KEYS, CTRL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier


def volume() -> Volume:
    array = np.random.default_rng(0).integers(0, 2000, (SLICES, SIDE, SIDE), np.int16)
    affine = np.diag([1.2, 0.5, 0.5, 1.0])[[2, 1, 0, 3]]
    return Volume(array, affine, Placement.PATIENT, "made")


def empty() -> Viewer:
    viewer = Viewer()
    viewer.resize(1440 - 580, 900 - 120)
    viewer.show_layout(PLANES)
    viewer.show()
    return viewer


def fill(viewer: Viewer, made: Volume, found: Finding) -> None:
    viewer.show_volume(made)
    viewer.show_snapshot(Snapshot(finding=found))
    viewer.set_slice(MAPPED)
    assert viewer.map.overlay(MAPPED + STEPS // 2) is not None
    QApplication.processEvents()


def wheel(viewport: Viewport) -> Callable[[int], None]:
    middle = QPointF(100, 100)

    def turn(step: int) -> None:
        event = QWheelEvent(
            middle, middle, QPoint(), QPoint(0, -120 if step < STEPS // 2 else 120),
            Qt.MouseButton.NoButton, NO_KEYS, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(viewport, event)
        QApplication.processEvents()

    return turn


def dragging(
    viewport: Viewport, button: Qt.MouseButton, keys: Qt.KeyboardModifier
) -> Callable[[int], None]:
    def send(kind: QEvent.Type, at: QPointF) -> None:
        event = QMouseEvent(kind, at, viewport.mapToGlobal(at), button, button, keys)
        QApplication.sendEvent(viewport, event)

    send(QEvent.Type.MouseButtonPress, QPointF(150, 150))

    def move(step: int) -> None:
        send(QEvent.Type.MouseMove, QPointF(152 + 2 * step, 151 + step))
        QApplication.processEvents()

    return move


def until_three_planes(made: Volume) -> tuple[float, float]:
    """Seconds, of the clock and of the processor, from the first slice until three planes of the
    whole are painted, without the reading itself."""
    viewer = empty()
    loading = replace(made, array=made.array)
    choose_default_window(loading)  # which the loading thread finds
    began, spent = time.perf_counter(), time.process_time()
    viewer.show_volume(loading, complete=False)
    for index in range(SLICES // 2, SLICES // 2 + 8):
        viewer.slice_filled(index)
    QApplication.processEvents()
    viewer.show_volume(loading)
    QApplication.processEvents()
    taken = time.perf_counter() - began, time.process_time() - spent
    viewer.close()
    return taken


def main() -> None:
    application = QApplication.instance() or QApplication([])
    made = volume()
    viewer = empty()
    fill(viewer, made, finding())
    panes = {
        "own": viewer.image,
        "coronal": viewer.panes.viewport(Pane(0, Plane.SECOND)),
        "sagittal": viewer.panes.viewport(Pane(0, Plane.THIRD)),
    }
    result: dict[str, object] = {}
    for name, viewport in panes.items():
        result[f"scroll_{name}_ms"] = timed(wheel(viewport), range(STEPS))
    right, left = Qt.MouseButton.RightButton, Qt.MouseButton.LeftButton
    result["window_ms"] = timed(dragging(viewer.image, right, NO_KEYS), range(STEPS))
    viewer.image.gestures.release()
    result["crosshair_ms"] = timed(dragging(viewer.image, left, CTRL), range(STEPS))
    viewer.close()
    steps = [each for each in result.values() if isinstance(each, dict)]
    clock, processor = until_three_planes(made)
    result["three_planes_s"] = {"clock": round(clock, 3), "processor": round(processor, 3)}
    result["within_limits"] = {
        f"p95 under {LIMIT_MS} ms": max(each["p95"] for each in steps) < LIMIT_MS,
        "the same in processor time": max(each["p95_processor"] for each in steps) < LIMIT_MS,
        f"planes within {LIMIT_FIRST_S} s": clock <= LIMIT_FIRST_S,
    }
    print(json.dumps(result, indent=2))
    application.quit()


if __name__ == "__main__":
    main()
