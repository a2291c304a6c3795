"""The part of the report's window that sends it: which archive, and a button."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from tumorviewer.desktop.widgets.controls import ComboBox, make_button, make_heading, make_label
from tumorviewer.language import tr

if TYPE_CHECKING:
    from tumorviewer.pacs.addresses import ArchiveAddress


class SendingPart(QWidget):
    """Sends only what is DICOM, and only when its button is pressed."""

    wanted = Signal(str)
    """Send to the archive of this name."""
    archives_wanted = Signal()
    outbox_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._is_allowed = False
        self.archive = ComboBox()
        self.archive.setAccessibleName(tr("Archive"))
        self.archive.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.send = make_button(tr("Send"), name=tr("Send the ticked DICOM objects"))
        self.hint = make_label(tr("No archive is known yet."), "small")
        archives = make_button(tr("Archives…"), "link")
        self.outbox = make_button(tr("Outbox…"), "link")
        self.send.clicked.connect(lambda: self.wanted.emit(self.archive.currentText()))
        archives.clicked.connect(self.archives_wanted)
        self.outbox.clicked.connect(self.outbox_wanted)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(make_heading(tr("Send the DICOM objects to an archive")))
        layout.addLayout(_row(self.archive, self.send))
        layout.addWidget(self.hint)
        layout.addLayout(_row(archives, self.outbox))

    def show_archives(self, archives: list[ArchiveAddress]) -> None:
        """These may be chosen; the same one stays chosen."""
        chosen = self.archive.currentText()
        self.archive.clear()
        self.archive.addItems([one.name for one in archives])
        self.archive.setCurrentIndex(max(self.archive.findText(chosen), 0))
        self.archive.setEnabled(bool(archives))
        self.hint.setVisible(not archives)
        self.allow(self._is_allowed)

    def allow(self, allowed: bool) -> None:
        """Whether there is something to send."""
        self._is_allowed = allowed
        self.send.setEnabled(allowed and self.archive.count() > 0)


def _row(*parts: QWidget) -> QHBoxLayout:
    made = QHBoxLayout()
    made.setSpacing(8)
    for part in parts:
        made.addWidget(part)
    return made
