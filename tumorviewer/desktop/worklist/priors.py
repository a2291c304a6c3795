"""Earlier and later studies of the patient whose study is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from tumorviewer.desktop.widgets.controls import (
    ElidedLabel,
    clear_layout,
    format_tip,
    make_button,
    make_heading,
)
from tumorviewer.desktop.worklist.worklist_model import STATE_WORDS
from tumorviewer.language import date, tr
from tumorviewer.records import WorklistEntry

_MOST = 5


class PriorList(QWidget):
    """What was made when; a click opens it beside what is open."""

    open_wanted = Signal(list)
    """The :class:`WorklistEntry` alone."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Other studies of this patient"))
        self._heading = make_heading(tr("Other studies of this patient"))
        self._lines = QVBoxLayout()
        self._lines.setSpacing(0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 4, 12, 8)
        layout.setSpacing(4)
        layout.addWidget(self._heading)
        layout.addLayout(self._lines)
        self.hide()

    def show_priors(self, priors: Sequence[WorklistEntry], label: Callable[[str], str]) -> None:
        """List these, the newest first; nothing is seen where there are none."""
        clear_layout(self._lines)
        self.setVisible(bool(priors))
        title = tr("Other studies of this patient")
        if len(priors) > _MOST:
            title += f" ({_MOST} / {len(priors)})"
        self._heading.setText(title)
        for entry in priors[:_MOST]:
            made = make_button(_words(entry, label).replace("&", "&&"), "link")
            what = entry.description or entry.modality
            made.setToolTip(format_tip(tr("Open {what}", what=what).strip()))
            made.clicked.connect(lambda _=False, entry=entry: self.open_wanted.emit([entry]))
            self._lines.addWidget(made)
            if entry.description:
                detail = ElidedLabel(entry.description, "secondary")
                detail.setIndent(8)
                self._lines.addWidget(detail)


def _words(entry: WorklistEntry, label: Callable[[str], str]) -> str:
    said = label(entry.verdict_class) if entry.verdict_class else tr(STATE_WORDS[entry.state])
    return f"{date(entry.date) or tr('No date')} · {said}"
