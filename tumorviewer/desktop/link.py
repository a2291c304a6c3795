"""Keeps views of one frame of reference at one point of the patient, by position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QPointF, QSizeF

from tumorviewer.desktop.view_state import ViewState
from tumorviewer.imaging.display import TABLE, default_window
from tumorviewer.study import Placement, Volume, Window


class Link(QObject):
    """Every view shows the plane that the crosshair lies in.

    Scrolling one moves the crosshair across its planes; the others go where it went. Views of one
    volume share its window; those of another get theirs widened and shifted as much.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.is_on = True
        self._states: list[ViewState] = []
        self._is_following = False

    def join(self, states: Sequence[ViewState]) -> None:
        """Link these views from now on, each only once."""
        for state in states:
            if state not in self._states:
                self._states.append(state)
                state.slice_changed.connect(partial(self._scrolled, state))
                state.window_changed.connect(partial(self._windowed, state))
                state.travelled.connect(partial(self._travelled, state))
                state.aimed.connect(partial(self.place, state))
                state.pointed.connect(partial(self._pointed, state))

    def place(self, source: ViewState, point: NDArray[np.float64]) -> None:
        """Put the crosshair of a view, and of those linked to it, at a point of the patient."""
        self._is_following = True
        for state in (source, *self._others(source)):
            if state.stack is not None:
                state.set_slice(state.stack.nearest(point))
            state.set_crosshair(point)
        self._is_following = False

    def share_field(self, states: Sequence[ViewState]) -> None:
        """Fit linked views of these at one scale, so that a lesion has one size in all."""
        for state in states:
            joined = [state, *(one for one in self._others(state) if one in states)]
            extents = [one.extent() for one in joined]
            size = QSizeF(max(e.width() for e in extents), max(e.height() for e in extents))
            if size != state.field:
                state.field = size
                state.place_changed.emit()

    def gather(self, state: ViewState) -> None:
        """Bring a view that was just filled to where those linked to it are."""
        for other in self._others(state):
            if state.stack is not None and other.crosshair is not None:
                self._is_following = True
                state.set_slice(state.stack.nearest(other.crosshair))
                state.set_crosshair(other.crosshair)
                self._is_following = False
                return

    def _others(self, source: ViewState) -> Iterator[ViewState]:
        if source.volume is None:
            return
        for state in self._states:
            if state is source or state.volume is None or state.stack is None:
                continue
            if state.volume is source.volume or (
                self.is_on and share_frame(source.volume, state.volume)
            ):
                yield state

    def _scrolled(self, source: ViewState, _index: int) -> None:
        if self._is_following or source.stack is None:
            return
        point = source.crosshair if source.crosshair is not None else source.middle()
        assert point is not None
        off = source.stack.distance(source.index, point)
        self.place(source, point - off * source.stack.normal)

    def _windowed(self, source: ViewState, window: Window) -> None:
        if self._is_following or source.volume is None:
            return
        self._is_following = True
        for state in self._others(source):
            assert state.volume is not None
            if state.volume is source.volume:
                state.set_window(window, is_chosen=source.is_window_chosen)
            elif source.is_complete and state.is_complete:
                state.set_window(_alike(window, source.volume, state.volume))
        self._is_following = False

    def _travelled(self, source: ViewState, step: QPointF, factor: float) -> None:
        assert source.stack is not None
        way = source.stack.right * step.x() + source.stack.down * step.y()
        for state in self._others(source):
            assert state.stack is not None
            rows, columns = state.stack.along(way)
            state.follow(QPointF(columns, rows), factor)

    def _pointed(self, source: ViewState, point: QPointF | None) -> None:
        where = None if point is None or source.stack is None else source.to_patient(point)
        for state in self._others(source):
            seen = where is not None and state.is_on_plane(where)
            state.mark(state.from_patient(where) if seen and where is not None else None)


def share_frame(first: Volume, second: Volume) -> bool:
    """Whether equal coordinates in two volumes are one place: one frame of reference, or, where
    none is stated, one grid."""
    if not (first.placement is second.placement is Placement.PATIENT):
        return first is second
    if first.frame_of_reference or second.frame_of_reference:
        return first.frame_of_reference == second.frame_of_reference
    same_shape = first.array.shape[:3] == second.array.shape[:3]
    return same_shape and np.allclose(first.affine, second.affine, atol=1e-3)


def _alike(window: Window, volume: Volume, other: Volume) -> Window:
    """A window of another volume: the same where units are, else as far from its default."""
    if volume.units and volume.units == other.units:
        return window
    here, there = default_window(volume), default_window(other)
    if window == here or TABLE in (window.function, there.function):
        return there
    scale = there.width / here.width
    centre = there.centre + (window.centre - here.centre) * scale
    return replace(window, centre=centre, width=window.width * scale, name="")
