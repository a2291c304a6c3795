"""The outbox: every object and destination, how far it is, and why it is not further."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from tumorviewer.desktop.hospital.outbox_controller import OutboxController
from tumorviewer.desktop.hospital.row_table import RowTable
from tumorviewer.desktop.widgets.controls import make_button, make_label
from tumorviewer.desktop.widgets.pages import make_row
from tumorviewer.errors import InputError
from tumorviewer.language import later, moment, tr
from tumorviewer.records.outbox import OutboxEntry, OutboxState

STATES = {
    OutboxState.WAITING: later("Waiting"),
    OutboxState.SENT: later("Sent"),
    OutboxState.CONFIRMED: later("Confirmed"),
    OutboxState.FAILED: later("Failed"),
}
_RENEWAL_MS = 500


class OutboxDialog(QDialog):
    """Follows the records while it is open, whoever delivers.

    Parameters
    ----------
    controller
        Delivers.
    """

    def __init__(self, parent: QWidget, controller: OutboxController) -> None:
        super().__init__(parent)
        self._controller = controller
        self._shown: list[OutboxEntry] | None = None
        self.setWindowTitle(tr("Outbox"))
        headings = (tr("Object"), tr("Archive"), tr("State"), tr("Time"), tr("Reason"))
        self.table = RowTable(tr("Outbox"), headings)
        self.message = make_label("", "secondary")
        self.retry = make_button(tr("Try again now"))
        self.retry.setAutoDefault(False)
        self._lay_out()
        controller.listed.connect(self._show_entries)
        controller.failed.connect(self._show_problem)
        self.retry.clicked.connect(controller.retry)
        timer = QTimer(self)
        timer.timeout.connect(controller.list_entries)
        timer.start(_RENEWAL_MS)
        self.resize(960, 480)
        controller.list_entries()

    def _lay_out(self) -> None:
        words = tr("Confirmed: the archive proved that it keeps the object unchanged.")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addWidget(self.message)
        layout.addWidget(self.table, 1)
        layout.addWidget(make_label(words, "small"))
        layout.addLayout(make_row(self.retry))
        layout.addWidget(buttons)

    def _show_entries(self, entries: list[OutboxEntry]) -> None:
        if entries == self._shown:
            return
        self._shown = entries
        self.table.show_rows([_row(entry) for entry in reversed(entries)])
        left = [one for one in entries if one.state is not OutboxState.CONFIRMED]
        self.retry.setEnabled(bool(left))
        if not entries:
            self.message.setText(tr("Nothing was sent yet. A report is sent from its window."))
        else:
            counts = [
                f"{tr(words)}: {count}"
                for state, words in STATES.items()
                if (count := sum(one.state is state for one in entries))
            ]
            self.message.setText(" · ".join(counts))

    def _show_problem(self, error: InputError) -> None:
        self.message.setText(error.message)


def _row(entry: OutboxEntry) -> tuple[str, str, str, str, str]:
    from pydicom.uid import UID

    kind = UID(entry.sop_class).name.removesuffix(" Storage")
    time = moment(datetime.fromisoformat(entry.changed))
    return kind, entry.destination, tr(STATES[entry.state]), time, entry.reason
