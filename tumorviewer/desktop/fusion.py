"""A second series laid over the shown one, in colour, where both are in the patient."""

from __future__ import annotations

from PySide6.QtGui import QImage

from tumorviewer.desktop.link import share_frame
from tumorviewer.desktop.view_state import ViewState
from tumorviewer.imaging.colormap import colour_map
from tumorviewer.imaging.display import choose_default_window, render_pixels
from tumorviewer.language import later
from tumorviewer.study import Volume

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
        return state.volume is not None and share_frame(self._volume, state.volume)

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
