"""The line at the bottom: the device in words, and what is being loaded."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QStatusBar

from tumorviewer.analysis.messages import SelfTest
from tumorviewer.desktop.dialogs import self_test_summary
from tumorviewer.desktop.labels import ProgressRow, button
from tumorviewer.language import later, tr

STARTING = later("The model is starting…")


class StatusLine(QStatusBar):
    """Device and self-test on the left, loading on the right."""

    self_test_wanted = Signal()
    cancel_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.tested: SelfTest | None = None
        self.worker = tr(STARTING)
        self._device = button("", "status")
        self._device.clicked.connect(self.self_test_wanted)
        self.progress = ProgressRow("loading")
        self.progress.setFixedWidth(320)
        self.progress.cancelled.connect(self.cancel_wanted)
        self.setSizeGripEnabled(False)
        self.addWidget(self._device)
        self.addPermanentWidget(self.progress)
        self._say()

    def show_ready(self, tested: SelfTest) -> None:
        """The worker has started and tested itself."""
        self.tested = tested
        self._say()

    def show_stopped(self, reason: str) -> None:
        """The worker is gone."""
        self.tested, self.worker = None, tr("The analysis process stopped: {reason}", reason=reason)
        self._say()

    def show_starting(self) -> None:
        """The worker is being started."""
        self.tested, self.worker = None, tr(STARTING)
        self._say()

    def text(self) -> str:
        return self._device.text()

    def _say(self) -> None:
        text = self_test_summary(self.tested, self.worker)
        if self.tested is not None and self.tested.ok and self.tested.problems:
            text += f" · {self.tested.problems[0]}"
        self._device.setText(
            self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, 700).replace("&", "&&")
        )
        self._device.setAccessibleName(tr("Device and self-test: {text}", text=text))
