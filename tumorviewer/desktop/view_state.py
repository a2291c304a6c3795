"""What linked viewports show: one volume, slice, window, zoom, pan and cursor for all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QPointF, Signal

from tumorviewer.imaging.display import default_window, provisional_window
from tumorviewer.study import Volume, Window

SMALLEST_ZOOM, LARGEST_ZOOM = 0.2, 64.0


class ViewState(QObject):
    """Points are in image coordinates: x runs along columns, y along rows, and pixel ``(r, c)``
    covers ``c … c + 1`` and ``r … r + 1``. Zoom 1 fits the slice into its viewport."""

    slice_changed = Signal(int)
    window_changed = Signal(object)
    picture_changed = Signal()
    """Other pixels: volume, slice or window."""
    place_changed = Signal()
    """The same pixels elsewhere, or other text upon them."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.volume: Volume | None = None
        self.index = 0
        self.window = Window(128, 256)
        self.zoom = 1.0
        self.centre = QPointF()
        self.cursor: QPointF | None = None
        self.patient_text_shown = True
        self.smooth = True
        self._filled: NDArray[np.bool_] = np.zeros(0, bool)
        self._window_chosen = False

    @property
    def count(self) -> int:
        return 0 if self.volume is None else len(self.volume.array)

    def absence(self) -> str:
        """Why the slice has no pixels to show; empty if it has."""
        if self.volume is None or not self._filled[self.index]:
            return "Loading this slice…"
        return "This slice could not be read." if self.index in self.volume.missing else ""

    @property
    def is_complete(self) -> bool:
        return bool(self._filled.all())

    def show(self, volume: Volume | None, *, complete: bool = True) -> None:
        """Show a volume, its middle slice first; slice, window and place stay where the pixels
        are those that are shown already."""
        known = volume is not None and self.volume is not None
        same = known and volume.array is self.volume.array  # type: ignore[union-attr]
        self.volume = volume
        if complete or not same:
            self._filled = np.full(self.count, complete)
        if not same:
            self.index, self.cursor, self._window_chosen = self.count // 2, None, False
            self._fit()
        if volume is not None and complete and not self._window_chosen:
            self.window = default_window(volume)
        self.picture_changed.emit()
        self.slice_changed.emit(self.index)
        self.window_changed.emit(self.window)

    def fill(self, index: int) -> None:
        """A slice of a volume that is still loading has been read."""
        if self.volume is None:
            return
        if not self._filled.any() and not self._window_chosen:
            self.window = provisional_window(self.volume, index)
            self.window_changed.emit(self.window)
        self._filled[index] = True
        if index == self.index:
            self.picture_changed.emit()

    def set_slice(self, index: int) -> None:
        index = max(0, min(index, self.count - 1))
        if self.count and index != self.index:
            self.index = index
            self.picture_changed.emit()
            self.slice_changed.emit(index)

    def step(self, slices: int) -> None:
        self.set_slice(self.index + slices)

    def set_window(self, window: Window) -> None:
        self._window_chosen = True
        if window != self.window:
            self.window = window
            self.picture_changed.emit()
            self.window_changed.emit(window)

    def zoom_about(self, point: QPointF, factor: float) -> None:
        """Zoom so that ``point`` stays where it is on the screen."""
        zoom = max(SMALLEST_ZOOM, min(self.zoom * factor, LARGEST_ZOOM))
        self.centre = point + (self.centre - point) * (self.zoom / zoom)
        self.zoom = zoom
        self.place_changed.emit()

    def move_to(self, centre: QPointF) -> None:
        """Put an image point in the middle; the image cannot be lost from sight."""
        if self.volume is not None:
            rows, columns = self.volume.array.shape[1:3]
            x, y = min(max(centre.x(), 0), columns), min(max(centre.y(), 0), rows)
            self.centre = QPointF(x, y)
            self.place_changed.emit()

    def reset_place(self) -> None:
        self._fit()
        self.place_changed.emit()

    def reset_window(self) -> None:
        if self.volume is not None and self.is_complete:
            self.set_window(default_window(self.volume))
            self._window_chosen = False

    def point_at(self, point: QPointF | None) -> None:
        """Move the cursor that all viewports mark."""
        if point != self.cursor:
            self.cursor = point
            self.place_changed.emit()

    def set_patient_text_shown(self, shown: bool) -> None:
        self.patient_text_shown = shown
        self.place_changed.emit()

    def set_smooth(self, smooth: bool) -> None:
        self.smooth = smooth
        self.place_changed.emit()

    def _fit(self) -> None:
        self.zoom = 1.0
        if self.volume is not None:
            rows, columns = self.volume.array.shape[1:3]
            self.centre = QPointF(columns / 2, rows / 2)
