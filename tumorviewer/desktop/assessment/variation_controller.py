"""Small changes of the shown slice are tried when the reader asks for it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject

from tumorviewer.analysis.finding import Finding, Variation
from tumorviewer.analysis.messages import Done, Failed, Vary
from tumorviewer.desktop.assessment.answer import Answer
from tumorviewer.desktop.services.inference import InferenceController
from tumorviewer.errors import InputError
from tumorviewer.export.wording import describe_variation
from tumorviewer.language import tr
from tumorviewer.study.types import Volume


class VariationController(QObject):
    """Between the answer and the worker.

    Parameters
    ----------
    shown
        The volume that is shown and the index of its slice.
    """

    def __init__(
        self,
        answer: Answer,
        inference: InferenceController,
        shown: Callable[[], tuple[Volume | None, int]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._answer, self._inference, self._shown = answer, inference, shown
        self._request: int | None = None
        self._finding: Finding | None = None
        answer.variation_wanted.connect(self.ask)
        inference.overheard.connect(self._hear)

    def ask(self) -> None:
        """Have the shown slice changed."""
        volume, index = self._shown()
        self._finding = self._inference.state.finding
        if volume is None or self._finding is None:
            return
        if index not in self._finding.slices:
            self._answer.show_variation(tr("Slice {n}: not judged", n=index + 1))
            return
        try:
            model = self._inference.find_model()
        except InputError as error:
            self._answer.show_variation(error.message)
            return
        self._answer.show_variation(tr("Trying small changes…"))
        self._request = self._inference.submit(Vary(volume, model, index))

    def _hear(self, event: Done | Failed) -> None:
        if self._request is None or event.id != self._request:
            return
        finding, self._request = self._inference.state.finding, None
        if self._finding is None or finding is None:
            return
        if finding.probabilities is not self._finding.probabilities:
            return
        if isinstance(event, Failed):
            self._answer.show_variation(event.message)
        elif isinstance(event.result, Variation):
            slice_words = tr("Slice {n}", n=event.result.slice + 1)
            prefix = f"{slice_words}: " if len(finding.slices) > 1 else ""
            self._answer.show_variation(prefix + describe_variation(finding, event.result))
