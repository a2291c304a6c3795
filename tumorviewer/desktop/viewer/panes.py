"""The viewports of a layout, the states that they show, and what links them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QGridLayout, QWidget

from tumorviewer.desktop.viewer.layouts import SIDE_BY_SIDE, Layout, Pane
from tumorviewer.desktop.viewer.link import Link, share_frame_of_reference
from tumorviewer.desktop.viewer.view_state import ViewState
from tumorviewer.desktop.viewer.viewport import Viewport
from tumorviewer.imaging.geometry import name_plane_across
from tumorviewer.imaging.reslice import Plane
from tumorviewer.language import capital, tr
from tumorviewer.study import Placement, Volume
from tumorviewer.study.volume_labels import translate_label

GAP = QColor(64, 64, 64)
_COMMON = ("patient_text_shown", "smooth", "is_inverted", "slab", "is_magnified")
"""What a new view takes over from the first."""


class Panes(QWidget):
    """A grid of viewports; the first two, image and map, are always there."""

    active_changed = Signal(Viewport)
    """The :class:`Viewport` that the reader works in."""
    viewport_made = Signal(Viewport)
    linked = Signal(bool)
    """Whether views follow each other, as it is from now on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.link = Link(self)
        self.layout_shown = SIDE_BY_SIDE
        self.crosshair_shown = True
        self._states: dict[tuple[int, Plane], ViewState] = {}
        self._viewports: dict[Pane, Viewport] = {}
        self._lines: dict[int, tuple[Sequence[str], Sequence[str]]] = {}
        self.image = self.viewport(Pane())
        self.map = self.viewport(Pane(is_map=True))
        self.map.window_text_shown = False
        self.active = self.image
        self.setAutoFillBackground(True)
        self.setPalette(QPalette(GAP))
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        self.show_layout(SIDE_BY_SIDE)

    @property
    def first(self) -> ViewState:
        """The shown series in its own planes."""
        return self._states[0, Plane.OWN]

    def states(self) -> list[ViewState]:
        return list(self._states.values())

    def visible_states(self) -> list[ViewState]:
        """Those of the panes of the layout."""
        wanted = ((pane.series, pane.plane) for pane in self.layout_shown.panes)
        return [self._states[key] for key in dict.fromkeys(wanted)]

    def viewports(self) -> list[Viewport]:
        """All that were made so far."""
        return list(self._viewports.values())

    def viewport(self, pane: Pane) -> Viewport:
        """The viewport of a pane, made when it is first asked for."""
        if pane not in self._viewports:
            made = Viewport(self._state(pane.series, pane.plane), pane.name, self)
            made.installEventFilter(self)
            self._viewports[pane] = made
            made.hide()
            self.viewport_made.emit(made)
        return self._viewports[pane]

    def show_layout(self, layout: Layout) -> None:
        """Put the viewports of a layout into their rows."""
        self.layout_shown = layout
        active, had_focus = self.active, self.active.hasFocus()
        for viewport in self._viewports.values():
            self._grid.removeWidget(viewport)
        shown = [(r, c, pane) for r, row in enumerate(layout.rows) for c, pane in enumerate(row)]
        for row, column, pane in shown:
            self._grid.addWidget(self.viewport(pane), row, column)
        for at in range(max(self._grid.rowCount(), self._grid.columnCount())):
            self._grid.setRowStretch(at, at < len(layout.rows))
            self._grid.setColumnStretch(at, at < len(layout.rows[0]))
        for pane, viewport in self._viewports.items():
            viewport.setVisible(pane in layout.panes)
        if not active.isVisibleTo(self):
            first = self.viewport(layout.panes[0])
            self._activate(first)
            if had_focus:
                first.setFocus()
        self.arrange()

    # What is shown

    def show_volume(self, series: int, volume: Volume | None, complete: bool = True) -> None:
        """Show a volume in all planes of one of the layout's series."""
        for (number, _), state in self._states.items():
            if number == series == 0:
                state.show(volume, complete=complete)
            elif number == series:
                self.link.show(state, volume, complete)
        self.arrange()

    def fill(self, index: int) -> None:
        """A slice of the shown series, which is still loading, has been read."""
        for (series, _), state in self._states.items():
            if series == 0:
                state.fill(index)

    def set_text(self, series: int, patient: Sequence[str], lines: Sequence[str]) -> None:
        """The lines of the upper corners of one of the layout's series."""
        self._lines[series] = tuple(patient), tuple(lines)
        self._caption()

    def set_message(self, series: int, text: str) -> None:
        """Say something in place of one of the layout's series."""
        for pane, viewport in self._viewports.items():
            if pane.series == series and not pane.is_map:
                viewport.message = text
                viewport.update()

    def each(self, act: Callable[[ViewState], object]) -> None:
        """Do something to all states."""
        for state in self._states.values():
            act(state)

    def of_series(self, series: int) -> list[Viewport]:
        """The viewports of one of the layout's series, without its map."""
        shown = self._viewports.items()
        return [each for pane, each in shown if pane.series == series and not pane.is_map]

    def further_series(self) -> set[int]:
        """Numbers of the series beside the shown one that were asked for so far."""
        return {series for series, _ in self._states if series}

    def of_active(self) -> list[ViewState]:
        """All planes of the series that the reader works in."""
        volume = self.active.state.volume
        return [state for state in self._states.values() if state.volume is volume]

    def _state(self, series: int, plane: Plane) -> ViewState:
        key = series, plane
        if key not in self._states:
            made = self._states[key] = ViewState(self, plane)
            known = next((state for (one, _), state in self._states.items() if one == series))
            for name in _COMMON:
                setattr(made, name, getattr(self.first, name))
            if known is not made:
                made.show_as(known)
            self.link.join([made])
            self.link.gather(made)
        return self._states[key]

    def tie(self) -> None:
        """Link the views of other frames of reference with the active one as they are now, or part
        them again."""
        self.link.tie(self.active.state, self.visible_states())
        self.arrange()

    def set_linked(self, on: bool) -> None:
        """Whether views follow each other."""
        if self.link.is_on == on:
            return
        self.link.is_on = on
        active = self.active.state
        if on and active.crosshair is not None:
            self.link.place(active, active.crosshair)
        self.arrange()
        self.linked.emit(on)

    def set_crosshair_shown(self, shown: bool) -> None:
        """Show the crosshair wherever there is more than one view."""
        self.crosshair_shown = shown
        self.arrange()

    def arrange(self) -> None:
        """One scale for all linked views, and a crosshair where there are several."""
        visible = self.visible_states()
        self.link.share_field(visible)
        for state in visible:
            state.set_crosshair_shown(self.crosshair_shown and len(visible) > 1)
        self._caption()

    def _caption(self) -> None:
        for pane, viewport in self._viewports.items():
            if not pane.is_map:
                patient, lines = self._lines.get(pane.series, ((), ()))
                viewport.patient_lines = patient
                viewport.series_lines = (*lines, *_own_lines(viewport.state, self.first, self.link))
                viewport.update()

    # The viewport that the reader works in

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.FocusIn and isinstance(watched, Viewport):
            self._activate(watched)
        return super().eventFilter(watched, event)

    def _activate(self, viewport: Viewport) -> None:
        self.active = viewport
        self.active_changed.emit(viewport)


def _own_lines(state: ViewState, first: ViewState, link: Link) -> tuple[str, ...]:
    """Label and plane of what is shown, and whether it follows the shown series."""
    if state.volume is None or state.stack is None:
        return ()
    known = state.volume.placement is Placement.PATIENT
    plane = capital(translate_label(name_plane_across(state.stack.normal))) if known else ""
    return (
        translate_label(state.volume.label),
        plane,
        "" if state.stack.layout else tr("Interpolated"),
        *(_tie_words(link, first.volume, state.volume) if first.volume is not None else ()),
    )


def _tie_words(link: Link, first: Volume, volume: Volume) -> tuple[str, ...]:
    if share_frame_of_reference(first, volume):
        return ()
    if link.joins(first, volume):
        return (tr("Linked by hand"),)
    return tr("Not linked:"), tr("another frame of reference")
