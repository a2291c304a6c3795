"""Text in the pixels: looked for at the borders of a picture, where machines write names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BORDER = 0.2
"""Share of the height and the width that counts as border, at each side."""
_ROWS_OF_LETTERS = 5
"""Letters are at least so many pixels high."""
_STROKES = 6
"""A line of text has at least so many strokes side by side."""
_WIDEST_STROKE = 8
_MOST_INK = 0.3
"""Share of a border that letters cover at most; what covers more is the ground."""


def find_burned_in_text(image: NDArray[np.generic]) -> bool:
    """Whether something like letters stands at the border of a picture.

    Letters are drawn in one value, brighter or darker than most of the border, with narrow strokes
    side by side over several rows. Anatomy and noise hardly ever have one value in such a pattern.

    Parameters
    ----------
    image
        ``(rows, columns)`` or ``(rows, columns, samples)``.
    """
    grey = image if image.ndim == 2 else image.max(axis=2)
    rows, columns = (max(1, round(BORDER * side)) for side in grey.shape)
    bands = (grey[:rows], grey[-rows:], grey[:, :columns], grey[:, -columns:])
    return any(_has_letters(band) for band in bands)


def _has_letters(band: NDArray[np.generic]) -> bool:
    inks = (band == extreme for extreme in (band.max(), band.min()))
    return any(ink.mean() < _MOST_INK and _is_written(ink) for ink in inks)


def _is_written(ink: NDArray[np.bool_]) -> bool:
    edges = np.diff(np.pad(ink, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    strokes = (edges == 1).sum(axis=1)
    width = ink.sum(axis=1) / np.maximum(strokes, 1)
    is_line = (strokes >= _STROKES) & (width <= _WIDEST_STROKE)
    run = 0
    for is_set in is_line:
        run = run + 1 if is_set else 0
        if run >= _ROWS_OF_LETTERS:
            return True
    return False
