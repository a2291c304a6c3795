"""What the viewer shows of each study is noted, and shown again when the reader comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from tumorviewer.desktop.services.cases import identify_case
from tumorviewer.desktop.services.reading import Reading
from tumorviewer.desktop.services.reading_position import ReadingPosition
from tumorviewer.desktop.services.register import StudyRegister
from tumorviewer.desktop.viewer.layouts import find_layout, name_layout
from tumorviewer.records.identity import volume_key
from tumorviewer.study.types import Study

if TYPE_CHECKING:
    from tumorviewer.desktop.viewer.viewer import Viewer
    from tumorviewer.records import WorklistEntry


class ReadingPlaces(QObject):
    """Positions by the keys of the worklist's entries."""

    changed = Signal()
    slice_restored = Signal(int)
    """Show this slice, where the reader was before."""

    def __init__(
        self, reading: Reading, register: StudyRegister, viewer: Viewer, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._reading, self._register, self._viewer = reading, register, viewer
        self.known: dict[str, ReadingPosition] = {}
        self.is_settled = False
        """Whether what the viewer shows is the reader's doing, and not that of loading."""
        for signal in (viewer.sliceChanged, viewer.windowChanged, viewer.layoutChanged):
            signal.connect(lambda _: self.note())
        viewer.panes.linked.connect(lambda _: self.note())

    def of(self, entry: WorklistEntry) -> ReadingPosition:
        """Where the reader is in a study."""
        return self.known.setdefault(entry.key, ReadingPosition())

    def last_of(self, case: Sequence[Study]) -> Study:
        """The study of a tab that was turned to last."""
        entries = {id(one): self._register.entry(one) for one in case}

        def visit(one: Study) -> int:
            entry = entries[id(one)]
            return self.of(entry).visit if entry else 0

        return max(case, key=visit)

    def enter(self) -> None:
        """The shown volume is the one that its study comes back with."""
        shown = self._reading.shown
        entry = self._register.entry(shown.study) if shown else None
        if shown is not None and entry is not None:
            position = self.of(entry)
            position.volume = volume_key(shown.series, shown.source)
            position.visit = 1 + max(one.visit for one in self.known.values())

    def note(self) -> None:
        """Keep what the viewer shows."""
        shown, state = self._reading.shown, self._viewer.state
        entry = self._register.entry(shown.study) if shown else None
        if shown is None or entry is None or not self.is_settled:
            return
        position, key = self.of(entry), volume_key(shown.series, shown.source)
        position.slices[key] = state.index
        position.windows.pop(key, None)
        if state.is_window_chosen:
            window = state.window
            position.windows[key] = replace(
                window, centre=float(window.centre), width=float(window.width)
            )
        self._note_layout(shown.study)
        self.changed.emit()

    def _note_layout(self, study: Study) -> None:
        """Files of one case are in one tab, which has one layout."""
        case = identify_case(study)
        for one in self._reading.library.studies:
            entry = self._register.entry(one)
            if entry is not None and identify_case(one) == case:
                position = self.of(entry)
                position.layout = name_layout(self._viewer.shown_layout)
                position.is_linked = self._viewer.panes.link.is_on

    def restore(self) -> None:
        """Show the study as it was left; slice and window once the volume is loaded."""
        shown = self._reading.shown
        entry = self._register.entry(shown.study) if shown else None
        if shown is None or entry is None:
            return
        position, key = self.of(entry), volume_key(shown.series, shown.source)
        was_settled, self.is_settled = self.is_settled, False
        if (layout := find_layout(position.layout)) is not None:
            self._viewer.panes.set_linked(position.is_linked)
            if layout != self._viewer.shown_layout:
                self._viewer.show_layout(layout)
        if self._viewer.state.volume is not None:
            if key in position.windows:
                self._viewer.set_window(position.windows[key])
            if key in position.slices:
                self.slice_restored.emit(position.slices[key])
        self.is_settled = was_settled
