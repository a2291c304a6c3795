"""The reader's verdict: written, saved, signed, and corrected by new ones; all of them in sight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from tumorviewer.desktop.assessment.signing import SigningDialog, describe_subject
from tumorviewer.desktop.assessment.verdict_form import VerdictForm
from tumorviewer.desktop.assessment.verdict_history import (
    VerdictHistory,
    describe_author,
    describe_confidence,
)
from tumorviewer.desktop.services.verdict_controller import StudyRecord, VerdictDraft
from tumorviewer.desktop.widgets.controls import make_button, make_label
from tumorviewer.desktop.widgets.pages import make_row
from tumorviewer.language import tr
from tumorviewer.records import Verdict


class VerdictPanel(QFrame):
    """A form until there is a verdict; then what it says, and ways to sign and to correct it."""

    given = Signal(VerdictDraft, bool)
    """A :class:`VerdictDraft`, and whether it is signed."""
    sign_wanted = Signal()
    reader_named = Signal(str)
    """Who signs, as they call themselves."""
    draft_changed = Signal(VerdictDraft)
    """A :class:`VerdictDraft`."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "panel")
        self.setAccessibleName(tr("Your verdict"))
        self._case: StudyRecord | None = None
        self._labels: Mapping[str, str] = {}
        self._reader = ""
        self._hides_patient = False
        self.notice = make_label("", "error")
        self.form = VerdictForm()
        self.form.changed.connect(self._form_changed)
        self.form.save.clicked.connect(lambda: self._give(signed=False))
        self.form.sign.clicked.connect(self._ask_to_sign_form)
        self.form.cancel.clicked.connect(self._give_up_correction)
        self.said = CurrentVerdict()
        self.said.sign.clicked.connect(self._ask_to_sign_current)
        self.said.correct.clicked.connect(self._correct)
        self.history = VerdictHistory()
        self._hint = make_label("", "secondary")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 8, 16, 8)
        layout.setSpacing(8)
        self.fold = make_button("", "link")
        self.fold.setCheckable(True)
        self.fold.toggled.connect(self._show_fold)
        self._body = QWidget()
        body = QVBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        for part in (self._hint, self.notice, self.form, self.said, self.history):
            body.addWidget(part)
        layout.addWidget(self.fold)
        layout.addWidget(self._body)
        self._show_fold(False)
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
        self.form.hide_comment(self._hides_patient)
        self.form.cancel.setVisible(case.current is not None)
        self.said.setVisible(not is_writing)
        if case.current is not None:
            differs = case.entry.disagrees
            words = self._label(case.current.label)
            self.said.show_verdict(case.current, words, differs, self._hides_patient)
        self.history.show_verdicts(case.history, self._labels, self._hides_patient)

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

    def write(self) -> None:
        """Begin with the class."""
        self.fold.setChecked(False)
        self.form.classes.setFocus()

    def _show_fold(self, folded: bool) -> None:
        title, action = tr("Your verdict"), tr("show") if folded else tr("hide")
        self.fold.setText(f"{'▸' if folded else '▾'} {title}")
        self.fold.setAccessibleName(f"{title}: {action}")
        self._body.setVisible(not folded)

    def name_reader(self, reader: str) -> None:
        """Whose name the next signature has."""
        self._reader = reader

    def hide_patient(self, hide: bool) -> None:
        """Leave out comments and readers, who may name or be known to the patient."""
        self._hides_patient = hide
        self.show_case(self._case)

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

    def _ask_to_sign_form(self) -> None:
        self._ask_to_sign(self.form.draft(), lambda: self._give(signed=True))

    def _ask_to_sign_current(self) -> None:
        assert self._case is not None
        assert self._case.current is not None
        said = self._case.current
        draft = VerdictDraft(said.label, said.confidence, said.comment)
        self._ask_to_sign(draft, self.sign_wanted.emit)

    def _ask_to_sign(self, draft: VerdictDraft, sign: Callable[[], object]) -> None:
        """Show what is signed, and by whom; it is signed only then."""
        if self._case is None:
            return
        study = self._case.entry
        words = " · ".join(filter(None, (self._label(draft.label), describe_confidence(draft))))
        facts = [
            (tr("Study"), describe_subject(study, self._hides_patient)),
            (tr("Verdict"), words),
            (tr("Comment"), draft.comment.strip() or tr("None")),
        ]
        dialog = SigningDialog(self, facts, self._reader)

        def confirm(reader: str) -> None:
            if self._case is not None and self._case.entry.id == study.id:
                self.reader_named.emit(reader)
                sign()

        dialog.confirmed.connect(confirm)
        dialog.open()

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
        layout.addLayout(make_row(self.sign, self.correct))

    def show_verdict(self, verdict: Verdict, words: str, differs: bool, hide: bool) -> None:
        self._words.setText(" · ".join(filter(None, (words, describe_confidence(verdict)))))
        self._comment.setText(verdict.comment)
        self._comment.setVisible(bool(verdict.comment) and not hide)
        self._by.setText(describe_author(verdict, hide))
        self._differs.setVisible(differs)
        self.sign.setVisible(not verdict.signed)
