"""The question that a window asks which is closed while something trains."""

from __future__ import annotations

import time

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QDialog, QVBoxLayout, QWidget

from tumorviewer.desktop.training.run_store import RunStore
from tumorviewer.desktop.widgets.controls import make_button, make_label
from tumorviewer.desktop.widgets.pages import make_row
from tumorviewer.language import tr

_EVERY_MS = 200
_PATIENCE_S = 15.0
"""How long a training may take to stop."""


class ClosingDialog(QDialog):
    """Accepted once the window may close; the training goes on, or has stopped."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._store = RunStore()
        self._since = 0.0
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("A training is running"))
        self.setMinimumWidth(480)
        self._text = make_label(_question())
        self.go_on = make_button(tr("Go on training"), "primary")
        self.go_on.clicked.connect(self.accept)
        self.stop = make_button(tr("Stop at the checkpoint"))
        self.stop.clicked.connect(self._stop)
        self.stay = make_button(tr("Do not close"))
        self.stay.clicked.connect(self.reject)
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self._look)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(16)
        column.addWidget(self._text)
        column.addLayout(make_row(self.go_on, self.stop, self.stay))
        self.go_on.setFocus()

    def _stop(self) -> None:
        for each in (self.go_on, self.stop):
            each.setEnabled(False)
        self._text.setText(tr("The training stops…"))
        self._since = time.monotonic()
        for run in self._store.running():
            run.fit.stop()
        self._timer.start()

    def _look(self) -> None:
        running = list(self._store.running())
        if not running:
            self._timer.stop()
            self.accept()
        elif time.monotonic() - self._since > _PATIENCE_S:
            for run in running:
                run.fit.stop(at_once=True)


def _question() -> str:
    return tr(
        "A network is being trained. It can go on without the window, and is found again when "
        "TumorViewer is started. Or it stops at its checkpoint, and goes on later after the last "
        "finished epoch."
    )
