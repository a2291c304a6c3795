"""The worklist and the open studies as tabs: one click, or one key, between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QTabBar

from tumorviewer.desktop.services.cases import group_cases
from tumorviewer.desktop.widgets.controls import format_tip
from tumorviewer.desktop.worklist.study_list import describe_study
from tumorviewer.language import date, tr
from tumorviewer.study.types import Study

_MAX_LETTERS = 28


class StudyTabs(QTabBar):
    """The first tab is the worklist, the second the training workspace once that was entered;
    files of one case have one together."""

    worklist_wanted = Signal()
    training_wanted = Signal()
    site_wanted = Signal()
    case_wanted = Signal(list)
    """The studies of a tab."""
    close_wanted = Signal(list)
    """The studies of a tab."""

    def __init__(self) -> None:
        super().__init__()
        self._groups: list[list[Study]] = []
        self._pages = ["worklist"]
        """Tabs before those of the studies."""
        self._hides_patient = False
        self.setAccessibleName(tr("Worklist and open studies"))
        self.setExpanding(False)
        self.setDrawBase(False)
        self.setTabsClosable(True)
        self.setUsesScrollButtons(True)
        self.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.addTab(tr("Worklist"))
        self._fix(0)
        self.currentChanged.connect(self._turned)
        self.tabCloseRequested.connect(self._close)

    def show_studies(self, studies: Sequence[Study]) -> None:
        """Have a tab for each of these, without turning to one."""
        shown = self.currentIndex()
        self._groups = group_cases(studies)
        self.blockSignals(True)
        while self.count() > self._before + len(self._groups):
            self.removeTab(self.count() - 1)
        while self.count() < self._before + len(self._groups):
            self.addTab("")
        words = [self._words(group, at) for at, group in enumerate(self._groups, self._before)]
        titles = Counter(title for title, _ in words)
        for at, (title, detail) in enumerate(words, self._before):
            short = title if len(title) <= _MAX_LETTERS else f"{title[: _MAX_LETTERS - 1]}…"
            if titles[title] > 1 and self._groups[at - self._before][0].date:  # of one patient
                short += f" · {date(self._groups[at - self._before][0].date)}"
            self.setTabText(at, short.replace("&", "&&"))
            self.setTabToolTip(at, format_tip(f"{title}\n{detail}".strip()))
        self.setCurrentIndex(min(shown, self.count() - 1))
        self.blockSignals(False)

    def show_current(self, study: Study | None) -> None:
        """Mark the tab of a study, or the worklist's."""
        tabs = enumerate(self._groups, self._before)
        self._select(next((at for at, each in tabs if _has(each, study)), 0))

    def offer_training(self) -> None:
        """Have a tab for the training workspace."""
        self._offer("training", tr("Training"))

    def show_training(self) -> None:
        """Mark the tab of the training workspace."""
        self.offer_training()
        self._select(self._pages.index("training"))

    def show_site(self) -> None:
        """Mark the tab of how the model does here; it is there from then on."""
        self._offer("site", tr("This site"))
        self._select(self._pages.index("site"))

    @property
    def _before(self) -> int:
        """So many tabs stand before those of the studies."""
        return len(self._pages)

    def _offer(self, page: str, title: str) -> None:
        if page not in self._pages:
            self.blockSignals(True)
            self.insertTab(self._before, title)
            self.blockSignals(False)
            self._fix(self._before)
            self._pages.append(page)

    def _select(self, at: int) -> None:
        self.blockSignals(True)
        self.setCurrentIndex(at)
        self.blockSignals(False)

    def hide_patient(self, hide: bool) -> None:
        self._hides_patient = hide
        self.show_studies([study for group in self._groups for study in group])

    def step(self, by: int) -> None:
        """Turn to a neighbour, from the last to the first."""
        self.setCurrentIndex((self.currentIndex() + by) % self.count())

    def _turned(self, at: int) -> None:
        if 0 <= at < self._before:
            wanted = {
                "worklist": self.worklist_wanted,
                "training": self.training_wanted,
                "site": self.site_wanted,
            }
            wanted[self._pages[at]].emit()
        elif at > 0:
            self.case_wanted.emit(self._groups[at - self._before])

    def _close(self, at: int) -> None:
        self.close_wanted.emit(self._groups[at - self._before])

    def _words(self, group: list[Study], number: int) -> tuple[str, str]:
        title, detail = describe_study(group, number, self._hides_patient)
        return " ".join(title.split()), detail

    def _fix(self, at: int) -> None:
        for side in (QTabBar.ButtonPosition.LeftSide, QTabBar.ButtonPosition.RightSide):
            self.setTabButton(at, side, None)


def _has(group: list[Study], study: Study | None) -> bool:
    return any(each is study for each in group)
