"""The report of what is read: its pages, the documents to choose from, and where they go."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from tumorviewer.desktop.hospital.archives_controller import ArchivesController
from tumorviewer.desktop.hospital.outbox_controller import OutboxController
from tumorviewer.desktop.hospital.page_view import PageView
from tumorviewer.desktop.hospital.report_controller import ReportController
from tumorviewer.desktop.hospital.sending_part import SendingPart
from tumorviewer.desktop.widgets import theme
from tumorviewer.desktop.widgets.controls import (
    ProgressRow,
    make_button,
    make_heading,
    make_label,
)
from tumorviewer.errors import InputError
from tumorviewer.language import later, tr, trn
from tumorviewer.resources import home_path

if TYPE_CHECKING:
    from PySide6.QtGui import QImage

    from tumorviewer.reports.content import ReportContent
    from tumorviewer.reports.writing import WrittenReport

FORMAT_NAMES = {
    "pdf": later("Report (PDF, and as a DICOM object)"),
    "sr": later("Structured report (DICOM SR)"),
    "seg": later("Outlines (DICOM SEG)"),
    "pm": later("Saliency map (DICOM Parametric Map)"),
    "sc": later("Captures with outline and map (DICOM)"),
    "pr": later("Presentation state (DICOM)"),
    "ko": later("Deciding slices (DICOM key objects)"),
    "fhir": later("FHIR bundle (JSON)"),
    "png": later("Pictures (PNG)"),
    "nifti": later("Outline and map (NIfTI)"),
}
"""The formats of :data:`tumorviewer.reports.writing.FORMATS`, in the order of the list."""
_FOR_ARCHIVES = ("sr", "seg", "pm", "sc", "pr", "ko")
_COLUMN = 368
_SIZE = (1120, 760)


class ReportDialog(QDialog):
    """Draws the report as soon as there is an answer; nothing is written before it is asked for.

    Parameters
    ----------
    controller
        Makes the report.
    archives, outbox
        Where it may be sent, and what sends it.
    """

    archives_wanted = Signal()
    outbox_wanted = Signal()

    def __init__(
        self,
        parent: QWidget,
        controller: ReportController,
        archives: ArchivesController,
        outbox: OutboxController,
    ) -> None:
        super().__init__(parent)
        self._controller, self._archives, self._outbox = controller, archives, outbox
        self._destination = ""
        """The archive that what is being written goes to; empty where it is saved."""
        self._folder: Path | None = None
        self._is_dicom = False
        self.setWindowTitle(tr("Report"))
        self.pages = PageView(tr("Pages of the report"))
        self.boxes = {name: QCheckBox(tr(words)) for name, words in FORMAT_NAMES.items()}
        self.remarks = {name: make_label("", "warning") for name in FORMAT_NAMES}
        self.message = make_label("", "notice")
        self.progress = ProgressRow(tr("the report"))
        self.save = make_button(tr("Save to a folder…"), "primary")
        self.show_folder = make_button(tr("Open the folder"))
        self.sending = SendingPart()
        self._lay_out()
        self._connect()
        area = parent.screen().availableGeometry().size()
        self.resize(min(_SIZE[0], area.width() - 80), min(_SIZE[1], area.height() - 80))
        self._allow(False)
        archives.list_archives()
        controller.draw()

    def _lay_out(self) -> None:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        self.column = QVBoxLayout()
        self.column.setSpacing(8)
        self.column.addWidget(make_heading(tr("Documents")))
        self.column.addWidget(self._list(), 1)
        self.column.addWidget(self.message)
        self.column.addWidget(self.progress)
        self.column.addWidget(self.show_folder)
        self.column.addWidget(self.save)
        self.column.addWidget(self.sending)
        self.column.addWidget(buttons)
        side = QWidget()
        side.setFixedWidth(_COLUMN)
        side.setLayout(self.column)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(16)
        layout.addWidget(self.pages, 1)
        layout.addWidget(side)
        for hidden in (self.message, self.show_folder, *self.remarks.values()):
            hidden.hide()

    def _list(self) -> QScrollArea:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(6)
        for name, box in self.boxes.items():
            box.setChecked(name == "pdf")
            box.toggled.connect(self._follow_ticks)
            column.addWidget(box)
            column.addWidget(self.remarks[name])
        column.addStretch(1)
        area = QScrollArea()
        area.setAccessibleName(tr("Documents"))
        area.setWidgetResizable(True)
        area.setWidget(inner)
        return area

    def _connect(self) -> None:
        controller = self._controller
        controller.waiting.connect(self.progress.show_progress)
        controller.drawn.connect(self._show_report)
        controller.progressed.connect(self._show_progress)
        controller.written.connect(self._show_written)
        controller.failed.connect(self._show_problem)
        self.progress.cancelled.connect(self._cancel)
        self.save.clicked.connect(self._save)
        self.show_folder.clicked.connect(self._open_folder)
        self._archives.listed.connect(self.sending.show_archives)
        self._outbox.queued.connect(self._show_queued)
        self._outbox.failed.connect(self._show_problem)
        self.sending.wanted.connect(self._send)
        self.sending.archives_wanted.connect(self.archives_wanted)
        self.sending.outbox_wanted.connect(self.outbox_wanted)
        self.finished.connect(lambda _: controller.cancel())

    @property
    def chosen(self) -> list[str]:
        """The formats that are ticked and can be made."""
        return [n for n, box in self.boxes.items() if box.isChecked() and box.isEnabled()]

    @property
    def _to_send(self) -> list[str]:
        return [name for name in self.chosen if name in ("pdf", *_FOR_ARCHIVES)]

    # What is shown

    def _allow(self, allowed: bool) -> None:
        self._is_ready = allowed
        self._follow_ticks()

    def _follow_ticks(self) -> None:
        self.save.setEnabled(self._is_ready and bool(self.chosen))
        self.sending.allow(self._is_ready and self._is_dicom and bool(self._to_send))

    def _show_report(self, content: ReportContent, pages: list[QImage]) -> None:
        self.progress.hide()
        self.pages.show_pages(pages)
        self._is_dicom = content.source is not None
        if content.source is None:
            reason = tr("The images are not DICOM: there is no study to add it to.")
            self._refuse(dict.fromkeys(_FOR_ARCHIVES, reason))
            for name in _FOR_ARCHIVES:
                self.boxes[name].setEnabled(False)
        self._allow(True)
        self.pages.setFocus()

    def _show_progress(self, name: str, done: int, total: int) -> None:
        self.progress.show_progress(tr(FORMAT_NAMES[name]), done, total)

    def _show_written(self, written: WrittenReport, folder: Path) -> None:
        self.progress.hide()
        self._allow(True)
        self._refuse(written.refused)
        names = [name for files in written.files.values() for name in files]
        if self._destination:
            self._put([folder / name for name in names if name.endswith(".dcm")])
            return
        words = trn("{count} file was written.", "{count} files were written.", len(names))
        self._say(words, "notice" if names else "warning")
        self._folder = folder
        self.show_folder.setVisible(bool(names))

    def _put(self, paths: list[Path]) -> None:
        if paths:
            self._outbox.put(self._destination, paths)
        else:
            self._say(tr("There is nothing to send."), "warning")

    def _show_queued(self, destination: str, count: int) -> None:
        words = trn(
            "{count} object is on its way to {archive}.",
            "{count} objects are on their way to {archive}.",
            count,
            archive=destination,
        )
        self._say(words, "notice")

    def _show_problem(self, error: InputError) -> None:
        self.progress.hide()
        self._allow(self.pages.count > 0)
        self._say(error.message, "error")

    def _refuse(self, refused: Mapping[str, str]) -> None:
        for name, remark in self.remarks.items():
            reason = refused.get(name) or refused.get(f"{name}.dcm", "")
            remark.setText(reason)
            remark.setVisible(bool(reason))

    def _say(self, words: str, role: str) -> None:
        theme.set_role(self.message, role)
        self.message.setText(words)
        self.message.show()

    # What the reader asks for

    def _save(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, tr("Save the report to a folder")):
            self._destination = ""
            self._write(Path(path), self.chosen)

    def _send(self, destination: str) -> None:
        self._destination = destination
        self._write(home_path("reports"), self._to_send)

    def _write(self, folder: Path, formats: list[str]) -> None:
        self.message.hide()
        self.show_folder.hide()
        self._allow(False)
        self._controller.write(folder, formats)

    def _cancel(self) -> None:
        self._controller.cancel()
        self.progress.hide()
        self._allow(self.pages.count > 0)
        self._say(tr("Cancelled."), "notice")

    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folder)))
