"""What the model says of the shown volume: class, probabilities, deciding slices, map, model."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from tumorviewer.analysis.finding import Finding
from tumorviewer.desktop import theme
from tumorviewer.desktop.bars import Bar, ProbabilityBars, percent
from tumorviewer.desktop.labels import (
    ElidedLabel,
    ProgressRow,
    button,
    clear,
    heading,
    label,
    rule,
)
from tumorviewer.desktop.map_controls import MapControls
from tumorviewer.desktop.verdict import VerdictPanel
from tumorviewer.language import later, tr

RESEARCH_USE = later("Research use only. Not for clinical decisions.")
_MAX_KEY_SLICES, _KEY_COLUMNS = 6, 3
_CLEAR = 0.6
"""Below this probability the runner-up is named beside the predicted class."""


class AssessmentPanel(QFrame):
    """The right side of the window."""

    slice_wanted = Signal(int)
    action_wanted = Signal(str)
    """Name of an action of :mod:`tumorviewer.desktop.actions`: the button under a message."""
    cancel_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "panel")
        self.setAccessibleName(tr("Assessment"))
        self.message = Message()
        self.message.action_wanted.connect(self.action_wanted)
        self.progress = ProgressRow(tr("analysis"))
        self.progress.cancelled.connect(self.cancel_wanted)
        self.answer = Answer()
        self.answer.slice_wanted.connect(self.slice_wanted)
        self.maps = MapControls()
        self.model = ModelLines()
        self.verdict = VerdictPanel()
        column = QVBoxLayout()
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(12)
        self._answer_parts = (self.answer, rule(), self.maps, rule(), self.model)
        for part in (heading(tr("Assessment")), self.message, self.progress, *self._answer_parts):
            column.addWidget(part)
        column.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(_scrolling(column), 1)
        layout.addWidget(self.verdict)
        layout.addWidget(_research_use())
        self.show_message(tr("No series is shown."))

    def show_message(
        self, text: str, *, is_error: bool = False, action: str = "", action_text: str = ""
    ) -> None:
        """Say why there is no answer, in its place."""
        self._show_answer(False)
        self.progress.hide()
        self.message.show_text(text, is_error, action, action_text)

    def show_remark(
        self, text: str, *, is_error: bool = False, action: str = "", action_text: str = ""
    ) -> None:
        """Say something above an answer that stays."""
        self.progress.hide()
        self.message.show_text(text, is_error, action, action_text)

    def show_progress(self, text: str, done: int = 0, total: int = 0) -> None:
        """Say what is being computed; an answer that is there stays."""
        self.message.hide()
        self.progress.show_progress(text, done, total)

    def show_finding(self, finding: Finding) -> None:
        """Show an answer."""
        self.message.hide()
        self.progress.hide()
        self.answer.show_finding(finding)
        self.maps.show_finding(finding)
        self.model.show_finding(finding)
        self._show_answer(True)

    @property
    def has_answer(self) -> bool:
        """Whether an answer is shown."""
        return not self.answer.isHidden()

    def set_slice(self, index: int) -> None:
        """Say what the model finds on the slice that is shown."""
        self.answer.set_slice(index)

    def _show_answer(self, show: bool) -> None:
        for part in self._answer_parts:
            part.setVisible(show)


class Message(QWidget):
    """A sentence and at most one thing to do about it."""

    action_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._action = ""
        self._text = label()
        self._button = button("")
        self._button.clicked.connect(lambda: self.action_wanted.emit(self._action))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self._text)
        layout.addWidget(self._button, 0, Qt.AlignmentFlag.AlignLeft)

    def text(self) -> str:
        return self._text.text()

    def show_text(self, text: str, is_error: bool, action: str, action_text: str) -> None:
        self._action = action
        theme.set_role(self._text, "error" if is_error else "secondary")
        self._text.setText(text)
        self._button.setText(action_text)
        self._button.setAccessibleName(action_text)
        self._button.setVisible(bool(action))
        self.show()


class Answer(QWidget):
    """The predicted class, all probabilities, flags and deciding slices."""

    slice_wanted = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._finding: Finding | None = None
        self._class = label("", "title")
        self._class.setAccessibleName(tr("Predicted class"))
        self._scope = label("", "secondary")
        self._bars = ProbabilityBars()
        self._slice = label("", "small")
        self._flags = QVBoxLayout()
        self._flags.setSpacing(4)
        self._key_slices = QGridLayout()
        self._key_slices.setSpacing(4)
        for column in range(_KEY_COLUMNS):
            self._key_slices.setColumnStretch(column, 1)
        self._key_heading = heading(tr("Deciding slices"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        for part in (self._class, self._scope):
            layout.addWidget(part)
        layout.addLayout(self._flags)
        layout.addSpacing(4)
        layout.addWidget(self._bars)
        layout.addWidget(self._slice)
        layout.addWidget(self._key_heading)
        layout.addLayout(self._key_slices)

    def show_finding(self, finding: Finding) -> None:
        self._finding = finding
        predicted = finding.predicted_class
        self._class.setText(tr(finding.labels[predicted]))
        self._scope.setText(_scope(finding))
        self._bars.set_bars(
            tuple(
                Bar(tr(finding.labels[name]), float(probability), name == predicted)
                for name, probability in zip(finding.classes, finding.probabilities, strict=True)
            )
        )
        clear(self._flags)
        for flag in finding.flags:
            self._flags.addWidget(label(flag, "warning"))
        self._show_key_slices(finding)

    def set_slice(self, index: int) -> None:
        self._slice.setText("" if self._finding is None else _slice_words(self._finding, index))

    def _show_key_slices(self, finding: Finding) -> None:
        clear(self._key_slices)
        several = len(finding.slices) > 1
        self._key_heading.setVisible(several)
        self._slice.setVisible(several)
        if not several:
            return
        for at, index in enumerate(finding.key_slices[:_MAX_KEY_SLICES]):
            made = button(
                tr("Slice {n}", n=index + 1), "chip", tr("Show deciding slice {n}", n=index + 1)
            )
            made.setToolTip(_slice_words(finding, index))
            made.clicked.connect(lambda _=False, to=index: self.slice_wanted.emit(to))
            self._key_slices.addWidget(made, at // _KEY_COLUMNS, at % _KEY_COLUMNS)


class ModelLines(QWidget):
    """Which model answered, where, and by which rule."""

    def __init__(self) -> None:
        super().__init__()
        self._values = {
            name: ElidedLabel()
            for name in (later("Model"), later("Version"), later("Weights"), later("Device"))
        }
        self._pooling = label("", "small")
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        for row, (name, value) in enumerate(self._values.items()):
            grid.addWidget(label(tr(name), "secondary"), row, 0)
            grid.addWidget(value, row, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(heading(tr("Model")))
        layout.addLayout(grid)
        layout.addWidget(self._pooling)

    def show_finding(self, finding: Finding) -> None:
        self._values["Model"].set_text(finding.model.name)
        self._values["Version"].set_text(finding.model.version)
        self._values["Weights"].set_text(f"sha256 {finding.model.sha256[:12]}")
        self._values["Device"].set_text(finding.device)
        self._pooling.setText(finding.pooling if len(finding.slices) > 1 else "")
        self._pooling.setVisible(len(finding.slices) > 1)


def _scope(finding: Finding) -> str:
    probability = percent(float(finding.probabilities.max()))
    judged = len(finding.slices)
    if judged > 1:
        said = tr("{share} for the volume, from {n} slices", share=probability, n=judged)
    else:
        said = tr("{share} for this picture", share=probability)
    return said + _runner_up(finding)


def _runner_up(finding: Finding) -> str:
    if finding.probabilities.max() >= _CLEAR or len(finding.classes) < 2:
        return ""
    second = int(finding.probabilities.argsort()[-2])
    share = percent(float(finding.probabilities[second]))
    name = tr(finding.labels[finding.classes[second]])
    return tr(". Not clear: {name} has {share}.", name=name, share=share)


def _slice_words(finding: Finding, index: int) -> str:
    """What the model finds on one slice: ``Slice 78: Glioma 99.0 %``."""
    if index not in finding.slices:
        return tr("Slice {n}: not judged", n=index + 1)
    probabilities = finding.slice_probabilities[finding.slices.index(index)]
    name = finding.classes[int(probabilities.argmax())]
    share = percent(float(probabilities.max()))
    return tr("Slice {n}: {name} {share}", n=index + 1, name=tr(finding.labels[name]), share=share)


def _scrolling(column: QVBoxLayout) -> QScrollArea:
    inner = QWidget()
    inner.setProperty("role", "panel")
    inner.setLayout(column)
    area = QScrollArea()
    area.setWidget(inner)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return area


def _research_use() -> QWidget:
    foot = QWidget()
    layout = QHBoxLayout(foot)
    layout.setContentsMargins(16, 8, 16, 8)
    layout.addWidget(label(tr(RESEARCH_USE), "research"))
    return foot
