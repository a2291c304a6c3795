"""One slice on the screen, with what is written over it and the mouse and keys that move it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from tumorviewer.desktop import annotation, readout
from tumorviewer.desktop.view_state import ViewState
from tumorviewer.imaging.display import TABLE, levels
from tumorviewer.imaging.geometry import edge_letters, pixel_aspect
from tumorviewer.study import Placement, Volume, Window

HINTS = (
    "Wheel or left-drag: scroll through the slices",
    "Right-drag: window (across: width, up and down: brightness)",
    "Ctrl + wheel: zoom about the pointer",
    "Middle-drag or Shift + left-drag: move the image",
    "Double-click: fit the image",
    "Up, Down, Home, End: slices; Alt + arrows: window",
    "Ctrl and +, - or 0: zoom in, zoom out, fit; Shift + arrows: move the image",
)
BACKGROUND = QColor(0, 0, 0)
_WHEEL_STEP = 120
_ZOOM_STEP = 1.15
_PAGE = 10
_PIXELS_TO_DOUBLE_WIDTH = 200


class _DragKind(Enum):
    SCROLL = auto()
    WINDOW = auto()
    PAN = auto()


@dataclass(frozen=True)
class _Drag:
    kind: _DragKind
    start: QPointF
    index: int
    window: Window
    centre: QPointF


class Viewport(QWidget):
    """Draws the slice of a :class:`ViewState`, with an overlay if there is one.

    Parameters
    ----------
    state
        Shared by the viewports that are linked.
    name
        What a screen reader calls it.
    """

    def __init__(self, state: ViewState, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = state
        self.overlay: Callable[[int], QImage | None] = no_overlay
        self.value_text: Callable[[int, int, int], str] = self.intensity_text
        self.patient_lines: Sequence[str] = ()
        self.series_lines: Sequence[str] = ()
        self.window_text_shown = True
        self.message = ""
        """Shown in place of the image while it is not empty."""
        self.remark: Callable[[int], str] = no_remark
        """What must be said of a slice, over the image."""
        self._picture: QImage | None = None
        self._drag: _Drag | None = None
        self._wheel = 0
        self._has_pointer = False
        self.setAccessibleName(name)
        self.setAccessibleDescription("\n".join(HINTS))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        state.picture_changed.connect(self.refresh)
        state.place_changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(512, 512)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 160)

    def refresh(self) -> None:
        """Draw anew: the pixels or the overlay are others."""
        self._picture = None
        self.update()

    # Where things are

    def scale(self) -> float:
        """Logical screen pixels per image column."""
        volume = self.state.volume
        if volume is None:
            return 1.0
        rows, columns = volume.array.shape[1:3]
        fit: float = min(self.width() / columns, self.height() / (rows * pixel_aspect(volume)))
        return max(fit, 1e-6) * self.state.zoom

    def transform(self) -> QTransform:
        """From image coordinates to this widget's."""
        volume, scale = self.state.volume, self.scale()
        aspect = 1.0 if volume is None else pixel_aspect(volume)
        moved = QTransform.fromTranslate(self.width() / 2, self.height() / 2)
        moved.scale(scale, scale * aspect)
        return moved.translate(-self.state.centre.x(), -self.state.centre.y())

    def to_image(self, point: QPointF) -> QPointF:
        """From this widget's coordinates to the image's."""
        inverse, _ = self.transform().inverted()
        return inverse.map(point)

    def pixel_at(self, point: QPointF) -> tuple[int, int] | None:
        """Row and column under an image point; None outside the image."""
        if self.state.volume is None:
            return None
        rows, columns = self.state.volume.array.shape[1:3]
        row, column = int(np.floor(point.y())), int(np.floor(point.x()))
        return (row, column) if 0 <= row < rows and 0 <= column < columns else None

    # Drawing

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        area = QRectF(self.rect())
        painter.fillRect(area, BACKGROUND)
        if self.message:
            annotation.draw_message(painter, area, self.message)
        elif self.state.volume is not None:
            self._draw_picture(painter)
            self._draw_annotations(painter, area, self.state.volume)
        if self.hasFocus():
            painter.setPen(self.palette().highlight().color())
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def _draw_picture(self, painter: QPainter) -> None:
        absence = self.state.absence()
        if absence:
            annotation.draw_message(painter, QRectF(self.rect()), absence)
            return
        if self._picture is None:
            self._picture = self._compose()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.state.smooth)
        painter.setTransform(self.transform(), combine=True)
        picture, shrunk = self._picture, self._shrunk(painter)
        painter.drawImage(QRectF(picture.rect()), shrunk, QRectF(shrunk.rect()))
        painter.restore()

    def _compose(self) -> QImage:
        """The slice at its own resolution with the overlay blended in."""
        volume, index = self.state.volume, self.state.index
        assert volume is not None
        picture = _image(levels(volume, index, self.state.window))
        overlay = self.overlay(index)
        if overlay is not None:
            blend = QPainter(picture)
            blend.drawImage(picture.rect(), overlay)
            blend.end()
        return picture

    def _shrunk(self, painter: QPainter) -> QImage:
        """The picture halved until it is at most twice as large as on the screen: bilinear
        interpolation alone would skip pixels."""
        assert self._picture is not None
        picture = self._picture
        shown = self.scale() * painter.device().devicePixelRatioF()
        halvings = int(np.floor(-np.log2(shown))) if self.state.smooth else 0
        if halvings < 1:
            return picture
        return picture.scaled(
            max(1, picture.width() >> halvings),
            max(1, picture.height() >> halvings),
            Qt.AspectRatioMode.IgnoreAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )

    def _draw_annotations(self, painter: QPainter, area: QRectF, volume: Volume) -> None:
        top, bottom = Qt.AlignmentFlag.AlignTop, Qt.AlignmentFlag.AlignBottom
        left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
        if self.state.patient_text_shown:
            annotation.draw_corner(painter, area, top | left, self.patient_lines)
        annotation.draw_corner(painter, area, top | right, self.series_lines)
        annotation.draw_corner(painter, area, bottom | left, self._window_lines(), 0.38)
        higher = annotation.above_scale_bar(painter, area)
        annotation.draw_corner(painter, higher, bottom | left, self._cursor_lines(volume), 0.9)
        slice_lines = readout.slice_lines(volume, self.state.index)
        annotation.draw_corner(painter, area, bottom | right, slice_lines, 0.38)
        edges = edge_letters(volume)
        if edges is not None:
            annotation.draw_edges(painter, area, edges)
        if volume.placement is not Placement.NONE:
            annotation.draw_scale_bar(painter, area, volume.spacing()[2] / self.scale())
        annotation.draw_remark(painter, area, self.remark(self.state.index))
        if self.state.cursor is not None and not self._has_pointer:
            annotation.draw_cursor(painter, self.transform().map(self.state.cursor))

    def _cursor_lines(self, volume: Volume) -> list[str]:
        state = self.state
        pixel = None if state.cursor is None else self.pixel_at(state.cursor)
        if pixel is None or state.absence():
            return []
        value = self.value_text(state.index, *pixel)
        return [value, *readout.pixel_lines(volume, state.index, *pixel)]

    def _window_lines(self) -> list[str]:
        if not self.window_text_shown:
            return []
        return [*readout.window_lines(self.state.window), f"Zoom {self.scale() * 100:.0f} %"]

    def intensity_text(self, index: int, row: int, column: int) -> str:
        """The value of a voxel with its unit."""
        assert self.state.volume is not None
        return readout.intensity_text(
            self.state.volume, (index, row, column), self.state.window.width
        )

    # Mouse and keys

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._wheel += event.angleDelta().y() or event.angleDelta().x()
        steps = int(self._wheel / _WHEEL_STEP)
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            factor = _ZOOM_STEP ** (self._wheel / _WHEEL_STEP)
            self.state.zoom_about(self.to_image(event.position()), factor)
            self._wheel = 0
        elif steps:
            self._wheel -= steps * _WHEEL_STEP
            self.state.step(-steps)
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        state = self.state
        kind = self._drag_kind(event)
        if kind is not None and state.volume is not None:
            self._drag = _Drag(kind, event.position(), state.index, state.window, state.centre)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._has_pointer = True
        if self._drag is None:
            inside = self.state.volume is not None and not self.message
            self.state.point_at(self.to_image(event.position()) if inside else None)
            return
        moved = event.position() - self._drag.start
        if self._drag.kind is _DragKind.SCROLL:
            pixels = max(3.0, self.height() / max(1, self.state.count))
            self.state.set_slice(self._drag.index + int(moved.y() / pixels))
        elif self._drag.kind is _DragKind.WINDOW:
            self._drag_window(self._drag.window, moved)
        else:
            origin = self.to_image(QPointF())
            self.state.move_to(self._drag.centre - (self.to_image(moved) - origin))

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._drag = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self.state.reset_place()

    def leaveEvent(self, event: QEvent) -> None:
        self._has_pointer = False
        self.state.point_at(None)
        super().leaveEvent(event)

    def _drag_kind(self, event: QMouseEvent) -> _DragKind | None:
        shift = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        if event.button() is Qt.MouseButton.LeftButton:
            return _DragKind.PAN if shift or self.state.count == 1 else _DragKind.SCROLL
        return {
            Qt.MouseButton.RightButton: _DragKind.WINDOW,
            Qt.MouseButton.MiddleButton: _DragKind.PAN,
        }.get(event.button())

    def _drag_window(self, start: Window, moved: QPointF) -> None:
        """Across is width and along is centre, in proportion to the window at the start; up is
        brighter."""
        step = start.width / _PIXELS_TO_DOUBLE_WIDTH
        down = -1 if self.state.volume is not None and self.state.volume.inverted else 1
        width = max(start.width + moved.x() * step, start.width / 1000)
        function = "LINEAR" if start.function == TABLE else start.function
        centre = start.centre + down * moved.y() * step
        self.state.set_window(Window(centre, width, function=function))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        act = {
            Qt.KeyboardModifier.NoModifier: self._slice_key,
            Qt.KeyboardModifier.ShiftModifier: self._pan_key,
            Qt.KeyboardModifier.AltModifier: self._window_key,
        }.get(held, self._zoom_key if held & Qt.KeyboardModifier.ControlModifier else None)
        if act is None or not act(Qt.Key(event.key())):
            super().keyPressEvent(event)

    def _slice_key(self, key: Qt.Key) -> bool:
        target = {
            Qt.Key.Key_Up: self.state.index - 1,
            Qt.Key.Key_Down: self.state.index + 1,
            Qt.Key.Key_PageUp: self.state.index - _PAGE,
            Qt.Key.Key_PageDown: self.state.index + _PAGE,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: self.state.count - 1,
        }.get(key)
        if target is not None:
            self.state.set_slice(target)
        return target is not None

    def _zoom_key(self, key: Qt.Key) -> bool:
        factor = {
            Qt.Key.Key_Plus: _ZOOM_STEP,
            Qt.Key.Key_Equal: _ZOOM_STEP,
            Qt.Key.Key_Minus: 1 / _ZOOM_STEP,
        }.get(key)
        if factor is not None:
            self.state.zoom_about(self.state.centre, factor)
        elif key is Qt.Key.Key_0:
            self.state.reset_place()
        else:
            return False
        return True

    def _pan_key(self, key: Qt.Key) -> bool:
        direction = _ARROWS.get(key)
        if direction is not None:
            step = 0.1 * min(self.width(), self.height()) / self.scale()
            self.state.move_to(self.state.centre + direction * step)
        return direction is not None

    def _window_key(self, key: Qt.Key) -> bool:
        direction = _ARROWS.get(key)
        if direction is not None:
            self._drag_window(self.state.window, direction * 10)
        return direction is not None

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()


_ARROWS = {
    Qt.Key.Key_Left: QPointF(-1, 0),
    Qt.Key.Key_Right: QPointF(1, 0),
    Qt.Key.Key_Up: QPointF(0, -1),
    Qt.Key.Key_Down: QPointF(0, 1),
}


def no_overlay(_index: int) -> None:
    """The overlay of every slice where there is none."""


def no_remark(_index: int) -> str:
    """The remark on every slice where there is none."""
    return ""


def _image(pixels: NDArray[np.uint8]) -> QImage:
    pixels = np.ascontiguousarray(pixels)
    rows, columns = pixels.shape[:2]
    layout = QImage.Format.Format_RGB888 if pixels.ndim == 3 else QImage.Format.Format_Grayscale8
    picture = QImage(pixels.data, columns, rows, pixels.strides[0], layout)
    return picture.convertToFormat(QImage.Format.Format_RGB32)
