"""Small changes of the shown slice are tried when the reader asks for it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from tumorviewer.analysis.finding import Variation
from tumorviewer.analysis.messages import Done, Failed, Vary
from tumorviewer.desktop.assessment.answer import Answer
from tumorviewer.desktop.services.reading import Reading
from tumorviewer.errors import InputError
from tumorviewer.export.wording import describe_variation
from tumorviewer.language import tr


class VariationController(QObject):
    """Between the answer and the worker."""

    def __init__(self, answer: Answer, reading: Reading, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._answer, self._reading, self._inference = answer, reading, reading.inference
        self._request: int | None = None
        self._asked: NDArray[np.float64] | None = None
        """The probabilities of the answer that was asked about."""
        answer.variation_wanted.connect(self.ask)
        self._inference.overheard.connect(self._hear)

    def ask(self) -> None:
        """Have the shown slice changed."""
        asked = self._reading.snapshot
        if asked.volume is None or asked.finding is None:
            return
        self._asked = asked.finding.probabilities
        if asked.slice not in asked.finding.slices:
            self._answer.show_variation(tr("Slice {n}: not judged", n=asked.slice + 1))
            return
        try:
            model = self._inference.find_model()
        except InputError as error:
            self._answer.show_variation(error.message)
            return
        self._answer.show_variation(tr("Trying small changes…"))
        self._request = self._inference.submit(Vary(asked.volume, model, asked.slice))

    def _hear(self, event: Done | Failed) -> None:
        if self._request is None or event.id != self._request:
            return
        self._request = None
        finding = self._reading.snapshot.finding
        if finding is None or finding.probabilities is not self._asked:
            return
        if isinstance(event, Failed):
            self._answer.show_variation(event.message)
        elif isinstance(event.result, Variation):
            self._answer.show_variation(describe_variation(finding, event.result))
