"""What mouse and keys do to a viewport: scroll, window, zoom, pan, crosshair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent

from tumorviewer.desktop.viewer.view_state import ViewState
from tumorviewer.imaging.display import TABLE
from tumorviewer.language import later
from tumorviewer.study import Window

HINTS = (
    later("Wheel or left-drag: scroll through the slices"),
    later("Right-drag: window (across: width, up and down: brightness)"),
    later("Ctrl + wheel: zoom about the pointer"),
    later("Middle-drag or Shift + left-drag: move the image"),
    later("Ctrl + left-drag: crosshair; all linked views show that point"),
    later("Double-click: fit the image"),
    later("Up, Down, Home, End: slices; Alt + arrows: window"),
    later("Ctrl and +, - or 0: zoom in, zoom out, fit; Shift + arrows: move the image"),
)
_WHEEL_STEP = 120
_ZOOM_STEP = 1.15
_PAGE = 10
_PIXELS_TO_DOUBLE_WIDTH = 200
ARROWS = {
    Qt.Key.Key_Left: QPointF(-1, 0),
    Qt.Key.Key_Right: QPointF(1, 0),
    Qt.Key.Key_Up: QPointF(0, -1),
    Qt.Key.Key_Down: QPointF(0, 1),
}


@dataclass(frozen=True)
class _Drag:
    act: Callable[[_Drag, QPointF], None]
    """Told where the pointer is by now."""
    start: QPointF
    index: int
    window: Window
    centre: QPointF


class Surface(Protocol):
    """What gestures are made on: a viewport."""

    state: ViewState
    message: str

    def width(self) -> int: ...
    def height(self) -> int: ...
    def to_image(self, point: QPointF) -> QPointF: ...
    def step_of(self, step: QPointF) -> QPointF: ...


class Gestures:
    """Carries events of one viewport to its state."""

    def __init__(self, viewport: Surface) -> None:
        self._viewport = viewport
        self._drag: _Drag | None = None
        self._wheel = 0

    # Mouse

    def wheel(self, event: QWheelEvent) -> None:
        state = self._viewport.state
        self._wheel += event.angleDelta().y() or event.angleDelta().x()
        steps = int(self._wheel / _WHEEL_STEP)
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            factor = _ZOOM_STEP ** (self._wheel / _WHEEL_STEP)
            state.zoom_about(self._viewport.to_image(event.position()), factor)
            self._wheel = 0
        elif steps:
            self._wheel -= steps * _WHEEL_STEP
            state.step(-steps)
        event.accept()

    def press(self, event: QMouseEvent) -> None:
        state = self._viewport.state
        act = self._act(event)
        if act is not None and state.stack is not None:
            self._drag = _Drag(act, event.position(), state.index, state.window, state.centre)
            if act == self._aim:
                self._aim(self._drag, event.position())

    def move(self, event: QMouseEvent) -> None:
        viewport = self._viewport
        if self._drag is not None:
            self._drag.act(self._drag, event.position())
            return
        inside = viewport.state.stack is not None and not viewport.message
        viewport.state.point_at(viewport.to_image(event.position()) if inside else None)

    def release(self) -> None:
        self._drag = None

    def _act(self, event: QMouseEvent) -> Callable[[_Drag, QPointF], None] | None:
        held, count = event.modifiers(), self._viewport.state.count
        if event.button() is Qt.MouseButton.LeftButton:
            if held & Qt.KeyboardModifier.ControlModifier:
                return self._aim
            shift = held & Qt.KeyboardModifier.ShiftModifier
            return self._pan if shift or count == 1 else self._scroll
        return {
            Qt.MouseButton.RightButton: self._window,
            Qt.MouseButton.MiddleButton: self._pan,
        }.get(event.button())

    def _scroll(self, drag: _Drag, to: QPointF) -> None:
        state = self._viewport.state
        pixels = max(3.0, self._viewport.height() / max(1, state.count))
        state.set_slice(drag.index + int((to - drag.start).y() / pixels))

    def _window(self, drag: _Drag, to: QPointF) -> None:
        self._change_window(drag.window, to - drag.start)

    def _pan(self, drag: _Drag, to: QPointF) -> None:
        step = self._viewport.step_of(to - drag.start)
        self._viewport.state.move_to(drag.centre - step)

    def _aim(self, _drag: _Drag, to: QPointF) -> None:
        self._viewport.state.aim(self._viewport.to_image(to))

    def _change_window(self, start: Window, moved: QPointF) -> None:
        """Across is width and along is centre, in proportion to the window at the start; up is
        brighter."""
        state = self._viewport.state
        step = start.width / _PIXELS_TO_DOUBLE_WIDTH
        is_inverted = state.is_inverted != (state.volume is not None and state.volume.inverted)
        width = max(start.width + moved.x() * step, start.width / 1000)
        function = "LINEAR" if start.function == TABLE else start.function
        centre = start.centre + (-1 if is_inverted else 1) * moved.y() * step
        state.set_window(Window(centre, width, function=function))

    # Keys

    def key(self, event: QKeyEvent) -> bool:
        """Whether the key meant something here."""
        held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        act = {
            Qt.KeyboardModifier.NoModifier: self._slice_key,
            Qt.KeyboardModifier.ShiftModifier: self._pan_key,
            Qt.KeyboardModifier.AltModifier: self._window_key,
        }.get(held, self._zoom_key if held & Qt.KeyboardModifier.ControlModifier else None)
        return act is not None and act(Qt.Key(event.key()))

    def _slice_key(self, key: Qt.Key) -> bool:
        state = self._viewport.state
        target = {
            Qt.Key.Key_Up: state.index - 1,
            Qt.Key.Key_Down: state.index + 1,
            Qt.Key.Key_PageUp: state.index - _PAGE,
            Qt.Key.Key_PageDown: state.index + _PAGE,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: state.count - 1,
        }.get(key)
        if target is not None:
            state.set_slice(target)
        return target is not None

    def _zoom_key(self, key: Qt.Key) -> bool:
        state = self._viewport.state
        factor = {
            Qt.Key.Key_Plus: _ZOOM_STEP,
            Qt.Key.Key_Equal: _ZOOM_STEP,
            Qt.Key.Key_Minus: 1 / _ZOOM_STEP,
        }.get(key)
        if factor is not None:
            state.zoom_about(state.centre, factor)
        elif key is Qt.Key.Key_0:
            state.reset_place()
        else:
            return False
        return True

    def _pan_key(self, key: Qt.Key) -> bool:
        direction, viewport = ARROWS.get(key), self._viewport
        if direction is not None:
            step = 0.1 * min(viewport.width(), viewport.height())
            viewport.state.move_to(viewport.state.centre + viewport.step_of(direction * step))
        return direction is not None

    def _window_key(self, key: Qt.Key) -> bool:
        direction = ARROWS.get(key)
        if direction is not None:
            self._change_window(self._viewport.state.window, direction * 10)
        return direction is not None
