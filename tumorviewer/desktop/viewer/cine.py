"""Runs through the planes of a view like a film."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from tumorviewer.desktop.viewer.view_state import ViewState

SLOWEST, FASTEST = 1, 60
_FRAMES_PER_SECOND = 12


class Cine(QObject):
    """From the last plane it goes on with the first."""

    changed = Signal(bool)
    """It runs now, or does not."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state: ViewState | None = None
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._step)
        self.frames_per_second = _FRAMES_PER_SECOND

    @property
    def is_running(self) -> bool:
        return self._timer.isActive()

    def start(self, state: ViewState) -> None:
        """Run through a view that has more than one plane."""
        if state.count > 1:
            self._state = state
            self._timer.start(round(1000 / self.frames_per_second))
        self.changed.emit(self.is_running)

    def stop(self) -> None:
        self._state = None
        self._timer.stop()
        self.changed.emit(False)

    def change_speed(self, factor: float) -> None:
        wanted = round(self.frames_per_second * factor)
        self.frames_per_second = max(SLOWEST, min(wanted, FASTEST))
        self._timer.setInterval(round(1000 / self.frames_per_second))

    def _step(self) -> None:
        if self._state is None or self._state.count < 2:
            self.stop()
        else:
            self._state.set_slice((self._state.index + 1) % self._state.count)
