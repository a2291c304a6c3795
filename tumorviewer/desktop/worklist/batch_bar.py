"""How far the batch is, with pause and stop."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QVBoxLayout

from tumorviewer.desktop.services.batch_queue import BatchState
from tumorviewer.desktop.widgets.controls import ElidedLabel, make_button
from tumorviewer.language import duration, later, number, tr


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
        self._bar.setAccessibleName(tr("Progress: analysis in the background"))
        self.pause, self.stop = (
            make_button(tr("Pause")),
            make_button(tr("Stop"), "", tr("Stop the analysis")),
        )
        self.stop.setToolTip(tr("Analyse no more of these studies; what is analysed stays"))
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
        self._text.set_text(describe_batch(state))
        self._bar.setRange(0, state.total)
        self._bar.setValue(state.done)
        self.pause.setText(tr("Go on") if state.is_paused else tr("Pause"))
        self.pause.setAccessibleName(
            tr("Go on with the analysis") if state.is_paused else tr("Pause")
        )
        self.pause.setVisible(state.total > 0)
        self.setVisible(bool(state.total or state.text))

    def text(self) -> str:
        return self._text.text()


def describe_batch(state: BatchState) -> str:
    """``Analysing study 3 of 20 · about 4 min left``."""
    if not state.total:
        return state.text
    saying = (
        later("Paused at study {n} of {total}")
        if state.is_paused
        else later("Analysing study {n} of {total}")
    )
    n = number(min(state.done + 1, state.total), ",")
    parts = [tr(saying, n=n, total=number(state.total, ","))]
    if state.seconds_left is not None:
        parts.append(tr("about {time} left", time=duration(state.seconds_left)))
    if state.refused:
        parts.append(tr("{n} could not be analysed", n=number(len(state.refused), ",")))
    return " · ".join([*parts, *filter(None, [state.text])])
