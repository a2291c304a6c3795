"""What is signed and by whom, shown before it is."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLineEdit, QVBoxLayout, QWidget

from tumorviewer.desktop.widgets.controls import make_button, make_label
from tumorviewer.desktop.widgets.pages import make_facts
from tumorviewer.language import date, tr
from tumorviewer.records import WorklistEntry


class SigningDialog(QDialog):
    """Asks for the reader's name, and for their word.

    Parameters
    ----------
    facts
        What is signed: names and values.
    reader
        Who signed before; empty for the first signature.
    """

    confirmed = Signal(str)
    """The reader, as they call themselves."""

    def __init__(self, parent: QWidget, facts: list[tuple[str, str]], reader: str) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Sign the verdict"))
        self.setMinimumWidth(440)
        self.reader = QLineEdit(reader)
        self.reader.setPlaceholderText(tr("Your name, as the report shall have it"))
        shown = [(name, make_label(value)) for name, value in facts]
        self.sign = make_button(tr("Sign"), "primary")
        self.sign.setDefault(True)
        self.sign.clicked.connect(self._confirm)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        buttons.addButton(self.sign, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addWidget(make_facts(*shown, (tr("Reader"), self.reader)))
        layout.addWidget(make_label(_what_it_means(), "small"))
        layout.addWidget(buttons)
        self.reader.textChanged.connect(self._offer)
        self._offer()
        (self.sign if reader else self.reader).setFocus()

    def _offer(self) -> None:
        self.sign.setEnabled(bool(self.reader.text().strip()))

    def _confirm(self) -> None:
        self.accept()
        self.confirmed.emit(" ".join(self.reader.text().split()))


def describe_subject(entry: WorklistEntry, hide_patient: bool) -> str:
    """The study that is signed: patient, date and description, as far as may be seen."""
    patient = entry.patient_name or entry.patient_id or entry.title
    if hide_patient:
        patient = tr("Patient {pseudonym}", pseudonym=entry.pseudonym[:6])
    return " · ".join(filter(None, (patient, date(entry.date), entry.description)))


def _what_it_means() -> str:
    return tr(
        "The signature is kept with the time. It is taken back only by another verdict, and stays "
        "in the history."
    )
