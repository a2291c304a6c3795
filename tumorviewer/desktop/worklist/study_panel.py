"""The left side of the window: what is open, which volume of it, and what is not shown."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from tumorviewer.desktop.services.library import Library
from tumorviewer.desktop.widgets.controls import ComboBox, ProgressRow, make_heading, make_label
from tumorviewer.desktop.worklist.refused_list import RefusedList
from tumorviewer.desktop.worklist.study_list import StudyList
from tumorviewer.language import tr
from tumorviewer.study.types import Series, VolumeReader
from tumorviewer.study.volume_labels import translate_label


class StudyPanel(QFrame):
    """List, volume selector and refused items, with the progress of opening above them."""

    volume_chosen = Signal(int)
    """Index of a volume of the shown series."""
    cancel_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "panel")
        self.studies = StudyList()
        self.refused = RefusedList()
        self.progress = ProgressRow("opening")
        self.progress.cancelled.connect(self.cancel_wanted)
        self.notes = make_label("", "warning")
        self.notes.setAccessibleName(tr("What to know of this series"))
        self._hint = make_label(tr("Nothing is open."), "secondary")
        self._volumes = ComboBox()
        self._volumes.setAccessibleName(tr("Volume of the series"))
        self._volumes.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._volumes.activated.connect(self.volume_chosen)
        self._volume_row = QWidget()
        row = QHBoxLayout(self._volume_row)
        row.setContentsMargins(12, 8, 12, 8)
        row.setSpacing(8)
        row.addWidget(make_label(tr("Volume"), "secondary"))
        row.addWidget(self._volumes, 1)
        top = QVBoxLayout()
        top.setContentsMargins(12, 12, 12, 8)
        top.setSpacing(8)
        for each in (make_heading(tr("Studies")), self.progress, self._hint):
            top.addWidget(each)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(top)
        layout.addWidget(self.studies, 1)
        layout.addWidget(self._volume_row)
        layout.addLayout(_inset(self.notes))
        layout.addWidget(self.refused)
        self.show_volumes((), 0)
        self.show_notes(())

    def add_part(self, part: QWidget) -> None:
        """Put a part of another room below."""
        layout = self.layout()
        assert layout is not None
        layout.addWidget(part)

    def show_library(self, library: Library) -> None:
        """List what is open and what could not be."""
        self.studies.show_library(library)
        self.refused.show_refused(tuple(library.refused))
        self._hint.setVisible(not library.studies)

    def show_series(self, series: Series, volume: int) -> None:
        """Mark the series and the volume that are shown."""
        self.studies.select(series)
        self.show_volumes(series.volumes, volume)

    def show_volumes(self, volumes: tuple[VolumeReader, ...], current: int) -> None:
        """Offer the volumes of a series, if there is a choice."""
        self._volumes.clear()
        for at, volume in enumerate(volumes, 1):
            self._volumes.addItem(f"{at} / {len(volumes)}  {translate_label(volume.label)}".strip())
        self._volumes.setCurrentIndex(current)
        self._volume_row.setVisible(len(volumes) > 1)

    def show_notes(self, notes: tuple[str, ...]) -> None:
        """Say what must be known of the shown volume: gaps, missing slices and the like."""
        self.notes.setText("\n".join(notes))
        self.notes.setVisible(bool(notes))

    def hide_patient(self, hide: bool) -> None:
        """Show or hide names, identifiers and file names."""
        self.studies.hide_patient(hide)
        self.refused.hide_names(hide)


def _inset(widget: QWidget) -> QVBoxLayout:
    layout = QVBoxLayout()
    layout.setContentsMargins(12, 4, 12, 8)
    layout.addWidget(widget)
    return layout
