"""Shows what archives hold for the series that is read: outlines on it, reports beside it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QVBoxLayout, QWidget

from tumorviewer.desktop.hospital.returned_results import ReturnedResults, read_results
from tumorviewer.desktop.outlines.outline_layer import OutlineLayer
from tumorviewer.desktop.services.jobs import JobQueue
from tumorviewer.desktop.services.reading import Reading
from tumorviewer.desktop.services.verdict_controller import VerdictController
from tumorviewer.desktop.widgets.controls import clear_layout, make_heading, make_label
from tumorviewer.language import tr
from tumorviewer.study.types import Opened, Volume

_GROUP = "archive"


class ReturnedPart(QWidget):
    """What reports of archives say of the study."""

    def __init__(self) -> None:
        super().__init__()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(12, 8, 12, 8)
        self._column.setSpacing(4)
        self.hide()

    def show_lines(self, lines: tuple[str, ...]) -> None:
        """One below the other; nothing at all without any."""
        clear_layout(self._column)
        if lines:
            self._column.addWidget(make_heading(tr("Found in the archive")))
        for line in lines:
            self._column.addWidget(make_label(line, "small"))
        self.setVisible(bool(lines))


class ReturnedController(QObject):
    """Reads the objects without pictures that were opened with a study, once its series is loaded.

    Parameters
    ----------
    layer
        Draws the outlines.
    verdicts
        While it withholds the model's answer, results of archives are withheld too.
    """

    def __init__(
        self,
        reading: Reading,
        layer: OutlineLayer,
        verdicts: VerdictController,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._reading, self._layer, self._verdicts = reading, layer, verdicts
        self._jobs = JobQueue(parent=self)
        self._paths: dict[Path, None] = {}
        self._results = ReturnedResults()
        self.part = ReturnedPart()
        reading.opened.connect(self._keep)
        reading.volume_loaded.connect(lambda _: self._look())
        reading.shown_changed.connect(lambda _: self._turn())
        verdicts.changed.connect(lambda _: self._show())

    def close(self) -> bool:
        """End all work; False if it does not end in time."""
        return self._jobs.close()

    def _keep(self, _: tuple[Path, ...], opened: Opened) -> None:
        found = [Path(one.source) for one in opened.refused if not one.is_error]
        if found:
            self._paths |= dict.fromkeys(found)
            self._look()

    def _turn(self) -> None:
        self._jobs.cancel()
        self._results = ReturnedResults()
        self._show()

    def _look(self) -> None:
        shown, volume = self._reading.shown, self._reading.snapshot.volume
        if shown is None or volume is None or not self._paths:
            return
        self._jobs.cancel()
        paths, reader = tuple(self._paths), shown.source
        done = partial(self._take, volume)
        self._jobs.start(lambda job: read_results(paths, reader, job.check), done, _ignore)

    def _take(self, volume: Volume, results: ReturnedResults) -> None:
        if self._reading.snapshot.volume is volume:
            self._results = results
            self._show()

    def _show(self) -> None:
        volume = self._reading.snapshot.volume
        results = ReturnedResults() if self._verdicts.withholds else self._results
        self._layer.show_outlines(volume, results.outlines, _GROUP)
        self.part.show_lines(results.reports)


def _ignore(_: object) -> None:
    """The series has changed or gone, which is said where its images are."""
