"""How viewports share the space: a table of layouts, each of them rows of panes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from tumorviewer.imaging.reslice import Plane
from tumorviewer.language import later, tr

PRIOR = -1
"""Number of the series that stands for the shown one in an earlier study."""
FUSED = -2
"""Number of the series that is laid over the shown one."""


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
            return tr("Saliency map")
        other = tr("Series {n}", n=self.series + 1)
        whose = {0: tr("Image"), PRIOR: tr("Prior")}.get(self.series, other)
        if self.plane is Plane.OWN:
            return whose
        return tr("{image}, {plane} plane", image=whose, plane=tr(_PLANES[self.plane]))


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


def make_grid(rows: int, columns: int) -> Layout:
    """Series side by side, the shown one first."""
    panes = [tuple(Pane(row * columns + at) for at in range(columns)) for row in range(rows)]
    return Layout(tr("{rows} × {columns} series", rows=rows, columns=columns), tuple(panes))


_GRID = re.compile(r"([1-6])\s*[x×]\s*([1-6])")
_PLANES = {
    Plane.SECOND: later("second"),
    Plane.THIRD: later("third"),
    Plane.AXIAL: later("axial"),
    Plane.CORONAL: later("coronal"),
    Plane.SAGITTAL: later("sagittal"),
}
_IMAGE, _MAP = Pane(), Pane(is_map=True)
SIDE_BY_SIDE = Layout(later("Image and map side by side"), ((_IMAGE, _MAP),))
BLENDED = Layout(later("Map blended over the image"), ((_IMAGE,),), is_blended=True)
IMAGE = Layout(later("Image alone"), ((_IMAGE,),))
PLANES = Layout(
    later("Three planes and map"), ((_IMAGE, _MAP), (Pane(0, Plane.SECOND), Pane(0, Plane.THIRD)))
)
STRAIGHT = Layout(
    later("Planes along the patient, and map"),
    ((Pane(0, Plane.AXIAL), _MAP), (Pane(0, Plane.CORONAL), Pane(0, Plane.SAGITTAL))),
)
CURRENT_PRIOR = Layout(later("Current and prior"), ((_IMAGE, Pane(PRIOR)),))
LAYOUTS = {
    "side_by_side": SIDE_BY_SIDE,
    "blended": BLENDED,
    "image_only": IMAGE,
    "planes": PLANES,
    "current_prior": CURRENT_PRIOR,
    "grid_1x2": make_grid(1, 2),
    "grid_2x2": make_grid(2, 2),
    "grid_2x3": make_grid(2, 3),
    "straight_planes": STRAIGHT,
}
"""By the name of the action that shows it."""


def name_layout(layout: Layout) -> str:
    """What a layout is kept as: ``planes``, or rows and columns as ``2x3``."""
    named = (name for name, each in LAYOUTS.items() if each == layout)
    return next(named, f"{len(layout.rows)}x{len(layout.rows[0])}")


def find_layout(name: str) -> Layout | None:
    """The layout of a name, or of rows and columns; None if there is none."""
    if name in LAYOUTS:
        return LAYOUTS[name]
    found = _GRID.fullmatch(name)
    return make_grid(int(found[1]), int(found[2])) if found else None
