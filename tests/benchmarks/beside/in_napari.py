"""The actions of ``beside_napari.py`` in napari, run by a Python that has it, from the root of the
repository: ``python -m tests.benchmarks.beside.in_napari FOLDER``.

Prints one JSON object: milliseconds, drawn and without drawing, MB, version and renderer.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari._qt.qt_event_loop import get_qapp
from napari.components import ViewerModel
from napari.qt import QtViewer
from napari.utils import Colormap
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QGridLayout, QWidget
from vispy.gloo import gl

from tests.benchmarks.beside.steps import Memory, draw, each, openings

ORDERS = {"own": (0, 1, 2), "map": (0, 1, 2), "coronal": (1, 0, 2), "sagittal": (2, 0, 1)}
ON, BACK = -120, 120


class Panes(QWidget):
    """Linked viewers of one volume, as napari's example ``multiple_viewer_widget`` links them."""

    def __init__(self, names: tuple[str, ...], view: dict[str, Any]) -> None:
        super().__init__()
        self.viewers = {name: QtViewer(ViewerModel(order=ORDERS[name])) for name in names}
        self.models = [viewer.viewer for viewer in self.viewers.values()]
        self._scale, self._is_linked = view["scale"], False
        grid = QGridLayout(self)
        for at, viewer in enumerate(self.viewers.values()):
            viewer.canvas.native.setFixedSize(*view["size"])
            grid.addWidget(viewer, *divmod(at, 2))
        for model in self.models:
            model.dims.events.current_step.connect(self._follow)
        self.show()
        draw()

    def fill(self, data: dict[str, Any], mapped: str, place: int) -> None:
        """Show a volume, with the map over it in one viewer, from one of its slices on."""
        self._is_linked = False
        for name, viewer in self.viewers.items():
            add(viewer.viewer, data, with_map=name == mapped)
            viewer.viewer.scene.camera.zoom = self._scale
        self._is_linked = True
        self.go((place, *(side // 2 for side in data["image"].shape[1:])))

    def clear(self) -> None:
        for name, viewer in self.viewers.items():
            viewer.viewer.layers.clear()
            viewer.viewer.dims.ndim = 3
            viewer.viewer.dims.order = ORDERS[name]  # forgotten with the last layer

    def go(self, voxel: tuple[int, ...]) -> None:
        """Show the planes through a voxel."""
        self.models[0].dims.current_step = voxel

    def show_window(self, low: float, high: float) -> None:
        for model in self.models:
            model.layers[0].contrast_limits = low, high

    def canvas(self, name: str) -> QWidget:
        return self.viewers[name].canvas.native

    def turn(self, name: str, notch: int) -> None:
        """The wheel with Ctrl, which goes to the next slice here."""
        middle = QPointF(100, 100)
        wheel = QWheelEvent(
            middle, middle, QPoint(), QPoint(0, notch), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.ControlModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(self.canvas(name), wheel)

    def _follow(self, event: Any) -> None:
        if not self._is_linked:
            return
        self._is_linked = False
        for model in self.models:
            if model.dims is not event.source:
                model.dims.current_step = event.value
        self._is_linked = True


def add(model: ViewerModel, data: dict[str, Any], with_map: bool) -> None:
    spacing, maps = data["spacing"], data["maps"]
    model.add_image(
        data["image"], scale=spacing, contrast_limits=data["window"], interpolation2d="linear"
    )
    if not with_map:
        return
    pixel = spacing[1:] * data["image"].shape[1:] / maps.shape[1:]
    model.add_image(
        maps,
        scale=[spacing[0], *pixel],
        translate=[0, *(pixel - spacing[1:]) / 2],
        contrast_limits=(0, 1),
        colormap=Colormap(data["colours"]),
        interpolation2d="linear",
    )


def flat(data: dict[str, Any], view: dict[str, Any]) -> dict[str, Any]:
    """The axial plane with the map blended over it."""
    panes = Panes(("own",), view)
    times = openings(partial(panes.fill, data, "own", 0), panes.clear)
    image = panes.canvas("own")
    times["scroll"] = each(lambda _: panes.turn("own", ON), len(data["maps"]) - 1, image)
    times["scroll_back"] = each(lambda _: panes.turn("own", BACK), 24, image)
    assert panes.models[0].dims.current_step[0] == len(data["maps"]) - 25
    panes.setUpdatesEnabled(False)
    undrawn = {"scroll": each(lambda _: panes.turn("own", BACK), view["steps"], image)}
    panes.close()
    return {"ms": times, "undrawn_ms": undrawn}


def moved(panes: Panes, steps: int, place: int) -> dict[str, list[float]]:
    """Scroll, window and crosshair."""

    def there_and_back(name: str) -> Callable[[int], None]:
        return lambda step: panes.turn(name, ON if step < steps // 2 else BACK)

    own, sagittal = panes.canvas("own"), panes.canvas("sagittal")
    times = {
        f"scroll_{name}": each(there_and_back(name), steps, panes.canvas(name))
        for name in ("own", "coronal", "sagittal")
    }
    times["window"] = each(lambda step: panes.show_window(-step, 2000 + step), steps, own)
    times["crosshair"] = each(
        lambda step: panes.go((place, 100 + 2 * step, 100 + 4 * step)), steps, sagittal
    )
    return times


def four(data: dict[str, Any], view: dict[str, Any]) -> dict[str, Any]:
    """Three planes and map."""
    panes = Panes(tuple(ORDERS), view)
    memory, place = Memory(), view["place"]
    times = openings(partial(panes.fill, data, "map", place), panes.clear)
    times |= moved(panes, view["steps"], place)
    peak, now = memory.peak(), memory.now()
    panes.setUpdatesEnabled(False)
    undrawn = moved(panes, view["steps"], place)
    panes.setUpdatesEnabled(True)
    panes.clear()
    draw()
    mb = {"peak": peak, "while_shown": now, "after": memory.now()}
    panes.viewers["own"].canvas._scene_canvas.set_current()
    renderer = gl.glGetParameter(gl.GL_RENDERER)
    return {"ms": times, "undrawn_ms": undrawn, "mb": mb, "renderer": renderer}


def main() -> None:
    folder = Path(sys.argv[1])
    views = json.loads((folder / "views.json").read_text())
    data = dict(np.load(folder / "data.npz"))
    application = get_qapp()
    result = {"planes": four(data, views["planes"]), "flat": flat(data, views["flat"])}
    print(json.dumps({"napari": napari.__version__, **result}))
    application.quit()


if __name__ == "__main__":
    main()
