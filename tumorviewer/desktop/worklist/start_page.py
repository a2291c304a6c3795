"""What the middle of the window says while no image is shown."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from tumorviewer.desktop.services.settings import RecentEntry
from tumorviewer.desktop.widgets import theme
from tumorviewer.desktop.widgets.controls import (
    clear_layout,
    format_tip,
    make_button,
    make_heading,
    make_label,
)
from tumorviewer.language import tr

_WIDTH = 440


class StartPage(QWidget):
    """How to begin: drop something, choose something, or something from before."""

    files_wanted = Signal()
    folder_wanted = Signal()
    demonstration_wanted = Signal()
    recent_chosen = Signal(RecentEntry)
    """A :class:`RecentEntry`."""

    def __init__(self) -> None:
        super().__init__()
        self._icon = QLabel()
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._recent = QVBoxLayout()
        self._recent.setSpacing(0)
        self._recent_heading = make_heading(tr("Recent"))
        column = QVBoxLayout()
        column.setSpacing(8)
        column.addWidget(self._icon)
        column.addWidget(_centred(tr("Drop a study here"), "title"))
        column.addWidget(
            _centred(
                tr(
                    "A DICOM folder, DICOMDIR or zip file, a NIfTI file, or a picture "
                    "(PNG, JPEG, TIFF, BMP). Several at once are fine."
                ),
                "secondary",
            )
        )
        column.addSpacing(8)
        column.addLayout(self._buttons())
        column.addWidget(self._demonstration_button(), 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(16)
        column.addWidget(self._recent_heading)
        column.addLayout(self._recent)
        _centre(self, column)
        self.draw()

    def _buttons(self) -> QHBoxLayout:
        files = make_button(tr("Open files…"))
        files.clicked.connect(self.files_wanted)
        folder = make_button(tr("Open folder…"), "primary")
        folder.clicked.connect(self.folder_wanted)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        row.addWidget(folder)
        row.addWidget(files)
        row.addStretch(1)
        return row

    def _demonstration_button(self) -> QPushButton:
        made = make_button(tr("Open the demonstration study"), "link")
        made.clicked.connect(self.demonstration_wanted)
        return made

    def show_recent(self, entries: Sequence[RecentEntry], hide_names: bool = False) -> None:
        """List what was opened before."""
        clear_layout(self._recent)
        self._recent_heading.setVisible(bool(entries))
        for number, entry in enumerate(entries[:5], 1):
            title = tr("Recent study {n}", n=number) if hide_names else entry.title
            shown = self.fontMetrics().elidedText(title, Qt.TextElideMode.ElideMiddle, _WIDTH - 24)
            made = make_button(
                shown.replace("&", "&&"), "link", tr("Open again: {title}", title=title)
            )
            made.setToolTip("" if hide_names else format_tip("\n".join(entry.paths[:10])))
            made.clicked.connect(lambda _=False, chosen=entry: self.recent_chosen.emit(chosen))
            self._recent.addWidget(made)

    def draw(self) -> None:
        """Draw the icon in the colours of now."""
        self._icon.setPixmap(theme.draw_icon("drop", theme.current_colours().secondary, 48))


class RecentMenu(QMenu):
    """What was opened before, in the menu bar."""

    chosen = Signal(RecentEntry)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(tr("Open recent"), parent)

    def show_recent(self, entries: Sequence[RecentEntry], hide_names: bool) -> None:
        """List what was opened before."""
        self.clear()
        for number, entry in enumerate(entries, 1):
            title = tr("Recent study {n}", n=number) if hide_names else entry.title
            action = self.addAction(title.replace("&", "&&"))
            action.triggered.connect(lambda _=False, entry=entry: self.chosen.emit(entry))
        self.setEnabled(bool(entries))


class MessagePage(QWidget):
    """Why there is no image here, and what can be done."""

    retry_wanted = Signal()
    back_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._title = _centred("", "subtitle")
        self._text = make_label("", "error")
        self._retry = make_button(tr("Try again"))
        self._retry.clicked.connect(self.retry_wanted)
        self._back = make_button(tr("Back"))
        self._back.clicked.connect(self.back_wanted)
        column = QVBoxLayout()
        column.setSpacing(16)
        column.addWidget(self._title)
        column.addWidget(self._text)
        for each in (self._retry, self._back):
            column.addWidget(each, 0, Qt.AlignmentFlag.AlignHCenter)
        _centre(self, column)

    def show_message(self, title: str, text: str, can_retry: bool) -> None:
        self._title.setText(title)
        self._text.setText(text)
        self._retry.setVisible(can_retry)
        self._back.setVisible(not can_retry)


def _centred(text: str, role: str) -> QLabel:
    made = make_label(text, role)
    made.setAlignment(Qt.AlignmentFlag.AlignCenter)
    return made


def _centre(page: QWidget, column: QVBoxLayout) -> None:
    inner = QFrame()
    inner.setFixedWidth(_WIDTH)
    inner.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Maximum)
    column.setContentsMargins(0, 0, 0, 0)
    inner.setLayout(column)
    layout = QHBoxLayout(page)
    layout.addWidget(inner, 0, Qt.AlignmentFlag.AlignCenter)
