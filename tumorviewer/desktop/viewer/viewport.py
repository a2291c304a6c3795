"""One slice on the screen, with what is written over it and the mouse and keys that move it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from tumorviewer.desktop.viewer import captions, readout
from tumorviewer.desktop.viewer.gestures import HINTS, Gestures
from tumorviewer.desktop.viewer.view_state import ViewState
from tumorviewer.imaging.geometry import Edges, name_edges
from tumorviewer.imaging.reslice import PlaneStack
from tumorviewer.language import percent, tr
from tumorviewer.study import Placement

BACKGROUND = QColor(0, 0, 0)
_LENS_RADIUS, _LENS_POWER = 80.0, 3.0


class Viewport(QWidget):
    """Draws a plane of a volume, which a :class:`ViewState` says, with an overlay if there is one.

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
        self.title_lines: Sequence[str] = ()
        """What is shown; nothing of the patient, so it stays when that is hidden."""
        self.series_lines: Sequence[str] = ()
        self.window_text_shown = True
        self.message = ""
        """Shown in place of the image while it is not empty."""
        self.remark: Callable[[int], str] = no_remark
        """What must be said of a slice, over the image."""
        self.outlines: Callable[[QPainter], object] = no_annotations
        self.annotations: Callable[[QPainter], object] = no_annotations
        self.gestures = Gestures(self)
        self._picture: QImage | None = None
        self._smaller: QImage | None = None
        self._has_pointer = False
        self.setAccessibleName(name)
        self.setAccessibleDescription("\n".join(map(tr, HINTS)))
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
        self._picture = self._smaller = None
        self.update()

    # Where things are

    def scale(self) -> float:
        """Logical screen pixels per image column."""
        if self.state.stack is None:
            return 1.0
        field = self.state.field
        turned = self.state.quarter_turns % 2 == 1
        width, height = (self.height(), self.width()) if turned else (self.width(), self.height())
        fit = min(width / field.width(), height / field.height())
        return max(fit * self.state.stack.spacing[1], 1e-6) * self.state.zoom

    def transform(self) -> QTransform:
        """From image coordinates to this widget's."""
        state, scale = self.state, self.scale()
        row, column = (1.0, 1.0) if state.stack is None else state.stack.spacing
        moved = QTransform.fromTranslate(self.width() / 2, self.height() / 2)
        moved.rotate(90 * state.quarter_turns)
        moved.scale(-scale if state.is_mirrored else scale, scale * row / column)
        return moved.translate(-state.centre.x(), -state.centre.y())

    def to_image(self, point: QPointF) -> QPointF:
        """From this widget's coordinates to the image's."""
        inverse, _ = self.transform().inverted()
        return inverse.map(point)

    def zoom_to_pixels(self) -> None:
        """One image column on one pixel of the screen."""
        factor = 1 / (self.scale() * self.devicePixelRatioF())
        self.state.zoom_about(self.state.centre, factor)

    def step_of(self, step: QPointF) -> QPointF:
        """How far a step on the screen goes in the image."""
        return self.to_image(step) - self.to_image(QPointF())

    def pixel_at(self, point: QPointF) -> tuple[int, int] | None:
        """Row and column under an image point; None outside the image."""
        if self.state.stack is None:
            return None
        rows, columns = self.state.stack.shape
        row, column = int(np.floor(point.y())), int(np.floor(point.x()))
        return (row, column) if 0 <= row < rows and 0 <= column < columns else None

    def edges(self) -> Edges | None:
        """The letters of the four edges as the image is turned; None where they are not known."""
        stack = self.state.stack
        if stack is None or stack.volume.placement is not Placement.PATIENT:
            return None
        x, y = self.step_of(QPointF(1, 0)), self.step_of(QPointF(0, 1))
        return name_edges(
            stack.right * x.x() + stack.down * x.y(), stack.right * y.x() + stack.down * y.y()
        )

    # Drawing

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        area = QRectF(self.rect())
        painter.fillRect(area, BACKGROUND)
        if self.message:
            captions.draw_message(painter, area, self.message)
        elif self.state.stack is not None:
            self._draw_picture(painter)
            self._draw_annotations(painter, area, self.state.stack)
        elif self.state.volume is not None:
            captions.draw_message(painter, area, self.state.absence())
        if self.hasFocus():
            painter.setPen(self.palette().highlight().color())
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def _draw_picture(self, painter: QPainter) -> None:
        absence = self.state.absence()
        if absence:
            captions.draw_message(painter, QRectF(self.rect()), absence)
            return
        if self._picture is None:
            self._picture = self._compose()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.state.smooth)
        painter.setTransform(self.transform(), combine=True)
        picture, shrunk = self._picture, self._shrunk(painter)
        painter.drawImage(QRectF(picture.rect()), shrunk, QRectF(shrunk.rect()))
        painter.restore()
        if self.state.is_magnified and self.state.cursor is not None and self._has_pointer:
            self._draw_lens(painter, self.transform().map(self.state.cursor), picture)

    def _draw_lens(self, painter: QPainter, at: QPointF, picture: QImage) -> None:
        """The picture enlarged in a circle about the pointer."""
        lens = QPainterPath()
        lens.addEllipse(at, _LENS_RADIUS, _LENS_RADIUS)
        painter.save()
        painter.setClipPath(lens)
        painter.fillPath(lens, BACKGROUND)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.state.smooth)
        painter.translate(at)
        painter.scale(_LENS_POWER, _LENS_POWER)
        painter.translate(-at)
        painter.setTransform(self.transform(), combine=True)
        painter.drawImage(QRectF(picture.rect()), picture)
        painter.restore()
        painter.setPen(captions.INK)
        painter.drawPath(lens)

    def _compose(self) -> QImage:
        """The plane at its own resolution with the overlay blended in."""
        overlay = self.overlay(self.state.index)
        if overlay is None:
            return self.state.picture()
        picture = self.state.picture().copy()
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
        size = QSize(max(1, picture.width() >> halvings), max(1, picture.height() >> halvings))
        if self._smaller is None or self._smaller.size() != size:
            self._smaller = picture.scaled(
                size,
                Qt.AspectRatioMode.IgnoreAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
        return self._smaller

    def _draw_annotations(self, painter: QPainter, area: QRectF, stack: PlaneStack) -> None:
        state = self.state
        top, bottom = Qt.AlignmentFlag.AlignTop, Qt.AlignmentFlag.AlignBottom
        left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
        self._draw_crosshair(painter, area)
        self.outlines(painter)
        patient = self.patient_lines if state.patient_text_shown else ()
        captions.draw_corner(painter, area, top | left, (*patient, *self.title_lines))
        captions.draw_corner(painter, area, top | right, self.series_lines)
        captions.draw_corner(painter, area, bottom | left, self._window_lines(), 0.38)
        higher = captions.above_scale_bar(painter, area)
        read_out = self._cursor_lines(stack)
        captions.draw_corner(
            painter, higher, bottom | left, read_out, 0.9, captions.READ_OUT_HEIGHT
        )
        slice_lines = readout.describe_slice(stack, state.index, state.slab)
        captions.draw_corner(painter, area, bottom | right, slice_lines, 0.38)
        edges = self.edges()
        if edges is not None:
            captions.draw_edges(painter, area, edges)
        if stack.volume.placement is not Placement.NONE:
            captions.draw_scale_bar(painter, area, stack.spacing[1] / self.scale())
        captions.draw_remark(painter, area, self.remark(state.index))
        self.annotations(painter)
        if state.cursor is not None and not self._has_pointer:
            captions.draw_cursor(painter, self.transform().map(state.cursor))

    def _draw_crosshair(self, painter: QPainter, area: QRectF) -> None:
        point = self.state.crosshair
        if self.state.crosshair_shown and point is not None and self.state.is_on_plane(point):
            at = self.transform().map(self.state.from_patient(point))
            captions.draw_crosshair(painter, area, at)

    def _cursor_lines(self, stack: PlaneStack) -> list[str]:
        state = self.state
        pixel = None if state.cursor is None else self.pixel_at(state.cursor)
        if pixel is None or state.absence():
            return []
        value = self.value_text(state.index, *pixel)
        return [value, *readout.describe_pixel(stack, state.index, *pixel)]

    def _window_lines(self) -> list[str]:
        if not self.window_text_shown:
            return []
        return [
            *readout.describe_window(self.state.window),
            tr("Zoom {scale}", scale=percent(self.scale())),
        ]

    def intensity_text(self, _index: int, row: int, column: int) -> str:
        """The value of a pixel of the shown plane with its unit."""
        section, volume = self.state.section(), self.state.volume
        assert volume is not None
        if any(mask is not None and mask[row, column] for mask in section[1:]):
            return tr("No data")
        return readout.describe_intensity(
            volume, section.values[row, column], self.state.window.width
        )

    # Mouse and keys

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.gestures.wheel(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.gestures.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._has_pointer = True
        self.gestures.move(event)

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self.gestures.release()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self.state.reset_place()

    def leaveEvent(self, event: QEvent) -> None:
        self._has_pointer = False
        self.state.point_at(None)
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self.gestures.key(event):
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()


def no_overlay(_index: int) -> None:
    """The overlay of every slice where there is none."""


def no_annotations(_painter: QPainter) -> None:
    """The outlines and the annotations where there are none."""


def no_remark(_index: int) -> str:
    """The remark on every slice where there is none."""
    return ""
