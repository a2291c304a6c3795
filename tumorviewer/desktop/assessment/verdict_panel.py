"""The reader's verdict: written, saved, signed, and corrected by new ones; all of them in sight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from tumorviewer.desktop.services.verdict_controller import StudyRecord, VerdictDraft
from tumorviewer.desktop.widgets.controls import ComboBox, make_button, make_heading, make_label
from tumorviewer.language import later, moment, percent, tr
from tumorviewer.records import Verdict

_CONFIDENCES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


class VerdictPanel(QFrame):
    """A form until there is a verdict; then what it says, and ways to sign and to correct it."""

    given = Signal(VerdictDraft, bool)
    """A :class:`VerdictDraft`, and whether it is signed."""
    sign_wanted = Signal()
    draft_changed = Signal(VerdictDraft)
    """A :class:`VerdictDraft`."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "panel")
        self.setAccessibleName(tr("Your verdict"))
        self._case: StudyRecord | None = None
        self._labels: Mapping[str, str] = {}
        self.notice = make_label("", "error")
        self.form = VerdictForm()
        self.form.changed.connect(self._form_changed)
        self.form.save.clicked.connect(lambda: self._give(signed=False))
        self.form.sign.clicked.connect(lambda: self._give(signed=True))
        self.form.cancel.clicked.connect(self._give_up_correction)
        self.said = CurrentVerdict()
        self.said.sign.clicked.connect(self.sign_wanted)
        self.said.correct.clicked.connect(self._correct)
        self.history = VerdictHistory()
        self._hint = make_label("", "secondary")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 8, 16, 8)
        layout.setSpacing(8)
        title = make_heading(tr("Your verdict"))
        for part in (title, self._hint, self.notice, self.form, self.said, self.history):
            layout.addWidget(part)
        self.show_case(None)

    def show_case(self, case: StudyRecord | None) -> None:
        """Show what is known of the shown study; None while nothing is shown or known yet."""
        self._case = case
        self.show_notice("")
        self.setVisible(case is not None)
        if case is None:
            return
        is_writing = case.current is None or case.draft.corrects == case.current.id
        draft = case.draft if is_writing else VerdictDraft()
        self.form.setVisible(is_writing)
        self.form.show_draft(draft)
        self.form.cancel.setVisible(case.current is not None)
        self.said.setVisible(not is_writing)
        if case.current is not None:
            differs = case.entry.disagrees
            self.said.show_verdict(case.current, self._label(case.current.label), differs)
        self.history.show_verdicts(case.history, self._labels)

    def show_labels(self, labels: Mapping[str, str]) -> None:
        """Offer these classes."""
        self._labels = labels
        self.form.offer(labels)
        self.show_case(self._case)

    def show_hint(self, text: str) -> None:
        """Say what the verdict is waited for."""
        self._hint.setText(text)
        self._hint.setVisible(bool(text))

    def show_notice(self, text: str) -> None:
        """Say why something was not kept; what was written stays."""
        self.notice.setText(text)
        self.notice.setVisible(bool(text))

    def _label(self, name: str) -> str:
        return tr(self._labels.get(name, name.capitalize()))

    def _form_changed(self) -> None:
        if self._case is None:
            return
        draft = replace(self.form.draft(), corrects=self._case.draft.corrects)
        self._case = replace(self._case, draft=draft)
        self.draft_changed.emit(draft)

    def _give(self, *, signed: bool) -> None:
        if self._case is not None:
            self.given.emit(replace(self.form.draft(), corrects=self._case.draft.corrects), signed)

    def _correct(self) -> None:
        assert self._case is not None
        assert self._case.current is not None
        old = self._case.current
        self._begin(VerdictDraft(old.label, old.confidence, old.comment, old.id))
        self.form.classes.setFocus()

    def _give_up_correction(self) -> None:
        self._begin(VerdictDraft())

    def _begin(self, draft: VerdictDraft) -> None:
        assert self._case is not None
        self.show_case(replace(self._case, draft=draft))
        self.draft_changed.emit(draft)


