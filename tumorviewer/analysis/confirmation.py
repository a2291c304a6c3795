"""Is what one plane shows there in the other two as well?

A segmenter that sees single slices takes a vessel or a fold for a tumour where the slice runs along
it; across, it shows what it is. So a candidate of a thinly sliced volume is looked at once more in
the planes along the volume's other two axes.

Shapes: D slices, S side of the network's input; the volume's in-plane axes are those of the squares
that the network sees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_UPRIGHT = 0.7
"""Share of a step that goes up or down the patient in a section that is not axial."""
_APART = 2
"""Pixels between the three sections along each axis."""

Levels = NDArray[np.uint8]
Ask = Callable[[Levels], NDArray[np.float32]]
"""Squares ``(N, S, S)`` to probabilities of tumour ``(N, S, S)``."""


def look_across(
    squares_DSS: Levels,
    inside_DSS: NDArray[np.bool_],
    directions: NDArray[np.float64],
    ask: Ask,
) -> list[float]:
    """Mean probability of tumour within a candidate's sections along the second and third axis.

    Parameters
    ----------
    squares_DSS
        Grey levels as the network sees them.
    directions
        ``(3, 3)`` columns: the step along slices, rows and columns of the squares, LPS+ mm.
    ask
        The network.
    """
    found = []
    for axis in (1, 2):
        upright = _Upright.of(directions[:, 0], directions[:, 3 - axis])
        places = _sections(inside_DSS, axis)
        side = squares_DSS.shape[-1]
        images = [upright.cut(np.take(squares_DSS, at, axis), side) for at in places]
        masks = [upright.cut(np.take(inside_DSS, at, axis) * np.uint8(255), side) for at in places]
        inside = np.stack(masks) > 127
        if inside.any():
            found.append(float(ask(np.stack(images))[inside].mean()))
    return found


def _sections(inside_DSS: NDArray[np.bool_], axis: int) -> list[int]:
    """Where a candidate is largest, and a little to both sides."""
    areas = inside_DSS.sum(tuple({0, 1, 2} - {axis}))
    middle = int(areas.argmax())
    at = {min(max(middle + offset, 0), len(areas) - 1) for offset in (-_APART, 0, _APART)}
    return sorted(one for one in at if areas[one])


class _Upright(NamedTuple):
    """How a section is laid so that the head is up, or in an axial one the face."""

    swaps: bool
    flips: bool
    row: float
    """Between rows of what is laid, mm."""
    column: float

    @classmethod
    def of(cls, down: NDArray[np.float64], right: NDArray[np.float64]) -> _Upright:
        """From the steps along a section's first and second axis, LPS+ mm."""
        lengths = float(np.linalg.norm(down)), float(np.linalg.norm(right))
        is_axial = max(abs(down[2]) / lengths[0], abs(right[2]) / lengths[1]) < _UPRIGHT
        axis = 1 if is_axial else 2
        swaps = bool(abs(right[axis]) > abs(down[axis]))
        if swaps:
            down, lengths = right, lengths[::-1]
        flips = bool(down[axis] < 0 if is_axial else down[axis] > 0)
        return cls(swaps, flips, *lengths)

    def cut(self, section: Levels, side: int) -> Levels:
        """The section laid with square pixels in a square of ``side``, black around it."""
        laid = section.T if self.swaps else section
        laid = laid[::-1] if self.flips else laid
        high, wide = laid.shape[0] * self.row, laid.shape[1] * self.column
        scale = side / max(high, wide)
        size = max(1, round(wide * scale)), max(1, round(high * scale))
        image = Image.fromarray(np.ascontiguousarray(laid))
        square = np.zeros((side, side), np.uint8)
        top, left = (side - size[1]) // 2, (side - size[0]) // 2
        resized = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
        square[top : top + size[1], left : left + size[0]] = resized
        return square
