"""What the menu has for reports and archives: each opens its window."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QDialog, QWidget

from tumorviewer.desktop.hospital.archives_controller import ArchivesController
from tumorviewer.desktop.hospital.fetch_controller import FetchController
from tumorviewer.desktop.hospital.outbox_controller import OutboxController
from tumorviewer.desktop.hospital.report_controller import ReportController
from tumorviewer.desktop.services.reading import Reading
from tumorviewer.desktop.services.records_executor import RecordsExecutor
from tumorviewer.desktop.services.register import StudyRegister
from tumorviewer.desktop.services.study_answer_controller import StudyAnswerController
from tumorviewer.desktop.services.verdict_controller import VerdictController

if TYPE_CHECKING:
    from tumorviewer.desktop.hospital.archives_dialog import ArchivesDialog
    from tumorviewer.desktop.hospital.fetch_dialog import FetchDialog
    from tumorviewer.desktop.hospital.outbox_dialog import OutboxDialog
    from tumorviewer.desktop.hospital.report_dialog import ReportDialog

_Dialog = TypeVar("_Dialog", bound=QDialog)


class HospitalActions(QObject):
    """Opens the windows of this wing, and ends their work with the window's.

    Parameters
    ----------
    window
        Which they belong to.
    """

    def __init__(
        self,
        window: QWidget,
        reading: Reading,
        answers: StudyAnswerController,
        executor: RecordsExecutor,
        register: StudyRegister,
        verdicts: VerdictController,
    ) -> None:
        super().__init__(window)
        self._window, self._reading = window, reading
        self.reports = ReportController(reading, answers, executor, register, verdicts, self)
        self.archives = ArchivesController(self)
        self.outbox = OutboxController(executor, self)
        self.fetching = FetchController(self)

    def slots(self) -> dict[str, Callable[[], object]]:
        """By the names of the actions."""
        return {
            "report": self.show_report,
            "fetch": self.show_fetching,
            "outbox": self.show_outbox,
            "archives": self.show_archives,
        }

    def show_report(self) -> ReportDialog:
        """The report of what is read."""
        from tumorviewer.desktop.hospital.report_dialog import ReportDialog

        made = ReportDialog(self._window, self.reports, self.archives, self.outbox)
        made.archives_wanted.connect(self.show_archives)
        made.outbox_wanted.connect(self.show_outbox)
        return self._open(made)

    def show_fetching(self) -> FetchDialog:
        """Studies of archives; what came is opened as any other."""
        from tumorviewer.desktop.hospital.fetch_dialog import FetchDialog

        made = FetchDialog(self._window, self.fetching, self.archives)
        made.arrived.connect(self._reading.open)
        made.archives_wanted.connect(self.show_archives)
        return self._open(made)

    def show_outbox(self) -> OutboxDialog:
        """What is on its way to archives."""
        from tumorviewer.desktop.hospital.outbox_dialog import OutboxDialog

        return self._open(OutboxDialog(self._window, self.outbox))

    def show_archives(self) -> ArchivesDialog:
        """The archives that are known."""
        from tumorviewer.desktop.hospital.archives_dialog import ArchivesDialog

        return self._open(ArchivesDialog(self._window, self.archives))

    def close(self) -> bool:
        """End all work; False if some does not end in time."""
        return (
            self.reports.close()
            & self.archives.close()
            & self.outbox.close()
            & self.fetching.close()
        )

    def _open(self, dialog: _Dialog) -> _Dialog:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        return dialog
