"""The answer for the whole study: its headline, its doubts, and the candidates to jump to."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from tumorviewer.analysis.whole_study.study_answer import StudyAnswer, StudyCandidate
from tumorviewer.desktop.assessment.answer_message import Message
from tumorviewer.desktop.services.inference import InferencePhase
from tumorviewer.desktop.services.study_answer_controller import StudyAnswerState
from tumorviewer.desktop.widgets import theme
from tumorviewer.desktop.widgets.controls import (
    ProgressRow,
    clear_layout,
    make_heading,
    make_label,
)
from tumorviewer.export.wording import join_names
from tumorviewer.language import later, number, small, tr

_NO_TUMOUR = later("No tumour found")
_CANNOT_SAY = later("Cannot say")
_NOT_NAMED = later("Not named")
_NO_BREAK = "\N{NO-BREAK SPACE}"


class StudyPart(QWidget):
    """What is answered for the study, or what becomes of the question; hidden where none is."""

    candidate_wanted = Signal(int)
    """Number of a candidate, from 0: all planes are to show it."""
    cancel_wanted = Signal()
    action_wanted = Signal(str)
    """Name of an action: the button under a message."""

    def __init__(self) -> None:
        super().__init__()
        self._headline = make_label("", "title")
        self._headline.setAccessibleName(tr("Answer for the study"))
        self._read = make_label("", "small")
        self._reason = make_label("", "secondary")
        self._doubts = QVBoxLayout()
        self._doubts.setSpacing(4)
        self._heading = make_heading(tr("Candidates"))
        self.candidates = CandidateList()
        self.candidates.itemActivated.connect(self._want)
        self.candidates.itemClicked.connect(self._want)
        self.message = Message()
        self.message.action_wanted.connect(self.action_wanted)
        self.progress = ProgressRow(tr("answer for the study"))
        self.progress.cancelled.connect(self.cancel_wanted)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(make_heading(tr("Study")))
        for part in (self.message, self.progress, self._headline, self._reason):
            layout.addWidget(part)
        layout.addLayout(self._doubts)
        self._parts = (self._headline, self._reason, self._read, self._heading, self.candidates)
        for last in self._parts[2:]:
            layout.addWidget(last)
        self.show_state(StudyAnswerState())

    def show_state(self, state: StudyAnswerState) -> None:
        """Show the answer, its progress, or why there is none."""
        self.setVisible(state.phase is not InferencePhase.IDLE)
        self.message.hide()
        self.progress.hide()
        match state.phase:
            case InferencePhase.WORKING:
                self.progress.show_progress(state.text, state.done, state.total)
            case InferencePhase.CANCELLED:
                text = tr("The study was not answered: it was cancelled.")
                self.message.show_text(text, False, "analyse", tr("Analyse now"))
            case InferencePhase.FAILED:
                self.message.show_text(state.text, True, "analyse", tr("Try again"))
            case InferencePhase.DIED:
                text = tr(
                    "The analysis process stopped. {text} The study is still open.",
                    text=state.text,
                )
                self.message.show_text(text, True, "restart_worker", tr("Restart it"))
        self._show_answer(state.answer)

    def _show_answer(self, answer: StudyAnswer | None) -> None:
        clear_layout(self._doubts)
        for part in self._parts:
            part.setVisible(answer is not None)
        if answer is None:
            return
        self._headline.setText(name_study_answer(answer))
        theme.set_role(self._headline, "muted" if answer.is_muted else "title")
        is_said = answer.reason.rstrip(".") == self._headline.text()
        self._reason.setText("" if is_said else answer.reason)
        self._reason.setVisible(bool(self._reason.text()))
        for doubt in answer.doubts:
            self._doubts.addWidget(make_label(doubt, "warning"))
        self._read.setText(describe_series_read(answer))
        self._read.setVisible(bool(self._read.text()))
        self._heading.setVisible(bool(answer.candidates))
        self.candidates.setVisible(bool(answer.candidates))
        self.candidates.show_candidates(answer)

    def _want(self, item: QListWidgetItem) -> None:
        self.candidate_wanted.emit(self.candidates.row(item))


class CandidateList(QListWidget):
    """Candidates, the most probable first; a click and Enter go to one."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Candidates"))
        self.setWordWrap(True)
        self.setMaximumHeight(190)
        self.setProperty("role", "marks")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def sizeHint(self) -> QSize:
        rows = min(self.count(), 4)
        return QSize(200, sum(self.sizeHintForRow(at) for at in range(rows)) + 6)

    def minimumSizeHint(self) -> QSize:
        return QSize(100, self.sizeHint().height())

    def show_candidates(self, answer: StudyAnswer) -> None:
        """Fill the list anew."""
        self.clear()
        for at, candidate in enumerate(answer.candidates):
            name, *figures = describe_candidate(answer, candidate, at + 1)
            figures.append(_describe_slices(candidate))
            text = ", ".join(one.replace(" ", _NO_BREAK) for one in figures)
            QListWidgetItem(f"{name}\n{text}", self)
        self.setCurrentRow(0)
        self.updateGeometry()


def name_study_answer(answer: StudyAnswer) -> str:
    """The headline: a kind, two that it may be, that there is none, or that nothing can be said."""
    if answer.answer == "no_tumour":
        return tr(_NO_TUMOUR)
    return _name_classes(answer, answer.named_classes) or tr(_CANNOT_SAY)


def describe_candidate(
    answer: StudyAnswer, candidate: StudyCandidate, place: int
) -> tuple[str, ...]:
    """``1 Glioma``, ``12.3 ml``, ``34 × 21 mm``; without the last two where no millimetres are
    known."""
    name = _name_classes(answer, candidate.named_classes) or tr(_NOT_NAMED)
    figures = []
    if candidate.volume_ml is not None:
        figures.append(tr("{volume} ml", volume=number(candidate.volume_ml, ".1f")))
    if candidate.diameters_mm is not None:
        longest, across = (number(mm, ".0f") for mm in candidate.diameters_mm)
        figures.append(tr("{longest} × {across} mm", longest=longest, across=across))
    return (f"{place}{_NO_BREAK}{name}", *figures)


def describe_series_read(answer: StudyAnswer) -> str:
    """Which series the answer was read from."""
    read = answer.series_read
    if read is None:
        return ""
    names = (read.title, tr(read.sequence) if read.sequence else "")
    return tr("Read from: {series}", series=", ".join(dict.fromkeys(filter(None, names))))


def _describe_slices(candidate: StudyCandidate) -> str:
    first, last = candidate.slices[0] + 1, candidate.slices[-1] + 1
    if first == last:
        return tr("Slice {n}", n=first)
    return tr("slices {first}–{last}", first=first, last=last)


def _name_classes(answer: StudyAnswer, classes: tuple[str, ...]) -> str:
    labels = dict(answer.labels)
    first, *others = [tr(labels.get(name, name)) for name in classes] or [""]
    return join_names([first, *map(small, others)])
