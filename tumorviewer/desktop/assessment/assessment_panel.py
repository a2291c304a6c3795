"""What the model says of the shown volume: class, probabilities, deciding slices, map, model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from tumorviewer.analysis.finding import Finding
from tumorviewer.desktop.assessment.answer import Answer
from tumorviewer.desktop.assessment.answer_message import Message
from tumorviewer.desktop.assessment.evidence_panel import EvidencePanel
from tumorviewer.desktop.assessment.mask_part import MaskPart
from tumorviewer.desktop.assessment.study_part import StudyPart
from tumorviewer.desktop.assessment.verdict_panel import VerdictPanel
from tumorviewer.desktop.services.inference import InferencePhase
from tumorviewer.desktop.services.reading import Snapshot
from tumorviewer.desktop.services.study_answer_controller import StudyAnswerState
from tumorviewer.desktop.viewer.map_controls import MapControls
from tumorviewer.desktop.widgets.controls import (
    ElidedLabel,
    ProgressRow,
    make_button,
    make_heading,
    make_label,
    make_rule,
)
from tumorviewer.export.wording import describe_device
from tumorviewer.language import later, tr
from tumorviewer.study.types import Volume

RESEARCH_USE = later("Research use only. Not for clinical decisions.")


class AssessmentPanel(QFrame):
    """The right side of the window."""

    slice_wanted = Signal(int)
    action_wanted = Signal(str)
    """Name of an action of :mod:`tumorviewer.desktop.shell.actions`: the button under a message."""
    cancel_wanted = Signal()
    insisted = Signal()
    """The reader wants to see the answer to what is not the model's kind of image."""
    reliability_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._snapshot = Snapshot()
        self._has_answer = self._study_leads = False
        self._insisted: NDArray[np.float64] | None = None
        """The probabilities that the reader wanted to see although the image is unlike."""
        self.setProperty("role", "panel")
        self.setAccessibleName(tr("Assessment"))
        self.study = StudyPart()
        self.study.action_wanted.connect(self.action_wanted)
        self.unfold = make_button("", "link")
        self.unfold.setCheckable(True)
        self.unfold.toggled.connect(self._show_fold)
        self._below_study = (make_rule(), self.unfold)
        self.mask_part = MaskPart()
        self.message = Message()
        self.message.action_wanted.connect(self.action_wanted)
        self.progress = ProgressRow(tr("analysis"))
        self.progress.cancelled.connect(self.cancel_wanted)
        self.answer = Answer()
        self.answer.slice_wanted.connect(self.slice_wanted)
        self.answer.insisted.connect(self._insist)
        self.maps = MapControls()
        self.evidence = EvidencePanel()
        self.model = ModelLines()
        self.model.reliability.clicked.connect(self.reliability_wanted)
        self.verdict = VerdictPanel()
        column = QVBoxLayout()
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(12)
        self._answer_parts = (
            self.answer, make_rule(), self.maps, make_rule(), self.evidence, make_rule(), self.model
        )  # fmt: skip
        for part in (
            make_heading(tr("Assessment")),
            self.study,
            *self._below_study,
            self.mask_part,
            self.message,
            self.progress,
            *self._answer_parts,
        ):
            column.addWidget(part)
        column.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(_scrolling(column), 1)
        layout.addWidget(self.verdict)
        layout.addWidget(_research_use())
        self._show_fold(False)
        self.show_study_answer(StudyAnswerState())
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

    def show_study_answer(self, state: StudyAnswerState) -> None:
        """Show what is answered for the whole study above what is said of the shown series."""
        self.study.show_state(state)
        self._study_leads = state.phase is not InferencePhase.IDLE
        for part in self._below_study:
            part.setVisible(self._study_leads)
        self.answer.set_leading(not self._study_leads)
        self.unfold.setChecked(state.phase is not InferencePhase.ANSWERED)
        self._show_answer(self.has_answer)

    def show_mask(self, volume: Volume) -> None:
        """A mask is shown: list its labels in place of an answer."""
        self._show_answer(False)
        self.progress.hide()
        self.message.hide()
        self.mask_part.show_mask(volume)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show the answer of a snapshot."""
        finding = snapshot.finding
        assert finding is not None
        self.message.hide()
        self.progress.hide()
        self._snapshot = snapshot
        self.answer.show_snapshot(snapshot, insisted=finding.is_outside and not self.hides_class)
        self.answer.show_slice(snapshot)
        self.maps.show_finding(finding)
        self.model.show_finding(finding)
        self._show_answer(True)

    @property
    def hides_class(self) -> bool:
        """Whether no class may be shown: it is not the model's kind, and nobody insisted. Who did
        is not asked again for other maps of the same answer."""
        shown = self._snapshot.finding
        if shown is None or not shown.is_outside:
            return False
        return self._insisted is not shown.probabilities

    @property
    def has_answer(self) -> bool:
        """Whether an answer is shown."""
        return self._has_answer

    def forget(self) -> None:
        """Let go of what was read: it may be closed."""
        self._snapshot = Snapshot()
        self.answer.forget()

    def show_slice(self, snapshot: Snapshot) -> None:
        """Say what the model finds on the slice that is shown."""
        self.answer.show_slice(snapshot)

    def _show_answer(self, show: bool) -> None:
        self._has_answer = show
        unfolded = show and (self.unfold.isChecked() or not self._study_leads)
        last = len(self._answer_parts) - 1
        for at, part in enumerate(self._answer_parts):
            part.setVisible(unfolded and (at in (0, last) or not self.hides_class))

    def _show_fold(self, unfolded: bool) -> None:
        sign = (
            "\N{BLACK DOWN-POINTING SMALL TRIANGLE}"
            if unfolded
            else "\N{BLACK RIGHT-POINTING SMALL TRIANGLE}"
        )
        self.unfold.setText(f"{sign} {tr('The shown series, slice by slice')}")
        self._show_answer(self.has_answer)

    def _insist(self) -> None:
        shown = self._snapshot.finding
        self._insisted = None if shown is None else shown.probabilities
        self.insisted.emit()


class ModelLines(QWidget):
    """Which model answered, where, and by which rule."""

    def __init__(self) -> None:
        super().__init__()
        self._values = {
            name: ElidedLabel()
            for name in (later("Model"), later("Version"), later("Weights"), later("Device"))
        }
        self._pooling = make_label("", "small")
        self.reliability = make_button(tr("How reliable is it?"), "link")
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        for row, (name, value) in enumerate(self._values.items()):
            grid.addWidget(make_label(tr(name), "secondary"), row, 0)
            grid.addWidget(value, row, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(make_heading(tr("Model")))
        layout.addLayout(grid)
        layout.addWidget(self._pooling)
        layout.addWidget(self.reliability, 0, Qt.AlignmentFlag.AlignLeft)

    def show_finding(self, finding: Finding) -> None:
        self._values["Model"].set_text(finding.model.name)
        self._values["Version"].set_text(finding.model.version)
        self._values["Weights"].set_text(f"sha256 {finding.model.sha256[:12]}")
        self._values["Device"].set_text(describe_device(finding.device))
        self._pooling.setText(finding.pooling if len(finding.slices) > 1 else "")
        self._pooling.setVisible(len(finding.slices) > 1)


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
    layout.addWidget(make_label(tr(RESEARCH_USE), "research"))
    return foot
