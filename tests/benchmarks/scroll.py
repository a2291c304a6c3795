"""Milliseconds for one step through a 512×512 series with the saliency overlay on.

Run as ``python tests/benchmarks/scroll.py``: the viewer's blended view at 900×900 (first through
slices never shown before, then once more), and a straightforward matplotlib ``imshow`` redraw of
the same slices at the same size, in the same process. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import matplotlib as mpl
import numpy as np
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication

from tumorviewer.analysis.finding import Finding, ModelIdentity, Saliency
from tumorviewer.analysis.preprocess import Box
from tumorviewer.desktop.services.reading import Snapshot
from tumorviewer.desktop.viewer.layouts import BLENDED, SIDE_BY_SIDE, Layout
from tumorviewer.desktop.viewer.viewer import Viewer
from tumorviewer.study import Placement, Volume

SLICES, SIDE, VIEW, MAP = 120, 512, 900, 224
CLASSES = ("glioma", "notumor")


def volume() -> Volume:
    array = np.random.default_rng(0).integers(0, 2000, (SLICES, SIDE, SIDE), np.int16)
    return Volume(array, np.eye(4), Placement.PATIENT, "made")


def finding() -> Finding:
    slices = tuple(range(SLICES))
    maps = np.random.default_rng(1).random((SLICES, MAP, MAP), np.float32)
    ones = np.ones(SLICES, np.float32)
    boxes = (Box(0, 0, SIDE),) * SLICES
    saliency = Saliency("gradcam", "glioma", False, slices, maps, ones, ones, boxes, (SIDE, SIDE))
    likely = np.linspace(0, 1, SLICES)
    return Finding(
        source="made",
        series_instance_uid=None,
        volume="",
        model=ModelIdentity("made", "1", ""),
        classes=CLASSES,
        labels={"glioma": "Glioma", "notumor": "No tumour"},
        no_tumour="notumor",
        probabilities=np.array([0.9, 0.1]),
        slices=slices,
        slice_probabilities=np.column_stack([likely, 1 - likely]),
        pooling="mean",
        key_slices=(SLICES - 1,),
        saliency=saliency,
        flags=(),
        device="cpu",
    )


def timed(step: Callable[[int], None], indices: Iterable[int]) -> dict[str, float]:
    """Median and 95th percentile of ``step`` in ms, and the latter in processor time, which other
    jobs on the machine do not change."""
    wall, processor = [], []
    for index in indices:
        began, spent = time.perf_counter(), time.process_time()
        step(index)
        wall.append(1000 * (time.perf_counter() - began))
        processor.append(1000 * (time.process_time() - spent))
    return {
        "p50": round(float(np.median(wall)), 2),
        "p95": round(float(np.percentile(wall, 95)), 2),
        "p95_processor": round(float(np.percentile(processor, 95)), 2),
    }


def empty(layout: Layout) -> Viewer:
    viewer = Viewer()
    viewer.resize(VIEW + (VIEW + 2 if layout is SIDE_BY_SIDE else 0), VIEW + 120)
    viewer.show_layout(layout)
    viewer.image.setMinimumSize(VIEW, VIEW)
    viewer.show()
    return viewer


def ours(
    shown: Volume, found: Finding, layout: Layout
) -> tuple[dict[str, float], dict[str, float]]:
    """A real wheel event, and the window painted; slices shown for the first time, then again."""
    viewer = empty(layout)
    viewer.show_volume(shown)
    viewer.show_snapshot(Snapshot(finding=found))
    viewer.set_slice(0)
    QApplication.processEvents()

    def turn(notch: int) -> None:
        middle = QPointF(VIEW / 2, VIEW / 2)
        wheel = QWheelEvent(
            middle, middle, QPoint(), QPoint(0, notch), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(viewer.image, wheel)
        viewer.repaint()

    assert min(viewer.image.width(), viewer.image.height()) >= VIEW
    first = timed(turn, [-120] * (SLICES - 1))
    assert viewer.slice() == SLICES - 1
    again = timed(turn, [120] * 24)
    viewer.close()
    return first, again


def matplotlib_redraw(shown: Volume, found: Finding) -> dict[str, float]:
    """``imshow`` of slice and map, redrawn for each slice."""
    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(VIEW / 100, VIEW / 100), dpi=100)

    def redraw(index: int) -> None:
        axes.clear()
        axes.imshow(shown.array[index], cmap="gray")
        assert found.saliency is not None
        axes.imshow(found.saliency.on_slice(index), cmap="inferno", alpha=0.6)
        figure.canvas.draw()

    redraw(0)
    return timed(redraw, range(0, SLICES, 4))


def main() -> None:
    application = QApplication.instance() or QApplication([])
    shown, found = volume(), finding()
    blended, blended_again = ours(shown, found, BLENDED)
    both, both_again = ours(shown, found, SIDE_BY_SIDE)
    baseline = matplotlib_redraw(shown, found)
    result = {
        "blended_ms": blended,
        "blended_again_ms": blended_again,
        "side_by_side_ms": both,
        "side_by_side_again_ms": both_again,
        "matplotlib_ms": baseline,
        "times_faster_than_matplotlib": round(baseline["p50"] / blended["p50"], 1),
    }
    print(json.dumps(result, indent=2))
    application.quit()


if __name__ == "__main__":
    main()
