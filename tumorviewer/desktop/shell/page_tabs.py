"""The tabs beside the studies, training and this site; their pages are made when first entered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from tumorviewer.desktop.services.records_executor import RecordsExecutor
from tumorviewer.desktop.shell.tabs import StudyTabs
from tumorviewer.records import WorklistEntry
from tumorviewer.resources import home_path

if TYPE_CHECKING:
    from tumorviewer.desktop.training.workspace import Workspace

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tumorviewer.desktop.assessment.site_page import SitePage


class TrainingTab(QObject):
    """Knows whether something trains, and shows where.

    Parameters
    ----------
    pages
        Of the reading room; the workspace becomes one of them.
    """

    promoted = Signal()
    """Another model is in use now."""

    def __init__(
        self, executor: RecordsExecutor, pages: QStackedWidget, tabs: StudyTabs, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._executor, self._pages, self._tabs = executor, pages, tabs
        self._labels: Mapping[str, str] = {}
        self._workspace: Workspace | None = None
        self._may_close = False

    @property
    def workspace(self) -> Workspace:
        """It is made if it is not there."""
        if self._workspace is None:
            from tumorviewer.desktop.training.workspace import Workspace

            self._workspace = made = Workspace(self._executor)
            made.promoted.connect(lambda _: self.promoted.emit())
            made.show_labels(self._labels)
            self._pages.addWidget(made)
        return self._workspace

    @property
    def is_shown(self) -> bool:
        return self._workspace is not None and self._pages.currentWidget() is self._workspace

    def start(self) -> None:
        """Offer the workspace where a training of before still runs."""
        if self._is_training():
            self._tabs.offer_training()

    def enter(self) -> None:
        """Turn to the workspace."""
        self._pages.setCurrentWidget(self.workspace)
        self._tabs.show()
        self._tabs.show_training()
        self.workspace.list_again()
        self.workspace.take_focus()

    def send(self, entries: Sequence[WorklistEntry]) -> None:
        """Offer studies to be sent to training; all that are read, if none are named."""
        self.enter()
        self.workspace.offer(entries)

    def show_labels(self, labels: Mapping[str, str]) -> None:
        """Call the classes so."""
        self._labels = labels
        if self._workspace is not None:
            self._workspace.show_labels(labels)

    def asks_before_closing(self, window: QWidget) -> bool:
        """Whether the reader is asked what shall become of a training; then they close the
        window once more, or not."""
        if self._may_close or not self._is_training():
            return False
        from tumorviewer.desktop.training.closing import ClosingDialog

        dialog = ClosingDialog(window)
        dialog.accepted.connect(lambda: self._close(window))
        dialog.open()
        return True

    def close(self) -> bool:
        """End what the window does here; trainings go on. False if something does not end."""
        return self._workspace is None or self._workspace.close_pages()

    def _close(self, window: QWidget) -> None:
        self._may_close = True
        window.close()

    def _is_training(self) -> bool:
        if not home_path("training").is_dir():
            return False
        from tumorviewer.desktop.training.run_store import RunStore

        return any(RunStore().running())


class SiteTab(QObject):
    """Asks the records, and shows what they say.

    Parameters
    ----------
    pages
        Of the reading room; the page becomes one of them.
    """

    def __init__(
        self, executor: RecordsExecutor, pages: QStackedWidget, tabs: StudyTabs, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._executor, self._pages, self._tabs = executor, pages, tabs
        self._labels: Mapping[str, str] = {}
        self._page: SitePage | None = None

    @property
    def page(self) -> SitePage:
        """It is made if it is not there."""
        if self._page is None:
            from tumorviewer.desktop.assessment.site_page import SitePage

            self._page = made = SitePage()
            made.show_labels(self._labels)
            made.renewal_wanted.connect(self.measure)
            self._pages.addWidget(made)
        return self._page

    def enter(self) -> None:
        """Turn to the page, and measure."""
        self._pages.setCurrentWidget(self.page)
        self._tabs.show()
        self._tabs.show_site()
        self.page.again.setFocus()
        self.measure()

    def measure(self) -> None:
        """Look at everything that is kept; the window does not wait."""
        self._executor.ask(
            lambda records: records.agreement.measure(),
            self.page.show_agreement,
            self.page.show_problem,
        )

    def show_labels(self, labels: Mapping[str, str]) -> None:
        """Call the classes so."""
        self._labels = labels
        if self._page is not None:
            self._page.show_labels(labels)
