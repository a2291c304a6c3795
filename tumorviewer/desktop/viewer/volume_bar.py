"""A slider over the volumes of a series: time points, echoes, directions."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget

from tumorviewer.language import tr


class VolumeBar(QWidget):
    """Hidden where there is only one."""

    wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._labels: Sequence[str] = ()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(tr("Volume of the series: time, echo or direction"))
        self._text = QLabel()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 0, 6, 0)
        layout.addWidget(QLabel(tr("Volume")))
        layout.addWidget(self.slider, 1)
        layout.addWidget(self._text)
        self.slider.valueChanged.connect(self._chosen)
        self.hide()

    def show_volumes(self, labels: Sequence[str], current: int) -> None:
        """Offer the volumes of a series, if there is a choice."""
        self._labels = labels
        blocker = QSignalBlocker(self.slider)
        self.slider.setRange(0, max(0, len(labels) - 1))
        self.slider.setValue(current)
        blocker.unblock()
        self._say(current)
        self.setVisible(len(labels) > 1)

    def _chosen(self, index: int) -> None:
        self._say(index)
        self.wanted.emit(index)

    def _say(self, index: int) -> None:
        if self._labels:
            label = self._labels[index]
            number = f"{index + 1} / {len(self._labels)}"
            self._text.setText(
                number if str(len(self._labels)) in label.split() else f"{number}  {label}".strip()
            )
            self.slider.setAccessibleDescription(label or number)
