"""What the actions on views do: each works on the view that the reader works in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tumorviewer.desktop.viewer.layouts import LAYOUTS, Layout
from tumorviewer.desktop.viewer.view_state import ViewState

if TYPE_CHECKING:
    from tumorviewer.desktop.shell.actions import Actions
    from tumorviewer.desktop.viewer.viewer import Viewer

OPACITY_STEP = 0.1
SLABS = (0.0, 5.0, 10.0, 20.0, 40.0)
"""Thickness of the maximum intensity projection, mm; 0 is none."""


class ViewActions:
    """Connects the table of actions with a viewer."""

    def __init__(self, actions: Actions, viewer: Viewer) -> None:
        self._actions, self._viewer = actions, viewer
        self._panes, self._cine = viewer.panes, viewer.cine
        for name, slot in self._slots().items():
            actions[name].triggered.connect(lambda _=False, slot=slot: slot())
        for name, switch in self._switches().items():
            actions[name].toggled.connect(switch)
        actions["crosshair"].setChecked(self._panes.crosshair_shown)
        actions["link"].setChecked(self._panes.link.is_on)
        actions["smooth"].setChecked(viewer.state.smooth)
        self._panes.linked.connect(actions["link"].setChecked)
        self._cine.changed.connect(actions["cine"].setChecked)
        viewer.layoutChanged.connect(self._layout_changed)
        self._layout_changed(viewer.shown_layout)

    def _slots(self) -> dict[str, Callable[[], object]]:
        shown = {
            name: lambda layout=layout: self._viewer.show_layout(layout)
            for name, layout in LAYOUTS.items()
        }
        viewer = self._viewer
        return shown | {
            "toggle_map": viewer.toggle_map,
            "more_opaque": lambda: viewer.set_opacity(viewer.opacity() + OPACITY_STEP),
            "less_opaque": lambda: viewer.set_opacity(viewer.opacity() - OPACITY_STEP),
            "next_window": self._next_window,
            "reset_view": viewer.reset_view,
            "previous_slice": viewer.previous_slice,
            "next_slice": viewer.next_slice,
            "first_slice": lambda: viewer.set_slice(0),
            "last_slice": lambda: viewer.set_slice(viewer.state.count - 1),
            "fit": lambda: self._state.reset_place(),
            "one_to_one": lambda: self._panes.active.zoom_to_pixels(),
            "invert": self._invert,
            "turn_right": lambda: self._state.turn(1),
            "turn_left": lambda: self._state.turn(-1),
            "mirror": lambda: self._state.mirror(),
            "flip": lambda: self._state.mirror(vertically=True),
            "upright": lambda: self._state.set_upright(),
            "aim": self._aim,
            "tie": self._panes.tie,
            "thicker_slab": lambda: self._change_slab(1),
            "thinner_slab": lambda: self._change_slab(-1),
            "faster_cine": lambda: self._cine.change_speed(1.5),
            "slower_cine": lambda: self._cine.change_speed(1 / 1.5),
        }

    def _switches(self) -> dict[str, Callable[[bool], object]]:
        each = self._panes.each
        return {
            "smooth": lambda on: each(lambda state: state.set_smooth(on)),
            "magnify": lambda on: each(lambda state: state.set_magnified(on)),
            "crosshair": self._panes.set_crosshair_shown,
            "link": self._panes.set_linked,
            "cine": self._run,
        }

    @property
    def _state(self) -> ViewState:
        return self._panes.active.state

    def _layout_changed(self, layout: Layout) -> None:
        for name, each in LAYOUTS.items():
            self._actions[name].setChecked(layout == each)
        self._actions["toggle_map"].setChecked(layout.has_map)

    def _next_window(self) -> None:
        windows = self._viewer.windows()
        if windows:
            current = self._viewer.state.window
            at = windows.index(current) if current in windows else -1
            self._viewer.set_window(windows[(at + 1) % len(windows)])

    def _invert(self) -> None:
        inverted = not self._state.is_inverted
        for state in self._panes.of_active():
            state.set_inverted(inverted)

    def _aim(self) -> None:
        if self._state.cursor is not None:
            self._state.aim(self._state.cursor)

    def _change_slab(self, step: int) -> None:
        at = SLABS.index(self._state.slab) + step
        if 0 <= at < len(SLABS):
            self._panes.each(lambda state: state.set_slab(SLABS[at]))

    def _run(self, on: bool) -> None:
        if on != self._cine.is_running:
            self._cine.start(self._state) if on else self._cine.stop()
