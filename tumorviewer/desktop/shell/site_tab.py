"""The way from the reading room to the page "This site", which is made when first entered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QStackedWidget

from tumorviewer.desktop.services.records_executor import RecordsExecutor
from tumorviewer.desktop.shell.tabs import StudyTabs

if TYPE_CHECKING:
    from tumorviewer.desktop.assessment.site_page import SitePage


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
