"""What the menu has for reports and archives: each opens its window."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QDialog, QWidget

from tumorviewer.desktop.hospital.report_controller import ReportController
from tumorviewer.desktop.services.reading import Reading
from tumorviewer.desktop.services.records_executor import RecordsExecutor
from tumorviewer.desktop.services.register import StudyRegister
from tumorviewer.desktop.services.study_answer_controller import StudyAnswerController
from tumorviewer.desktop.services.verdict_controller import VerdictController

if TYPE_CHECKING:
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
        self._window = window
        self.reports = ReportController(reading, answers, executor, register, verdicts, self)

    def slots(self) -> dict[str, Callable[[], object]]:
        """By the names of the actions."""
        return {"report": self.show_report}

    def show_report(self) -> ReportDialog:
        """The report of what is read."""
        from tumorviewer.desktop.hospital.report_dialog import ReportDialog

        return self._open(ReportDialog(self._window, self.reports))

    def close(self) -> bool:
        """End all work; False if some does not end in time."""
        return self.reports.close()

    def _open(self, dialog: _Dialog) -> _Dialog:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        return dialog
