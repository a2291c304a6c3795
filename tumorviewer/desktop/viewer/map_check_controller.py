"""The map that the reader rests on is checked by itself, and what came out is shown with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer

from tumorviewer.analysis.messages import CheckMap, Done, Failed
from tumorviewer.analysis.trust.map_verdict import MapCheck
from tumorviewer.desktop.services.inference import (
    InferenceController,
    InferencePhase,
    InferenceState,
)
from tumorviewer.desktop.viewer.map_controls import MapControls
from tumorviewer.desktop.viewer.viewer import Viewer
from tumorviewer.errors import InputError
from tumorviewer.models import ModelCard, bundle
from tumorviewer.study.types import Volume

REST_MS = 500
"""A slice that is shown so long is looked at."""


@dataclass(frozen=True)
class _Map:
    """Which map is checked, of one volume and model."""

    method: str
    target: str
    against: str
    index: int


class MapCheckController(QObject):
    """Asks the worker about the map of the shown slice, while nothing else is being computed."""

    def __init__(
        self,
        inference: InferenceController,
        viewer: Viewer,
        controls: MapControls,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._inference, self._viewer, self._controls = inference, viewer, controls
        self._known: dict[_Map, MapCheck] = {}
        self._of: tuple[Volume | None, str] = (None, "")
        self._asked: tuple[int, _Map] | None = None
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._ask)
        inference.overheard.connect(self._hear)
        viewer.sliceChanged.connect(lambda _: self.rest())

    def follow(self, state: InferenceState) -> None:
        """Something is new of the model's answer."""
        sha256 = state.finding.model.sha256 if state.finding else ""
        if self._of[0] is not self._inference.volume or self._of[1] != sha256:
            self._of = self._inference.volume, sha256
            self._known.clear()
            self._controls.show_model(self._card(sha256))
        self.rest()

    def _card(self, sha256: str) -> ModelCard | None:
        """That of the model that answered, if it is still in use."""
        try:
            card = bundle.read_card(self._inference.find_model())
        except InputError:
            return None
        return card if card.weights.sha256 == sha256 else None

    def rest(self) -> None:
        """What is shown may be looked at from now on."""
        self._withdraw()
        self._show()
        shown = self._shown()
        if shown is not None and shown not in self._known:
            self._timer.start(REST_MS)

    def _shown(self) -> _Map | None:
        state, index = self._inference.state, self._viewer.slice()
        saliency = state.finding.saliency if state.finding else None
        if (
            state.phase is InferencePhase.WORKING
            or saliency is None
            or index not in saliency.slices
        ):
            return None
        return _Map(saliency.method, saliency.target, saliency.against, index)

    def _ask(self) -> None:
        shown, volume = self._shown(), self._inference.volume
        if shown is None or volume is None or not self._viewer.has_map:
            return
        try:
            model: Path = self._inference.find_model()
        except InputError:
            return
        request = CheckMap(volume, model, shown.method, shown.target, shown.index, shown.against)
        self._controls.show_check(None, is_running=True)
        self._asked = self._inference.submit(request), shown

    def _withdraw(self) -> None:
        self._timer.stop()
        if self._asked is not None:
            identifier, self._asked = self._asked[0], None
            self._inference.withdraw(identifier)

    def _hear(self, event: Done | Failed) -> None:
        if self._asked is None or event.id != self._asked[0]:
            return
        _, checked = self._asked
        self._asked = None
        if isinstance(event, Done) and isinstance(event.result, MapCheck):
            self._known[checked] = event.result
        self._show()

    def _show(self) -> None:
        shown = self._shown()
        self._controls.show_check(self._known.get(shown) if shown else None)
        saliency = self._inference.state.finding and self._inference.state.finding.saliency
        of_this = (saliency.method, saliency.target, saliency.against) if saliency else ()
        self._viewer.show_checks(
            {
                one.index: check
                for one, check in self._known.items()
                if (one.method, one.target, one.against) == of_this
            }
        )
