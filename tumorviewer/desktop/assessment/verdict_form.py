"""The form in which a verdict is written."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QGridLayout, QPlainTextEdit, QWidget

from tumorviewer.desktop.services.verdict_controller import VerdictDraft
from tumorviewer.desktop.widgets.controls import ComboBox, make_button
from tumorviewer.desktop.widgets.pages import make_row
from tumorviewer.language import percent, tr

_CONFIDENCES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


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
        grid.addLayout(make_row(self.save, self.sign, self.cancel), 2, 0, 1, 2)
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

    def hide_comment(self, hide: bool) -> None:
        """Leave out what is written, which may name the patient; an empty comment stays."""
        self.comment.setHidden(hide and bool(self.comment.toPlainText()))

    def _edited(self) -> None:
        self._offer_buttons()
        self.changed.emit()

    def _offer_buttons(self) -> None:
        for each in (self.save, self.sign):
            each.setEnabled(bool(self.classes.currentData()))
