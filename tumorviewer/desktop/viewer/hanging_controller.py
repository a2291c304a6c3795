"""Hangs what was opened: order, layout and window by protocol, and the series beside the shown."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from tumorviewer.desktop.services.cases import identify_case
from tumorviewer.desktop.services.reading import Reading, Shown
from tumorviewer.desktop.viewer import hanging_protocols
from tumorviewer.desktop.viewer.captions import describe_patient, describe_series
from tumorviewer.desktop.viewer.companions import Companions
from tumorviewer.desktop.viewer.layouts import FUSED
from tumorviewer.desktop.viewer.viewer import Viewer
from tumorviewer.errors import InputError
from tumorviewer.imaging.display import list_windows
from tumorviewer.language import tr
from tumorviewer.study.types import Volume, Window
from tumorviewer.study.volume_labels import translate_label


class HangingController(QObject):
    """Stands between what is open and the viewer."""

    complained = Signal(str)
    """What the reader wanted cannot be done, and why."""
    unfused = Signal()
    """Nothing is laid over any more: another study is shown."""

    def __init__(self, reading: Reading, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._reading, self._viewer = reading, viewer
        self._protocols: hanging_protocols.HangingProtocols | None = None
        self._window: Window | str | None = None
        self._is_fusing = False
        self._case: object = None
        self._fused_title = ""
        self._companions = Companions(reading.side_loader, self)
        reading.arrange = lambda studies: self._load().arranged(studies)
        reading.turned.connect(self._hang)
        viewer.layoutChanged.connect(self.show_companions)
        viewer.volume_bar.wanted.connect(reading.show_volume)
        self._companions.begun.connect(self._begun)
        self._companions.loaded.connect(self._loaded)
        self._companions.missing.connect(self._missing)

    def set_fusing(self, on: bool) -> None:
        """Lay the next series over the shown one, or take it away."""
        self._is_fusing = on
        self.show_companions()

    # Protocols

    def _load(self) -> hanging_protocols.HangingProtocols:
        if self._protocols is None:
            try:
                self._protocols = hanging_protocols.load_protocols()
            except InputError as error:
                self._protocols = hanging_protocols.load_shipped_protocols()
                self.complained.emit(
                    tr(
                        "Hanging protocols ({file}): {message}",
                        file=hanging_protocols.FILE,
                        message=error.message,
                    )
                )
        return self._protocols

    def _hang(self) -> None:
        shown = self._reading.shown
        if shown is None:
            return
        case = identify_case(shown.study)
        mates = [one for one in self._reading.library.studies if identify_case(one) == case]
        protocol = self._load().of(hanging_protocols.join_studies(mates))
        if protocol is not None:
            self._window = protocol.window
            self._viewer.show_layout(protocol.layout)
            if self._viewer.state.volume is not None and self._viewer.state.is_complete:
                self.apply_window(self._viewer.state.volume)

    def apply_window(self, volume: Volume) -> None:
        """Show a volume in the window of its protocol, once."""
        window, self._window = self._window, None
        if isinstance(window, str):
            named = (one for one in list_windows(volume) if one.name == window)
            window = next(named, None)
        if window is not None:
            self._viewer.set_window(window)

    # What is beside the shown series

    def turn_to(self, shown: Shown | None) -> None:
        """Another volume is shown, or none."""
        case = None if shown is None else identify_case(shown.study)
        if case != self._case and self._is_fusing:
            self._is_fusing = False
            self.unfused.emit()
        self._case = case
        volumes = () if shown is None else shown.series.volumes
        labels = [translate_label(volume.label) for volume in volumes]
        self._viewer.volume_bar.show_volumes(labels, 0 if shown is None else shown.volume)
        self.show_companions()

    def show_companions(self) -> None:
        """Load what the layout shows beside the shown series, and let go of the rest."""
        shown = self._reading.shown
        wanted = {*self._viewer.shown_layout.series, *([FUSED] if self._is_fusing else [])}
        numbers = tuple(sorted(wanted)) if shown is not None else ()
        self._viewer.keep_others(numbers)
        if FUSED not in numbers:
            self._viewer.show_fusion(None)
        self._companions.want(numbers, shown, self._reading.library)

    def _begun(self, number: int, shown: Shown) -> None:
        self._viewer.show_other(number, None, tr("Loading…"))
        self._viewer.panes.set_text(number, describe_patient(shown), describe_series(shown))
        if number == FUSED:
            self._fused_title = shown.series.title
            self._viewer.show_fusion(None)

    def _loaded(self, number: int, volume: Volume) -> None:
        self._viewer.show_other(number, volume)
        if number == FUSED:
            self._viewer.show_fusion(volume, self._fused_title)

    def _missing(self, number: int, reason: str) -> None:
        self._viewer.show_other(number, None, reason)
        self._viewer.panes.set_text(number, (), ())
        if number == FUSED:
            self.complained.emit(reason)
