"""The parts of the window, side by side."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSplitter, QStackedWidget

from tumorviewer.desktop.assessment.assessment_panel import AssessmentPanel
from tumorviewer.desktop.shell.status import StatusLine
from tumorviewer.desktop.viewer.viewer import Viewer
from tumorviewer.desktop.worklist.start_page import MessagePage, StartPage
from tumorviewer.desktop.worklist.study_panel import StudyPanel


class WindowParts(QSplitter):
    """Studies on the left, the image or a page in its place in the middle, the assessment on the
    right; the line at the bottom belongs to the window."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.study_panel = StudyPanel()
        self.viewer = Viewer()
        self.assessment = AssessmentPanel()
        self.start_page = StartPage()
        self.message_page = MessagePage()
        self.status = StatusLine()
        self.middle = QStackedWidget()
        for page in (self.start_page, self.message_page, self.viewer):
            self.middle.addWidget(page)
        self.setChildrenCollapsible(False)
        self.setHandleWidth(4)
        for part in (self.study_panel, self.middle, self.assessment):
            self.addWidget(part)
        self.setStretchFactor(1, 1)
        self.setSizes([260, 1000, 320])
        self.study_panel.setMinimumWidth(200)
        self.assessment.setMinimumWidth(288)
        self.assessment.setMaximumWidth(480)

    def show_message(self, title: str, text: str, *, can_retry: bool) -> None:
        """Say in place of the image why there is none."""
        self.message_page.show_message(title, text, can_retry)
        self.middle.setCurrentWidget(self.message_page)
