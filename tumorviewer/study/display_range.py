"""Whether a window that a file states shows what is in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorviewer.language import later
from tumorviewer.study.notes import make_note
from tumorviewer.study.types import Volume, Window

_SAMPLES = 2**18
_MOST_WHITE = 0.85
"""Share of the object's pixels that a window may show as plain white …"""
_MOST_BLACK = 0.9
"""… or as plain black."""


def sample_values(pixels: NDArray[Any], padding: tuple[float, float] | None) -> NDArray[Any]:
    """Finite values, but padding, of at most about a quarter of a million pixels, evenly spread
    over rows and columns."""
    step = max(1, int(np.ceil(np.sqrt(pixels.size / _SAMPLES))))
    sample = pixels[..., ::step, ::step]
    keep = np.isfinite(sample)
    if padding is not None:
        keep &= (sample < padding[0]) | (sample > padding[1])
    finite: NDArray[Any] = sample[keep]
    return finite


def shows_object(low: float, high: float, sample: NDArray[Any], units: str = "") -> bool:
    """Whether a window lets the object be seen: the pixels that are brighter than the mean.

    Parameters
    ----------
    low, high
        Ends of the window, in the values' own units.
    sample
        Values of an image.
    units
        Of the values. Hounsfield units mean the same in every file, so that a window in them is
        meant even where it shows little.
    """
    if not sample.size or sample.min() == sample.max():
        return True
    if units == "HU":
        return bool(sample.max() > low and sample.min() < high)
    values = sample.astype(np.float64)
    with np.errstate(over="ignore"):
        threshold = values.mean() if np.isfinite(values.mean()) else np.median(values)
    bright = values[values >= threshold]
    white = np.count_nonzero(bright > high) / bright.size
    black = np.count_nonzero(bright < low) / bright.size
    return bool(white <= _MOST_WHITE and black <= _MOST_BLACK)


def is_shown(window: Window, sample: NDArray[Any], units: str) -> bool:
    """As :func:`shows_object`, of a window that may be unusable."""
    if not np.isfinite([window.centre, window.width]).all() or window.width <= 0:
        return False
    low, high = window.centre - window.width / 2, window.centre + window.width / 2
    return shows_object(low, high, sample, units)


def note_ignored_range(volume: Volume) -> Volume:
    """A loaded volume that says so if the first window of its file is not what it is shown with."""
    if volume.is_colour or not volume.windows:
        return volume
    sample = sample_values(volume.array, volume.padding)
    if is_shown(volume.windows[0], sample, volume.units):
        return volume
    text = later(
        "The display range in the file shows most of the image as white or black: ignored."
    )
    note = make_note("display_range_ignored", text)
    return replace(volume, notes=(*volume.notes, note))
