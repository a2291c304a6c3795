"""What a mask holds: its labels with their volumes. It is no image to be judged."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from tumorviewer.desktop.services.jobs import JobQueue
from tumorviewer.desktop.widgets.controls import clear_layout, make_label
from tumorviewer.imaging.label_map import measure_labels
from tumorviewer.language import number, tr
from tumorviewer.study.types import Volume


class MaskPart(QWidget):
    """Labels and volumes of the shown mask; hidden where an image is shown."""

    def __init__(self) -> None:
        super().__init__()
        self._jobs = JobQueue(None, self)
        self._labels = QGridLayout()
        self._labels.setHorizontalSpacing(16)
        self._labels.setVerticalSpacing(4)
        self._labels.setColumnStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(make_label(tr("A mask"), "title"))
        text = tr("It holds few different values: labels of regions. It is not analysed.")
        layout.addWidget(make_label(text, "secondary"))
        layout.addLayout(self._labels)
        self.hide()

    def show_mask(self, volume: Volume | None) -> None:
        """Measure and list the labels of a mask; None where none is shown."""
        self._jobs.cancel()
        self.setVisible(volume is not None)
        clear_layout(self._labels)
        if volume is not None:
            self._jobs.start(lambda _: measure_labels(volume), partial(self._list), lambda _: None)

    def close_jobs(self) -> bool:
        """End all work; False if it does not end in time."""
        return self._jobs.close()

    def _list(self, labels: Mapping[float, float | None]) -> None:
        for row, (value, ml) in enumerate(labels.items()):
            self._labels.addWidget(make_label(tr("Label {n}", n=number(value, "g"))), row, 0)
            words = "" if ml is None else tr("{volume} ml", volume=number(ml, ".1f"))
            self._labels.addWidget(make_label(words), row, 1)
