"""Keeps views of one frame of reference at one point of the patient, by position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QPointF, QSizeF

from tumorviewer.desktop.viewer.view_state import ViewState
from tumorviewer.imaging.display import TABLE, choose_default_window
from tumorviewer.study import Placement, Volume, Window


@dataclass(frozen=True)
class _Tie:
    """Two frames of reference that the reader takes as one, but for a shift."""

    first: Volume
    second: Volume
    """Both without their pixels."""
    shift: NDArray[np.float64]
    """From a place in the first to the same in the second, LPS+ mm."""

    def concerns(self, volume: Volume) -> bool:
        return share_frame_of_reference(self.first, volume) or share_frame_of_reference(
            self.second, volume
        )


class Link(QObject):
    """Every view shows the plane that the crosshair lies in.

    Scrolling one moves the crosshair across its planes; the others go where it went. Views of one
    volume share its window; those of another get theirs widened and shifted as much. Views of other
    frames of reference, as of a prior, join in once the reader has tied them.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.is_on = True
        self._states: list[ViewState] = []
        self._ties: list[_Tie] = []
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
        if source.stack is not None:
            source.set_slice(source.stack.nearest(point))
        source.set_crosshair(point)
        for state, shift in self._others(source):
            self._bring(state, point + shift)
        self._is_following = False

    def tie(self, source: ViewState, others: Sequence[ViewState]) -> None:
        """Take the crosshairs of a view and of those in other frames of reference as one place of
        the patient; where they are tied already, part them."""
        if source.volume is None or source.crosshair is None:
            return
        here = source.volume
        apart = [one for one in others if one.volume and not self.joins(here, one.volume)]
        if not apart:
            self._ties = [tie for tie in self._ties if not tie.concerns(here)]
        for one in apart:
            if one.volume is not None and one.crosshair is not None:
                shift = one.crosshair - source.crosshair
                self._ties.append(_Tie(_bare(here), _bare(one.volume), shift))

    def joins(self, first: Volume, second: Volume) -> bool:
        """Whether places of one volume are known in another."""
        return self._shift(first, second) is not None

    def share_field(self, states: Sequence[ViewState]) -> None:
        """Fit linked views of these at one scale, so that a lesion has one size in all."""
        for state in states:
            joined = [state, *(one for one, _ in self._others(state) if one in states)]
            extents = [one.extent() for one in joined]
            size = QSizeF(max(e.width() for e in extents), max(e.height() for e in extents))
            if size != state.field:
                state.field = size
                state.place_changed.emit()

    def show(self, state: ViewState, volume: Volume | None, complete: bool) -> None:
        """Show a volume where those linked to it are; the reader's own view stays as it is."""
        self._is_following = True
        state.show(volume, complete=complete)
        self._is_following = False
        self.gather(state)

    def gather(self, state: ViewState) -> None:
        """Bring a view that was just filled to where those linked to it are."""
        for other, shift in self._others(state):
            if state.stack is not None and other.crosshair is not None:
                self._is_following = True
                self._bring(state, other.crosshair - shift)
                self._is_following = False
                return

    def _bring(self, state: ViewState, point: NDArray[np.float64]) -> None:
        assert state.stack is not None
        state.set_slice(state.stack.nearest(point))
        state.set_crosshair(point)

    def _others(self, source: ViewState) -> Iterator[tuple[ViewState, NDArray[np.float64]]]:
        """Views linked to one, each with the shift from its places to theirs, mm."""
        if source.volume is None:
            return
        for state in self._states:
            if state is source or state.volume is None or state.stack is None:
                continue
            if state.volume is source.volume:
                yield state, np.zeros(3)
            elif self.is_on and (shift := self._shift(source.volume, state.volume)) is not None:
                yield state, shift

    def _shift(self, first: Volume, second: Volume) -> NDArray[np.float64] | None:
        """From places of one volume to those of another, mm; None where that is not known."""
        if share_frame_of_reference(first, second):
            return np.zeros(3)
        for tie in self._ties:
            if share_frame_of_reference(tie.first, first) and share_frame_of_reference(
                tie.second, second
            ):
                return tie.shift
            if share_frame_of_reference(tie.first, second) and share_frame_of_reference(
                tie.second, first
            ):
                return -tie.shift
        return None

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
        for state, _ in self._others(source):
            assert state.volume is not None
            if state.volume is source.volume:
                state.set_window(window, is_chosen=source.is_window_chosen)
            elif source.is_complete and state.is_complete:
                state.set_window(_alike(window, source.volume, state.volume))
        self._is_following = False

    def _travelled(self, source: ViewState, step: QPointF, factor: float) -> None:
        assert source.stack is not None
        way = source.stack.right * step.x() + source.stack.down * step.y()
        for state, _ in self._others(source):
            assert state.stack is not None
            rows, columns = state.stack.along(way)
            state.follow(QPointF(columns, rows), factor)

    def _pointed(self, source: ViewState, point: QPointF | None) -> None:
        where = None if point is None or source.stack is None else source.to_patient(point)
        for state, shift in self._others(source):
            there = None if where is None else where + shift
            seen = there is not None and state.is_on_plane(there)
            state.show_cursor(state.from_patient(there) if seen and there is not None else None)


def share_frame_of_reference(first: Volume, second: Volume) -> bool:
    """Whether equal coordinates in two volumes are one place: one frame of reference, or, where
    none is stated, one grid."""
    if not (first.placement is second.placement is Placement.PATIENT):
        return first is second
    if first.frame_of_reference or second.frame_of_reference:
        return first.frame_of_reference == second.frame_of_reference
    same_shape = first.array.shape[:3] == second.array.shape[:3]
    return same_shape and np.allclose(first.affine, second.affine, atol=1e-3)


def _bare(volume: Volume) -> Volume:
    """A volume without the memory of its pixels."""
    return replace(volume, array=np.broadcast_to(volume.array.dtype.type(0), volume.array.shape))


def _alike(window: Window, volume: Volume, other: Volume) -> Window:
    """A window of another volume: the same where units are, else as far from its default."""
    if volume.units and volume.units == other.units:
        return window
    here, there = choose_default_window(volume), choose_default_window(other)
    if window == here or TABLE in (window.function, there.function):
        return there
    scale = there.width / here.width
    centre = there.centre + (window.centre - here.centre) * scale
    return replace(window, centre=centre, width=window.width * scale, name="")
