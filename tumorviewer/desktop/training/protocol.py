"""The choice between one split and a cross-validation."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from tumorviewer.desktop import labels
from tumorviewer.desktop.labels import label
from tumorviewer.desktop.training.parts import facts
from tumorviewer.desktop.training.shelf import Protocol
from tumorviewer.language import later, tr

_WORDS = {
    Protocol.SPLIT: (
        later("One split: a part is kept back"),
        later("One model is trained. It can be compared with the model in use, and promoted."),
    ),
    Protocol.FOLDS: (
        later("Cross-validation: each grouped fold is kept back once"),
        later("A network is trained for each fold and judged on it, so that every item is judged "
              "once: the surer judgement of these settings. It leaves no single model; only that "
              "of a run with one split can be compared and promoted."),
    ),
}  # fmt: skip


class ProtocolChoice(QWidget):
    """How a run is judged, with what that means."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.box, self._meaning = labels.Choice(), label("", "small")
        self.box.setMaximumWidth(520)
        self.box.addItems([tr(title) for title, _ in _WORDS.values()])
        self.box.currentIndexChanged.connect(self._turn)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(facts((tr("Judged by"), self.box)))
        column.addWidget(self._meaning)
        self._turn()

    def value(self) -> Protocol:
        return list(_WORDS)[self.box.currentIndex()]

    def set_value(self, protocol: Protocol) -> None:
        self.box.setCurrentIndex(list(_WORDS).index(protocol))

    def _turn(self) -> None:
        meaning = tr(_WORDS[self.value()][1])
        self._meaning.setText(meaning)
        self.box.setAccessibleDescription(meaning)
        self.changed.emit()
