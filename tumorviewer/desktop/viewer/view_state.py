"""What viewports of one stack of planes show: plane, window, zoom, pan and cursor."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QPointF, QSizeF, Signal
from PySide6.QtGui import QImage

from tumorviewer.imaging.display import (
    choose_default_window,
    choose_provisional_window,
    render_pixels,
)
from tumorviewer.imaging.reslice import Plane, PlanePixels, PlaneStack, cut_planes
from tumorviewer.language import later, tr
from tumorviewer.study import Volume, Window

SMALLEST_ZOOM, LARGEST_ZOOM = 0.05, 64.0
NO_PLANES = later("Other planes need several slices whose place in the patient is known.")


_SeriesGrid = tuple[str, str | None, tuple[int, ...], NDArray[np.float64]]


class ViewState(QObject):
    """Points are in image coordinates: x runs along columns, y along rows, and pixel ``(r, c)``
    covers ``c … c + 1`` and ``r … r + 1``. Zoom 1 fits :attr:`field` into the viewport.

    Parameters
    ----------
    plane
        Which planes of the volume are shown.
    """

    slice_changed = Signal(int)
    window_changed = Signal(Window)
    picture_changed = Signal()
    """Other pixels: volume, plane, window or what is done to them."""
    place_changed = Signal()
    """The same pixels elsewhere, or other text upon them."""
    travelled = Signal(QPointF, float)
    """The reader moved the middle of the view, in image coordinates, and zoomed by a factor."""
    aimed = Signal(np.ndarray)
    """The crosshair is wanted at a point of the patient, LPS+ mm."""
    pointed = Signal(object)
    """The reader's pointer is over an image point, or over none (None)."""

    def __init__(self, parent: QObject | None = None, plane: Plane = Plane.OWN) -> None:
        super().__init__(parent)
        self.plane = plane
        self.volume: Volume | None = None
        self.stack: PlaneStack | None = None
        self.index = 0
        self.window = Window(128, 256)
        self.zoom = 1.0
        self.centre = QPointF()
        self.field = QSizeF(1, 1)
        """Width and height in mm of what zoom 1 fits; linked views share it."""
        self.quarter_turns = 0
        """Clockwise, after mirroring."""
        self.is_mirrored = False
        self.cursor: QPointF | None = None
        self.crosshair: NDArray[np.float64] | None = None
        """A point of the patient, LPS+ mm, that this and linked views keep in their plane."""
        self.crosshair_shown = False
        self.patient_text_shown = True
        self.smooth = True
        self.is_inverted = False
        self.slab = 0.0
        """Thickness in mm of the maximum intensity projection; 0 for a plane alone."""
        self.is_magnified = False
        """Whether a lens follows the pointer."""
        self._filled: NDArray[np.bool_] = np.zeros(0, bool)
        self.is_window_chosen = False
        """By the reader; else it is the default once the volume is loaded."""
        self._section: PlanePixels | None = None
        self._picture: QImage | None = None
        self._grid: _SeriesGrid | None = None

    @property
    def count(self) -> int:
        return 0 if self.stack is None else len(self.stack)

    def absence(self) -> str:
        """Why the plane has no pixels to show; empty if it has."""
        if self.stack is None:
            return tr("Loading this slice…") if self.volume is None else tr(NO_PLANES)
        if not self.stack.is_own:
            return "" if self._filled.any() else tr("Loading…")
        if not self._filled[self.index]:
            return tr("Loading this slice…")
        is_missing = self.index in self.stack.volume.missing
        return tr("This slice could not be read.") if is_missing else ""

    @property
    def is_complete(self) -> bool:
        return bool(self._filled.all())

    def show(self, volume: Volume | None, *, complete: bool = True) -> None:
        """Show a volume, its middle plane first; plane, window and place stay where the pixels
        are those that are shown already."""
        known = volume is not None and self.volume is not None
        same = known and volume.array is self.volume.array  # type: ignore[union-attr]
        self.volume = volume
        self.stack = None if volume is None else cut_planes(volume, self.plane)
        if complete or not same:
            self._filled = np.full(0 if volume is None else len(volume.array), complete)
        if volume is not None and not same:
            if not self._stays(volume):
                self.index, self.is_window_chosen = self.count // 2, False
                self.crosshair, self.field = self.middle(), self.extent()
                self._fit()
            self.cursor, self._grid = None, _grid_of(volume)
        if volume is not None and complete and not self.is_window_chosen:
            self.window = choose_default_window(volume)
        self._change_pixels()
        self.slice_changed.emit(self.index)
        self.window_changed.emit(self.window)

    def _stays(self, volume: Volume) -> bool:
        """Whether a volume is another of the series that was shown, on the same grid."""
        known, new = self._grid, _grid_of(volume)
        return known is not None and known[:-1] == new[:-1] and np.allclose(known[-1], new[-1])

    def show_as(self, other: ViewState) -> None:
        """Show the volume and window of another view, as far as it is loaded."""
        self.show(other.volume, complete=other.is_complete)
        self._filled = other._filled.copy()
        self.set_window(other.window, is_chosen=other.is_window_chosen)

    def fill(self, index: int) -> None:
        """A slice of a volume that is still loading has been read."""
        if self.volume is None:
            return
        if not self._filled.any() and not self.is_window_chosen:
            self.window = choose_provisional_window(self.volume, index)
            self.window_changed.emit(self.window)
        self._filled[index] = True
        if index == self.index or self.plane is not Plane.OWN:
            self._change_pixels()

    def section(self) -> PlanePixels:
        """The pixels that are shown."""
        if self._section is None:
            assert self.stack is not None
            absent = ~self._filled
            absent[list(self.stack.volume.missing)] = True
            if self.slab:
                self._section = self.stack.slab(self.index, absent, self.slab)
            else:
                self._section = self.stack.section(self.index, absent)
        return self._section

    def picture(self) -> QImage:
        """The plane at its own resolution, which all viewports of this state draw."""
        if self._picture is None:
            assert self.volume is not None
            self._picture = _picture(self.volume, self.section(), self.window, self.is_inverted)
        return self._picture

    def _change_pixels(self) -> None:
        self._section = None
        self._change_picture()

    def _change_picture(self) -> None:
        self._picture = None
        self.picture_changed.emit()

    # Which plane, and how it looks

    def set_slice(self, index: int) -> None:
        index = max(0, min(index, self.count - 1))
        if self.count and index != self.index:
            self.index = index
            self._change_pixels()
            self.slice_changed.emit(index)

    def step(self, slices: int) -> None:
        self.set_slice(self.index + slices)

    def set_window(self, window: Window, *, is_chosen: bool = True) -> None:
        self.is_window_chosen = is_chosen
        if window != self.window:
            self.window = window
            self._change_picture()
            self.window_changed.emit(window)

    def reset_window(self) -> None:
        if self.volume is not None and self.is_complete:
            self.set_window(choose_default_window(self.volume), is_chosen=False)

    def set_inverted(self, inverted: bool) -> None:
        self.is_inverted = inverted
        self._change_picture()

    def set_slab(self, thickness: float) -> None:
        """Project the maximum over so many mm; 0 for the plane alone."""
        self.slab = thickness
        self._change_pixels()

    def set_smooth(self, smooth: bool) -> None:
        self.smooth = smooth
        self.place_changed.emit()

    def set_magnified(self, magnified: bool) -> None:
        self.is_magnified = magnified
        self.place_changed.emit()

    def set_patient_text_shown(self, shown: bool) -> None:
        self.patient_text_shown = shown
        self.place_changed.emit()

    # Where it lies in the viewport

    def zoom_about(self, point: QPointF, factor: float) -> None:
        """Zoom so that ``point`` stays where it is on the screen."""
        zoom = max(SMALLEST_ZOOM, min(self.zoom * factor, LARGEST_ZOOM))
        centre = point + (self.centre - point) * (self.zoom / zoom)
        self._travel(centre, zoom)

    def move_to(self, centre: QPointF) -> None:
        """Put an image point in the middle; the image cannot be lost from sight."""
        if self.stack is not None:
            self._travel(centre, self.zoom)

    def follow(self, step: QPointF, factor: float) -> None:
        """Move and zoom as a linked view did."""
        self.zoom *= factor
        self.centre = self._within(self.centre + step)
        self.place_changed.emit()

    def reset_place(self) -> None:
        centre, zoom = self.centre, self.zoom
        self._fit()
        self.place_changed.emit()
        self.travelled.emit(self.centre - centre, 1 / zoom)

    def turn(self, quarters: int) -> None:
        """Rotate clockwise on the screen."""
        self.quarter_turns = (self.quarter_turns + quarters) % 4
        self.place_changed.emit()

    def mirror(self, *, vertically: bool = False) -> None:
        """Exchange left and right, or top and bottom, of the screen."""
        self.is_mirrored = not self.is_mirrored
        self.quarter_turns = (2 * vertically - self.quarter_turns) % 4
        self.place_changed.emit()

    def set_upright(self) -> None:
        """As the planes are read: neither turned nor mirrored."""
        self.quarter_turns, self.is_mirrored = 0, False
        self.place_changed.emit()

    def extent(self) -> QSizeF:
        """Width and height of the planes, mm."""
        if self.stack is None:
            return QSizeF(1, 1)
        (rows, columns), (row, column) = self.stack.shape, self.stack.spacing
        return QSizeF(columns * column, rows * row)

    def _travel(self, centre: QPointF, zoom: float) -> None:
        step, factor = self._within(centre) - self.centre, zoom / self.zoom
        self.centre, self.zoom = self.centre + step, zoom
        self.place_changed.emit()
        self.travelled.emit(step, factor)

    def _within(self, centre: QPointF) -> QPointF:
        if self.stack is None:
            return centre
        rows, columns = self.stack.shape
        return QPointF(min(max(centre.x(), 0), columns), min(max(centre.y(), 0), rows))

    def _fit(self) -> None:
        self.zoom = 1.0
        if self.stack is not None:
            rows, columns = self.stack.shape
            self.centre = QPointF(columns / 2, rows / 2)

    # Points that are marked

    def to_patient(self, point: QPointF) -> NDArray[np.float64]:
        """LPS+ mm of an image point on the shown plane."""
        assert self.stack is not None
        return self.stack.to_patient(self.index, point.y() - 0.5, point.x() - 0.5)

    def from_patient(self, point: NDArray[np.float64]) -> QPointF:
        """The image point of the shown plane that is nearest to a point of the patient."""
        assert self.stack is not None
        row, column = self.stack.on_plane(self.index, point)
        return QPointF(column + 0.5, row + 0.5)

    def middle(self) -> NDArray[np.float64] | None:
        """The middle of the shown plane, LPS+ mm."""
        if self.stack is None:
            return None
        rows, columns = self.stack.shape
        return self.to_patient(QPointF(columns / 2, rows / 2))

    def is_on_plane(self, point: NDArray[np.float64]) -> bool:
        """Whether the shown plane is the one that a point of the patient belongs to."""
        if self.stack is None:
            return False
        off = abs(self.stack.distance(self.index, point))
        return math.isfinite(off) and off <= 0.5 * self.stack.step * (1 + 1e-6)

    def point_at(self, point: QPointF | None) -> None:
        """Move the cursor that all viewports mark."""
        if point != self.cursor:
            self.show_cursor(point)
            self.pointed.emit(point)

    def aim(self, point: QPointF) -> None:
        """Ask for the crosshair, and with it all linked views, at an image point."""
        if self.stack is not None:
            self.aimed.emit(self.to_patient(point))

    def show_cursor(self, point: QPointF | None) -> None:
        """Mark the point that a linked view's cursor is at."""
        if point != self.cursor:
            self.cursor = point
            self.place_changed.emit()

    def set_crosshair(self, point: NDArray[np.float64] | None) -> None:
        """Put the crosshair at a point of the patient; the plane is not changed."""
        self.crosshair = point
        if self.crosshair_shown:
            self.place_changed.emit()

    def set_crosshair_shown(self, shown: bool) -> None:
        self.crosshair_shown = shown
        self.place_changed.emit()


def _picture(volume: Volume, section: PlanePixels, window: Window, is_inverted: bool) -> QImage:
    grey = render_pixels(volume, section.values, window)
    if is_inverted:
        np.invert(grey, out=grey)
    if section.outside is not None:
        grey[section.outside] = 0
    if section.absent is not None:
        grey[section.absent] = _hatching(section.absent)
    return _image(grey)


def _hatching(where: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Grey levels of a pattern that no anatomy has, for the pixels without data."""
    rows, columns = np.nonzero(where)
    return np.where((rows + columns) % 8 < 2, 96, 24).astype(np.uint8)


def _image(pixels: NDArray[np.uint8]) -> QImage:
    pixels = np.ascontiguousarray(pixels)
    rows, columns = pixels.shape[:2]
    layout = QImage.Format.Format_RGB888 if pixels.ndim == 3 else QImage.Format.Format_Grayscale8
    picture = QImage(pixels.data, columns, rows, pixels.strides[0], layout)
    return picture.convertToFormat(QImage.Format.Format_RGB32)


def _grid_of(volume: Volume) -> _SeriesGrid:
    """What volumes of one series on one grid have in common."""
    return volume.source, volume.series_instance_uid, volume.array.shape, volume.affine
