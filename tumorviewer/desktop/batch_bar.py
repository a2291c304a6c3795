"""How far the batch is, with pause and stop."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QVBoxLayout

from tumorviewer.desktop.batch import BatchState, duration
from tumorviewer.desktop.labels import ElidedLabel, button


class BatchBar(QFrame):
    """A line under the worklist; not seen while there is no batch."""

    pause_wanted = Signal(bool)
    """True to pause, False to go on."""
    stop_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._state = BatchState()
        self._text = ElidedLabel("", "secondary")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress: analysis in the background")
        self.pause, self.stop = button("Pause"), button("Stop", "", "Stop the analysis")
        self.stop.setToolTip("Analyse no more of these studies; what is analysed stays")
        self.pause.clicked.connect(lambda: self.pause_wanted.emit(not self._state.is_paused))
        self.stop.clicked.connect(self.stop_wanted)
        left = QVBoxLayout()
        left.setSpacing(4)
        left.addWidget(self._text)
        left.addWidget(self._bar)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addLayout(left, 1)
        row.addWidget(self.pause)
        row.addWidget(self.stop)
        self.show_state(self._state)

    def show_state(self, state: BatchState) -> None:
        self._state = state
        self._text.set_text(words(state))
        self._bar.setRange(0, state.total)
        self._bar.setValue(state.done)
        self.pause.setText("Go on" if state.is_paused else "Pause")
        self.pause.setAccessibleName("Go on with the analysis" if state.is_paused else "Pause")
        self.pause.setVisible(state.total > 0)
        self.setVisible(bool(state.total or state.text))

    def text(self) -> str:
        return self._text.text()


def words(state: BatchState) -> str:
    """``Analysing study 3 of 20 · about 4 min left``."""
    if not state.total:
        return state.text
    at = f"study {min(state.done + 1, state.total):,} of {state.total:,}"
    parts = [f"Paused at {at}" if state.is_paused else f"Analysing {at}"]
    if state.seconds_left is not None:
        parts.append(f"about {duration(state.seconds_left)} left")
    if state.failures:
        parts.append(f"{state.failures:,} could not be analysed")
    return " · ".join([*parts, *filter(None, [state.text])])
