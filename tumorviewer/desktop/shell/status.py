"""What the program says of itself: the line at the bottom, the self-test, About."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QPlainTextEdit,
    QStatusBar,
    QVBoxLayout,
    QWidget,
)

from tumorviewer import __version__
from tumorviewer.analysis.messages import SelfTest
from tumorviewer.desktop.assessment.assessment_panel import RESEARCH_USE
from tumorviewer.desktop.widgets.controls import ProgressRow, make_button, make_label
from tumorviewer.export.wording import describe_device
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
        self._device = make_button("", "status")
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
        text = summarise_self_test(self.tested, self.worker)
        if self.tested is not None and self.tested.ok and self.tested.problems:
            text += f" · {self.tested.problems[0]}"
        self._device.setText(
            self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, 700).replace("&", "&&")
        )
        self._device.setAccessibleName(tr("Device and self-test: {text}", text=text))


ABOUT = later(
    "Shows brain-tumour studies with the class that a model predicts and the saliency map behind "
    "it. Nothing leaves this computer."
)


def make_self_test_dialog(parent: QWidget, tested: SelfTest | None, worker: str) -> QDialog:
    """What the start-up self-test found, to be read and copied."""
    dialog, layout = _dialog(parent, tr("Device and self-test"), 560, 360)
    layout.addWidget(make_label(summarise_self_test(tested, worker), "subtitle"))
    text = QPlainTextEdit(describe_self_test(tested))
    text.setReadOnly(True)
    text.setTabChangesFocus(True)
    text.setAccessibleName(tr("Result of the self-test"))
    layout.addWidget(text, 1)
    return _closable(dialog, layout)


def make_about_dialog(parent: QWidget) -> QDialog:
    dialog, layout = _dialog(parent, tr("About TumorViewer"), 440, 232)
    layout.addWidget(make_label("TumorViewer", "title"))
    layout.addWidget(make_label(tr("Version {version}", version=__version__), "secondary"))
    layout.addWidget(make_label(tr(ABOUT)))
    layout.addWidget(make_label(tr(RESEARCH_USE), "research"))
    return _closable(dialog, layout)


def summarise_self_test(tested: SelfTest | None, worker: str) -> str:
    """One line for the status bar."""
    if tested is None:
        return worker
    if not tested.ok:
        return tr("The model cannot run: self-test failed")
    return tr("Model ready on {device}", device=describe_device(tested.device))


def describe_self_test(tested: SelfTest | None) -> str:
    """Versions and problems, a line each."""
    if tested is None:
        return tr("The analysis process has not reported yet.")
    lines = [f"{name} {version}" for name, version in tested.versions.items()]
    if tested.device:
        lines.append(tr("Computes on: {device}", device=describe_device(tested.device)))
    lines += ["", *tested.problems] if tested.problems else ["", tr("No problems were found.")]
    return "\n".join(lines)


def _dialog(parent: QWidget, title: str, width: int, height: int) -> tuple[QDialog, QVBoxLayout]:
    dialog = QDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(title)
    dialog.setMinimumWidth(min(width, 440))
    dialog.resize(width, height)
    layout = QVBoxLayout(dialog)
    layout.setContentsMargins(16, 16, 16, 16)
    layout.setSpacing(12)
    return dialog, layout


def _closable(dialog: QDialog, layout: QVBoxLayout) -> QDialog:
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    layout.addWidget(buttons)
    return dialog
