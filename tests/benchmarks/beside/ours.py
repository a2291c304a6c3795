"""The actions of ``beside_napari.py`` in our viewer: ``python -m tests.benchmarks.beside.ours``.

Prints one JSON object: milliseconds, MB, and the size and scale of a view, for the other side.
"""

from __future__ import annotations

import importlib
import json
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from tests.benchmarks import planes, scroll
from tests.benchmarks.beside.steps import Memory, draw, each, openings
from tests.benchmarks.planes import CTRL, NO_KEYS, STEPS, dragging, wheel
from tumorviewer.analysis.finding import Finding
from tumorviewer.desktop.services.reading import Snapshot
from tumorviewer.desktop.viewer.layouts import BLENDED, Pane
from tumorviewer.desktop.viewer.viewport import Viewport
from tumorviewer.imaging.display import choose_default_window
from tumorviewer.imaging.reslice import Plane
from tumorviewer.study import Volume


def view(viewport: Viewport) -> dict[str, Any]:
    """Width and height, and pixels a millimetre."""
    assert viewport.state.stack is not None
    scale = viewport.scale() / viewport.state.stack.spacing[1]
    return {"size": [viewport.width(), viewport.height()], "scale": scale}


def flat(made: Volume, found: Finding) -> dict[str, Any]:
    """The axial plane with the map blended over it."""
    viewer = scroll.empty(BLENDED)
    draw()

    def fill() -> None:
        viewer.show_volume(made)
        viewer.show_snapshot(Snapshot(finding=found))
        viewer.set_slice(0)

    times, turn = openings(fill, lambda: viewer.show_volume(None)), wheel(viewer.image)
    times |= {
        "scroll": each(lambda _: turn(0), scroll.SLICES - 1, viewer.image),
        "scroll_back": each(lambda _: turn(STEPS), 24, viewer.image),
    }
    assert viewer.slice() == scroll.SLICES - 25
    viewer.close()
    return {"ms": times, "view": view(viewer.image)}


def four(made: Volume, found: Finding) -> dict[str, Any]:
    """Three planes and map."""
    viewer = planes.empty()
    draw()
    memory, image = Memory(), viewer.image
    times = openings(lambda: planes.fill(viewer, made, found), lambda: viewer.show_volume(None))
    panes = {
        "own": image,
        "coronal": viewer.panes.viewport(Pane(0, Plane.SECOND)),
        "sagittal": viewer.panes.viewport(Pane(0, Plane.THIRD)),
    }
    for name, viewport in panes.items():
        times[f"scroll_{name}"] = each(wheel(viewport), STEPS, viewport)
    right, left = Qt.MouseButton.RightButton, Qt.MouseButton.LeftButton
    times["window"] = each(dragging(image, right, NO_KEYS), STEPS, panes["sagittal"])
    image.gestures.release()
    times["crosshair"] = each(dragging(image, left, CTRL), STEPS, panes["sagittal"])
    image.gestures.release()
    result = {"ms": times, "view": view(image)}
    peak, now = memory.peak(), memory.now()
    viewer.show_volume(None)
    draw()
    return {**result, "mb": {"peak": peak, "while_shown": now, "after": memory.now()}}


def main() -> None:
    application = QApplication([])
    made, found = planes.volume(), scroll.finding()
    choose_default_window(made)  # which the loading thread finds, when it has loaded this:
    importlib.import_module("tumorviewer.study.opening")
    print(json.dumps({"planes": four(made, found), "flat": flat(made, found)}))
    application.quit()


if __name__ == "__main__":
    main()