class VerdictForm(QWidget):
    """Class, confidence and comment."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.classes, self.confidence = ComboBox(), ComboBox()
        self.classes.setAccessibleName(tr("Class of your verdict"))
        self.confidence.setAccessibleName(tr("Your confidence"))
        self.confidence.setToolTip(tr("How sure you are of the class"))
        self.confidence.addItem(tr("Confidence…"), None)
        for share in _CONFIDENCES:
            self.confidence.addItem(percent(share), share)
        self.comment = QPlainTextEdit()
        self.comment.setPlaceholderText(tr("Comment"))
        self.comment.setAccessibleName(tr("Comment"))
        self.comment.setTabChangesFocus(True)
        self.comment.setFixedHeight(48)
        self.save, self.sign = make_button(tr("Save")), make_button(tr("Sign"), "primary")
        self.save.setToolTip(tr("Keep the verdict; it can be signed later"))
        self.sign.setToolTip(tr("Keep the verdict with your name and the time"))
        self.cancel = make_button(tr("Cancel"), "", tr("Give up the correction"))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(8)
        grid.setColumnStretch(0, 1)
        grid.addWidget(self.classes, 0, 0)
        grid.addWidget(self.confidence, 0, 1)
        grid.addWidget(self.comment, 1, 0, 1, 2)
        grid.addLayout(_row(self.save, self.sign, self.cancel), 2, 0, 1, 2)
        self.classes.currentIndexChanged.connect(self._edited)
        self.confidence.currentIndexChanged.connect(self._edited)
        self.comment.textChanged.connect(self._edited)
        self.offer({})

    def offer(self, labels: Mapping[str, str]) -> None:
        """The classes to choose from; what is chosen stays so."""
        chosen = self.draft()
        with QSignalBlocker(self.classes):
            self.classes.clear()
            self.classes.addItem(tr("Choose a class…"), "")
            for name, words in labels.items():
                self.classes.addItem(tr(words), name)
        self.show_draft(chosen)

    def draft(self) -> VerdictDraft:
        """What is written."""
        return VerdictDraft(
            str(self.classes.currentData() or ""),
            self.confidence.currentData(),
            self.comment.toPlainText(),
        )

    def show_draft(self, draft: VerdictDraft) -> None:
        """Go on where somebody stopped."""
        blocked = [QSignalBlocker(each) for each in (self.classes, self.confidence, self.comment)]
        if draft.label and self.classes.findData(draft.label) < 0:
            self.classes.addItem(draft.label.capitalize(), draft.label)
        if draft.confidence is not None and self.confidence.findData(draft.confidence) < 0:
            self.confidence.addItem(percent(draft.confidence), draft.confidence)
        self.classes.setCurrentIndex(max(0, self.classes.findData(draft.label)))
        self.confidence.setCurrentIndex(max(0, self.confidence.findData(draft.confidence)))
        if self.comment.toPlainText() != draft.comment:
            self.comment.setPlainText(draft.comment)
        for each in blocked:
            each.unblock()
        self._offer_buttons()

    def _edited(self) -> None:
        self._offer_buttons()
        self.changed.emit()

    def _offer_buttons(self) -> None:
        for each in (self.save, self.sign):
            each.setEnabled(bool(self.classes.currentData()))


class CurrentVerdict(QWidget):
    """The verdict as it stands."""

    def __init__(self) -> None:
        super().__init__()
        self._words, self._by = make_label("", "subtitle"), make_label("", "small")
        self._comment = make_label()
        self._differs = make_label(tr("It differs from the model's answer."), "warning")
        self.sign, self.correct = make_button(tr("Sign"), "primary"), make_button(tr("Correct…"))
        self.correct.setToolTip(tr("Write another verdict; this one stays in the history"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for part in (self._words, self._comment, self._by, self._differs):
            layout.addWidget(part)
        layout.addLayout(_row(self.sign, self.correct))

    def show_verdict(self, verdict: Verdict, words: str, differs: bool) -> None:
        self._words.setText(" · ".join(filter(None, (words, _sure(verdict)))))
        self._comment.setText(verdict.comment)
        self._comment.setVisible(bool(verdict.comment))
        self._by.setText(describe_author(verdict))
        self._differs.setVisible(differs)
        self.sign.setVisible(not verdict.signed)


class VerdictHistory(QWidget):
    """The verdicts of before, the last first; seen when asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._header = make_button("", "link")
        self._header.setCheckable(True)
        self._header.toggled.connect(self._toggle)
        self._text = make_label("", "small")
        self._text.setAccessibleName(tr("Earlier verdicts"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._header)
        layout.addWidget(self._text)
        self._toggle(False)

    def show_verdicts(self, history: tuple[Verdict, ...], labels: Mapping[str, str]) -> None:
        self.setVisible(len(history) > 1)
        lines = (_history_line(one, tr(labels.get(one.label, one.label))) for one in history)
        self._text.setText("\n".join(lines))
        self._toggle(self._header.isChecked())

    def text(self) -> str:
        return self._text.text()

    def _toggle(self, is_open: bool) -> None:
        self._text.setVisible(is_open)
        title, action = tr("History of verdicts"), tr("hide") if is_open else tr("show")
        self._header.setText(f"{'▾' if is_open else '▸'} {title}")
        self._header.setAccessibleName(f"{title}: {action}")


def describe_author(verdict: Verdict) -> str:
    """Who, when, and what they had seen: ``Signed by a, 2026-11-21 13:57, before the …``."""
    by = (
        later("Signed by {reader}, {time}")
        if verdict.signed
        else later("Not signed · by {reader}, {time}")
    )
    order = (
        later("before the model's answer was shown")
        if verdict.before_answer
        else later("after the model's answer was shown")
    )
    return f"{tr(by, reader=verdict.reader, time=moment(verdict.time))}, {tr(order)}"


def _history_line(verdict: Verdict, words: str) -> str:
    said = ", ".join(filter(None, (words, _sure(verdict))))
    comment = f"\n{verdict.comment}" if verdict.comment else ""
    return f"{said}. {describe_author(verdict)}.{comment}"


def _sure(verdict: Verdict) -> str:
    share = verdict.confidence
    return "" if share is None else tr("{share} sure", share=percent(share))


def _row(*buttons: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(8)
    for each in buttons:
        row.addWidget(each)
    row.addStretch(1)
    return row
