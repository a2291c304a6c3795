"""The image and its saliency map side by side, with the controls that belong to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSlider,
    QToolButton,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from tumorviewer.analysis.trust.map_verdict import MapCheck
from tumorviewer.desktop.services.reading import Snapshot
from tumorviewer.desktop.viewer.cine import Cine
from tumorviewer.desktop.viewer.colour_bar import ColourBar
from tumorviewer.desktop.viewer.gestures import HINTS
from tumorviewer.desktop.viewer.layouts import IMAGE, SIDE_BY_SIDE, Layout
from tumorviewer.desktop.viewer.overlays import APART, NO_MAP, Fusion, SaliencyView
from tumorviewer.desktop.viewer.panes import Panes
from tumorviewer.desktop.viewer.slice_bar import SliceBar
from tumorviewer.desktop.viewer.view_state import ViewState
from tumorviewer.desktop.viewer.viewport import Viewport, no_overlay, no_remark
from tumorviewer.desktop.viewer.volume_bar import VolumeBar
from tumorviewer.desktop.widgets.controls import ComboBox
from tumorviewer.imaging.display import list_windows
from tumorviewer.language import later, percent, tr
from tumorviewer.study import Volume, Window

NO_VOLUME = later("Waiting for the first slice…")


class Viewer(QWidget):
    """Shows a volume with, if there is one, a model's finding.

    A volume may still be loading: ``show_volume(volume, complete=False)``, ``slice_filled(k)`` for
    each slice that has been read, and at the end ``show_volume(volume)`` once more; slice, window
    and place stay as long as the array is the same.
    """

    sliceChanged = Signal(int)  # noqa: N815 - Qt's own style
    windowChanged = Signal(Window)  # noqa: N815 - Qt's own style
    layoutChanged = Signal(Layout)  # noqa: N815 - Qt's own style

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.panes = Panes(self)
        self.state = self.panes.first
        self.image = self.panes.image
        self.map = self.panes.map
        self.cine = Cine(self)
        self.slice_bar = SliceBar(self)
        self.volume_bar = VolumeBar(self)
        self.colour_bar = ColourBar(self)
        self._window_box = ComboBox(self)
        self._map_row = QWidget(self)
        self._opacity = QSlider(Qt.Orientation.Horizontal, self)
        self._opacity_text = QLabel(self)
        self.shown_layout = SIDE_BY_SIDE
        self._layout_with_map = SIDE_BY_SIDE
        self._snapshot = Snapshot()
        self._fused: Volume | None = None
        self._fused_line = ""
        self._saliency: SaliencyView | None = None
        self._checks: Mapping[int, MapCheck] = {}
        self._patient_lines: Sequence[str] = ()
        self._series_lines: Sequence[str] = ()
        self._presets: tuple[Window, ...] = ()
        self._map_message = tr(NO_MAP)
        self._build()
        self._connect()
        self.show_volume(None)

    # What is shown

    def show_volume(self, volume: Volume | None, *, complete: bool = True) -> None:
        """Show a volume; with None, that one is awaited, and no text of the one before."""
        if volume is None:
            self._patient_lines = self._series_lines = ()
            self.cine.stop()
        same = volume is not None and self.state.volume is not None
        if not (same and volume.array is self.state.volume.array):  # type: ignore[union-attr]
            self.show_snapshot(Snapshot())
        self.image.message = tr(NO_VOLUME) if volume is None else ""
        count = 0 if volume is None else len(volume.array)
        self.slice_bar.set_count(count)
        self.slice_bar.setVisible(count > 1)
        self._caption()
        self.panes.show_volume(0, volume, complete)
        self._fill_presets()

    def slice_filled(self, index: int) -> None:
        """A slice of the volume, which is still loading, has been read."""
        self.panes.fill(index)

    def show_other(self, number: int, volume: Volume | None, message: str = "") -> None:
        """Show a volume, or words in its place, as one of the layout's further series."""
        self.panes.set_message(number, message)
        self.panes.show_volume(number, volume)

    def keep_others(self, numbers: Sequence[int]) -> None:
        """Let go of the volumes of all further series but these."""
        for number in self.panes.further_series():
            if number not in numbers:
                self.panes.show_volume(number, None)

    def show_fusion(self, volume: Volume | None, title: str = "") -> None:
        """Lay another series over the shown one; None takes it away."""
        self._fused = volume
        self._fused_line = tr("In colour: {title}", title=title) if volume is not None else ""
        self._caption()
        self._draw_saliency()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show the model's finding of the volume, if there is one, in the image and beside it."""
        self._snapshot = snapshot
        self.slice_bar.show_snapshot(snapshot)
        self._draw_saliency()

    def show_checks(self, checks: Mapping[int, MapCheck]) -> None:
        """What is known of the maps of some slices; those that fail are drawn grey."""
        if checks != self._checks:
            self._checks = dict(checks)
            self._draw_saliency()

    @property
    def has_map(self) -> bool:
        """Whether the model's maps are drawn."""
        return self._saliency is not None

    def set_patient_text(self, lines: Sequence[str]) -> None:
        """Lines for the top left corner, which :meth:`toggle_patient_text` hides."""
        self._patient_lines = lines
        self._caption()

    def set_series_text(self, lines: Sequence[str]) -> None:
        """Lines for the top right corner, before the volume's label and plane."""
        self._series_lines = tuple(lines)
        self._caption()

    def set_map_message(self, text: str) -> None:
        """What the map's pane says while there is no map: that it is being computed, or why it
        could not be; empty for the usual invitation."""
        self._map_message = text or tr(NO_MAP)
        self._draw_saliency()

    # Actions

    def show_layout(self, layout: Layout) -> None:
        """Put image, map, other planes and other series side by side."""
        if layout.has_map:
            self._layout_with_map = layout
        if layout != self.shown_layout:
            self.shown_layout = layout
            self.panes.show_layout(layout)
            self.layoutChanged.emit(layout)
        self._draw_saliency()

    def toggle_map(self) -> None:
        """Hide the map, or show it as it was shown before."""
        self.show_layout(IMAGE if self.shown_layout.has_map else self._layout_with_map)

    def set_opacity(self, opacity: float) -> None:
        """0–1."""
        self._opacity.setValue(round(opacity * 100))

    def opacity(self) -> float:
        return float(self._opacity.value()) / 100

    def slice(self) -> int:
        return self.state.index

    def set_slice(self, index: int) -> None:
        self.state.set_slice(index)

    def next_slice(self) -> None:
        self.panes.active.state.step(1)

    def previous_slice(self) -> None:
        self.panes.active.state.step(-1)

    def set_window(self, window: Window) -> None:
        self.state.set_window(window)

    def windows(self) -> tuple[Window, ...]:
        """The presets for this volume."""
        return self._presets

    def reset_view(self) -> None:
        """Fit the image and take the default window."""
        self.panes.each(ViewState.reset_place)
        self.panes.each(ViewState.reset_window)
        self.panes.each(ViewState.set_upright)

    def toggle_patient_text(self) -> None:
        shown = not self.state.patient_text_shown
        self.panes.each(lambda state: state.set_patient_text_shown(shown))

    # Parts

    def _build(self) -> None:
        self._window_box.setAccessibleName(tr("Window preset"))
        self._window_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.panes, 1)
        layout.addWidget(self.slice_bar)
        layout.addWidget(self.volume_bar)
        layout.addLayout(self._control_row())

    def _control_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(6, 0, 6, 4)
        row.addWidget(self._label(tr("Window"), self._window_box))
        row.addWidget(self._window_box)
        row.addSpacing(12)
        row.addWidget(self._map_controls(), 1)
        row.addStretch(0)
        row.addWidget(self._help_button())
        return row

    def _map_controls(self) -> QWidget:
        row = QHBoxLayout(self._map_row)
        row.setContentsMargins(0, 0, 0, 0)
        self._opacity.setAccessibleName(tr("Map opacity"))
        self._opacity.setRange(0, 100)
        self._opacity.setPageStep(10)
        self._opacity.setValue(60)
        self._opacity.setMinimumWidth(70)
        row.addWidget(self._label(tr("Opacity"), self._opacity))
        row.addWidget(self._opacity, 1)
        self._opacity_text.setFixedWidth(
            self._opacity_text.fontMetrics().horizontalAdvance("100 % ")
        )
        row.addWidget(self._opacity_text)
        row.addSpacing(12)
        row.addWidget(self.colour_bar, 3)
        return self._map_row

    def _label(self, text: str, buddy: QWidget) -> QLabel:
        label = QLabel(text, self)
        label.setBuddy(buddy)
        return label

    def _help_button(self) -> QToolButton:
        button = QToolButton(self)
        button.setText("?")
        button.setToolTip("\n".join(map(tr, HINTS)))
        button.setAccessibleName(tr("Mouse and keys"))
        button.setAccessibleDescription("\n".join(map(tr, HINTS)))
        button.clicked.connect(
            lambda: QToolTip.showText(button.mapToGlobal(button.rect().center()), button.toolTip())
        )
        return button

    def _connect(self) -> None:
        self.state.slice_changed.connect(self._on_slice)
        self.state.window_changed.connect(self._on_window)
        self.slice_bar.valueChanged.connect(self.state.set_slice)
        self._window_box.activated.connect(lambda at: self.set_window(self._presets[at]))
        self._opacity.valueChanged.connect(self._draw_saliency)

    def _on_slice(self, index: int) -> None:
        self.slice_bar.setValue(index)
        self._describe_map()
        self.sliceChanged.emit(index)

    def _on_window(self, window: Window) -> None:
        at = self._presets.index(window) if window in self._presets else -1
        self._window_box.setPlaceholderText(tr("Own window") if self._presets else "")
        self._window_box.setCurrentIndex(at)
        self.windowChanged.emit(window)

    def _fill_presets(self) -> None:
        volume = self.state.volume
        known = volume is not None and self.state.is_complete
        self._presets = list_windows(volume) if volume is not None and known else ()
        self._window_box.clear()
        self._window_box.addItems([tr(window.name) for window in self._presets])
        self._window_box.setEnabled(bool(self._presets))
        self._on_window(self.state.window)

    def _caption(self) -> None:
        lines = (*self._series_lines, *filter(None, (self._fused_line,)))
        self.panes.set_text(0, self._patient_lines, lines)

    def _draw_saliency(self) -> None:
        """Make layout, finding and opacity visible."""
        finding = self._snapshot.finding
        saliency = None if finding is None else finding.saliency
        view = None
        if finding is not None and saliency is not None:
            view = SaliencyView(finding, saliency, self.opacity(), self._checks)
        self._saliency = view
        self._opacity_text.setText(percent(self._opacity.value() / 100))
        self._map_row.setVisible(self.shown_layout.has_map or self._fused is not None)
        self._map_row.setEnabled(view is not None or self._fused is not None)
        self.map.message = "" if view is not None else self._map_message
        self.map.title_lines = () if view is None else view.caption()
        self.map.value_text = self.map.intensity_text if view is None else view.value_text
        _lay_over(self.map, view)
        for viewport in self.panes.of_series(0):
            self._lay_fusion(viewport)
        if view is not None and self.shown_layout.is_blended:
            _lay_over(self.image, view)
        self._describe_map()

    def _lay_fusion(self, viewport: Viewport) -> None:
        fusion = None if self._fused is None else Fusion(self._fused, self.opacity())
        viewport.overlay, viewport.remark = no_overlay, no_remark
        if fusion is not None:
            state = viewport.state
            viewport.overlay = partial(fusion.image, state)
            viewport.remark = lambda _index: "" if fusion.fits(state) else tr(APART)
        viewport.refresh()

    def _describe_map(self) -> None:
        if self._saliency is None:
            self.colour_bar.set_text(tr("No saliency map"))
            return
        self.colour_bar.set_text(self._saliency.key(), self._saliency.note(self.state.index))


def _lay_over(viewport: Viewport, view: SaliencyView | None) -> None:
    viewport.overlay = no_overlay if view is None else view.image
    viewport.remark = no_remark if view is None else view.absence
    viewport.refresh()
