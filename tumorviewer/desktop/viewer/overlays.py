"""What is laid over an image: the saliency maps of a finding, or a second series."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from tumorviewer.analysis.finding import Finding, Saliency
from tumorviewer.analysis.methods import METHODS
from tumorviewer.analysis.trust.map_verdict import MapCheck, failure_reasons
from tumorviewer.desktop.viewer.link import share_frame_of_reference
from tumorviewer.desktop.viewer.view_state import ViewState
from tumorviewer.imaging.colormap import colour_map
from tumorviewer.imaging.display import choose_default_window, render_pixels
from tumorviewer.language import later, number, tr
from tumorviewer.study import Volume

_FULL_STRENGTH = 0.995
_CACHED_BYTES = 64 * 2**20
NO_MAP = later("No saliency map yet.\nAsk the model to see where the evidence for its answer lies.")
NOT_EXPLAINED = later("No map yet: “Explain this slice” makes one")
NOT_JUDGED = later("No map for this slice: it was not judged")


class SaliencyView:
    """The maps of one finding at one opacity; the last few drawn slices are kept."""

    def __init__(
        self,
        finding: Finding,
        saliency: Saliency,
        opacity: float,
        checks: Mapping[int, MapCheck] = MappingProxyType({}),
    ) -> None:
        self._finding = finding
        self._saliency = saliency
        self._checks = checks
        failed = frozenset(index for index, check in checks.items() if check.verdict == "fails")
        rows, columns = saliency.shape
        kept = max(2, _CACHED_BYTES // (4 * rows * columns))
        self.image = lru_cache(maxsize=kept)(partial(_image, saliency, opacity, failed))
        self._failed = failed
        self._map = lru_cache(maxsize=1)(saliency.on_slice)

    def value_text(self, index: int, row: int, column: int) -> str:
        """The saliency under the cursor."""
        values: NDArray[np.float32] | None = self._map(index)
        if values is None:
            return tr("No map")
        return tr("Saliency {value}", value=number(values[row, column], ".2f"))

    def caption(self) -> tuple[str, ...]:
        """Lines: the method, and the class that it explains."""
        title = tr(METHODS[self._saliency.method].title)
        if self._saliency.class_agnostic:
            return (title,)
        if self._saliency.against:
            return title, self._question()
        return (f"{title}: {self._target()}",)

    def key(self) -> str:
        """What low and high mean."""
        if self._saliency.class_agnostic:
            return tr("Low → high activation, of any class")
        if self._saliency.against:
            return tr("Low → high evidence: {question}", question=self._question())
        return tr("Low → high evidence for {target}", target=self._target())

    def note(self, index: int) -> str:
        """How this slice's map was scaled, or that there is none."""
        if index not in self._saliency.slices:
            return tr("No map for this slice")
        if not self._has_evidence(index):
            return tr("No positive evidence on this slice")
        if index in self._failed:
            return tr("Greyed: the map fails its check")
        strength = float(self._saliency.strength[self._saliency.slices.index(index)])
        if strength < _FULL_STRENGTH:
            return tr("Scaled by tumour probability {strength}", strength=number(strength, ".2f"))
        return tr("Scaled to this slice's maximum")

    def absence(self, index: int) -> str:
        """Why there is nothing to see on a slice, or nothing to believe; empty if there is."""
        if index not in self._saliency.slices:
            return tr(NOT_EXPLAINED if index in self._finding.slices else NOT_JUDGED)
        if not self._has_evidence(index):
            return tr("No positive evidence for {target} on this slice", target=self._target())
        return next(iter(self._reasons(index)), "")

    def _has_evidence(self, index: int) -> bool:
        return bool(self._saliency.maps[self._saliency.slices.index(index)].any())

    def _reasons(self, index: int) -> tuple[str, ...]:
        check = self._checks.get(index)
        if check is None or check.verdict == "passes":
            return ()
        return (tr(check.nothing),) if check.nothing else failure_reasons(check)

    def _question(self) -> str:
        """The class; and the one against which it is explained."""
        against = self._saliency.against
        if not against:
            return self._target()
        other = tr(self._finding.labels.get(against, against))
        return tr("{target}, not {other}", target=self._target(), other=other)

    def _target(self) -> str:
        return tr(self._finding.labels.get(self._saliency.target, self._saliency.target))


def _image(saliency: Saliency, opacity: float, failed: frozenset[int], index: int) -> QImage | None:
    levels = saliency.levels_on_slice(index)
    if levels is None:
        return None
    pixels = colour_map(levels, opacity)
    if index in failed:
        pixels[..., :3] = pixels[..., :3].mean(axis=2, keepdims=True)
    rows, columns = levels.shape
    layout = QImage.Format.Format_ARGB32_Premultiplied
    return QImage(pixels.data, columns, rows, pixels.strides[0], layout).copy()


APART = later("Not fused: another frame of reference")


class Fusion:
    """Draws the planes of a volume in the grid of any view.

    Parameters
    ----------
    opacity
        0–1, where the volume is bright.
    """

    def __init__(self, volume: Volume, opacity: float) -> None:
        self._volume, self._opacity = volume, opacity

    def fits(self, state: ViewState) -> bool:
        """Whether equal coordinates are one place in both."""
        return state.volume is not None and share_frame_of_reference(self._volume, state.volume)

    def image(self, state: ViewState, index: int) -> QImage | None:
        """The plane of the volume that a view shows, transparent where it is dark or ends."""
        if state.stack is None or not self.fits(state) or self._volume.is_colour:
            return None
        values, outside, absent = state.stack.sample(self._volume, index)
        grey = render_pixels(self._volume, values, choose_default_window(self._volume))
        for mask in (outside, absent):
            if mask is not None:
                grey[mask] = 0
        pixels = colour_map(grey, self._opacity)
        rows, columns = grey.shape
        layout = QImage.Format.Format_ARGB32_Premultiplied
        return QImage(pixels.data, columns, rows, pixels.strides[0], layout).copy()
