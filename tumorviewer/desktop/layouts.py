"""How viewports share the space: a table of layouts, each of them rows of panes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tumorviewer.imaging.reslice import Plane

PRIOR = -1
"""Number of the series that stands for the shown one in an earlier study."""


class Pane(NamedTuple):
    """What one viewport shows."""

    series: int = 0
    """0 is the shown series, 1 and more are those that follow it, :data:`PRIOR` is its prior."""
    plane: Plane = Plane.OWN
    is_map: bool = False
    """The saliency map over the image."""

    @property
    def name(self) -> str:
        """What a screen reader calls it."""
        if self.is_map:
            return "Saliency map"
        whose = {0: "Image", PRIOR: "Prior"}.get(self.series, f"Series {self.series + 1}")
        return whose if self.plane is Plane.OWN else f"{whose}, {self.plane.value} plane"


@dataclass(frozen=True)
class Layout:
    """Rows of panes, all of one size."""

    title: str
    rows: tuple[tuple[Pane, ...], ...]
    is_blended: bool = False
    """The map lies over the shown series' own planes."""

    @property
    def panes(self) -> tuple[Pane, ...]:
        """Row after row."""
        return tuple(pane for row in self.rows for pane in row)

    @property
    def has_map(self) -> bool:
        return self.is_blended or any(pane.is_map for pane in self.panes)

    @property
    def series(self) -> tuple[int, ...]:
        """The series that it needs beside the shown one."""
        return tuple(dict.fromkeys(pane.series for pane in self.panes if pane.series))


def grid(rows: int, columns: int) -> Layout:
    """Series side by side, the shown one first."""
    panes = [tuple(Pane(row * columns + at) for at in range(columns)) for row in range(rows)]
    return Layout(f"{rows} × {columns} series", tuple(panes))


_IMAGE, _MAP = Pane(), Pane(is_map=True)
SIDE_BY_SIDE = Layout("Image and map side by side", ((_IMAGE, _MAP),))
BLENDED = Layout("Map blended over the image", ((_IMAGE,),), is_blended=True)
IMAGE = Layout("Image alone", ((_IMAGE,),))
PLANES = Layout(
    "Three planes and map", ((_IMAGE, _MAP), (Pane(0, Plane.SECOND), Pane(0, Plane.THIRD)))
)
STRAIGHT = Layout(
    "Planes along the patient, and map",
    ((Pane(0, Plane.AXIAL), _MAP), (Pane(0, Plane.CORONAL), Pane(0, Plane.SAGITTAL))),
)
CURRENT_PRIOR = Layout("Current and prior", ((_IMAGE, Pane(PRIOR)),))
LAYOUTS = {
    "side_by_side": SIDE_BY_SIDE,
    "blended": BLENDED,
    "image_only": IMAGE,
    "planes": PLANES,
    "current_prior": CURRENT_PRIOR,
    "grid_1x2": grid(1, 2),
    "grid_2x2": grid(2, 2),
    "grid_2x3": grid(2, 3),
    "straight_planes": STRAIGHT,
}
"""By the name of the action that shows it."""
