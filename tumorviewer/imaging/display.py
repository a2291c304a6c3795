"""Intensities to grey levels: the picture that is on the screen and that the model sees.

Shapes: ``_HW`` is (rows, columns) of one slice.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorviewer.language import later, tr
from tumorviewer.study.display_range import is_shown, sample_values
from tumorviewer.study.types import Placement, Volume, Window

IDENTITY = Window(128.0, 256.0, later("Full range"))
"""Leaves 8-bit values as they are."""
DEFAULT = later("Default")
TABLE = "TABLE"
"""``Window.function`` of the file's own VOI LUT: centre and width only describe its range."""
CT_PRESETS = (
    Window(40.0, 80.0, later("Brain")),
    Window(32.0, 8.0, later("Stroke (narrow)")),
    Window(40.0, 40.0, later("Stroke (wide)")),
    Window(75.0, 215.0, later("Subdural")),
    Window(600.0, 2800.0, later("Bone")),
    Window(40.0, 400.0, later("Soft tissue")),
)

_defaults: WeakKeyDictionary[Volume, Window] = WeakKeyDictionary()


def choose_default_window(volume: Volume) -> Window:
    """The window that a volume is first shown with, and that the model always sees it with.

    The file's first window that shows anything, else its VOI LUT, else 0–255 for 8-bit pictures,
    else the 0.5–99.5 percentiles of the volume's finite foreground. Remembered for as long as the
    volume lives, so it must be complete: see :func:`choose_provisional_window`.
    """
    if volume not in _defaults:
        _defaults[volume] = _choose(volume, volume.array)
    return _defaults[volume]


def choose_provisional_window(volume: Volume, index: int) -> Window:
    """As :func:`choose_default_window`, from one slice: for a volume that is still loading."""
    return _choose(volume, volume.array[index])


def list_windows(volume: Volume) -> tuple[Window, ...]:
    """Windows to choose from, the default first; CT windows where the units are HU."""
    default = choose_default_window(volume)
    stated = [
        replace(window, name=window.name or tr("From file {n}", n=number))
        for number, window in enumerate(volume.windows, 1)
        if _is_usable(window)
    ]
    narrow = Window(default.centre, default.width / 2, later("Narrow"))
    usual = CT_PRESETS if volume.units == "HU" else (find_full_range(volume), narrow)
    distinct: dict[tuple[float, float, str], Window] = {}
    named = replace(default, name=default.name or tr("From the file"))
    for window in (named, *stated, *usual):
        distinct.setdefault((window.centre, window.width, window.function), window)
    return tuple(distinct.values())


def find_full_range(volume: Volume) -> Window:
    """The window from the least to the greatest finite value."""
    if volume.array.dtype == np.uint8:
        return IDENTITY
    array = volume.array
    low, high = array.min(), array.max()
    if not np.isfinite([low, high]).all():
        finite = np.isfinite(array)
        if not finite.any():
            return IDENTITY
        low = np.min(array, where=finite, initial=np.inf)
        high = np.max(array, where=finite, initial=-np.inf)
    return _between(float(low), float(high), later("Full range"))


def grey(volume: Volume, index: int) -> NDArray[np.uint8]:
    """One slice at the default window; colour becomes luminance (ITU-R BT.601, as Pillow has it).

    Returns
    -------
    ndarray
        ``(rows, columns)`` uint8 in the orientation of ``volume.array[index]``.
    """
    picture = render_slice(volume, index, choose_default_window(volume))
    if not volume.is_colour:
        return picture
    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).convert("L"))


def render_slice(volume: Volume, index: int, window: Window) -> NDArray[np.uint8]:
    """One slice at a window, ``(rows, columns)`` or ``(rows, columns, 3)`` RGB."""
    return render_pixels(volume, volume.array[index], window)


def render_pixels(volume: Volume, pixels: NDArray[Any], window: Window) -> NDArray[np.uint8]:
    """Some pixels of a volume at a window, in their own shape.

    Inversion, VOI LUT and pixel padding (PS3.3 C.7.5.1.1.2: black) are the volume's own.
    """
    picture = map_to_grey(pixels, window, inverted=volume.inverted, voi_lut=volume.voi_lut)
    if volume.padding is not None:
        low, high = volume.padding
        picture[(pixels >= low) & (pixels <= high)] = 0
    return picture


def map_to_grey(
    pixels: NDArray[Any],
    window: Window,
    *,
    inverted: bool = False,
    voi_lut: tuple[float, NDArray[Any]] | None = None,
) -> NDArray[np.uint8]:
    """Map intensities to grey levels (PS3.3 C.11.2.1), rounded to the nearest.

    Parameters
    ----------
    pixels
        Any shape and numeric type; up to 16-bit integers go through a lookup table.
    window
        ``LINEAR``, ``LINEAR_EXACT``, ``SIGMOID``, or ``TABLE`` to use ``voi_lut``. ``LINEAR``
        narrower than one unit, which the standard forbids, is taken as ``LINEAR_EXACT``.
    inverted
        MONOCHROME1: low values are white.
    voi_lut
        First mapped value, and table scaled to 0–255; values outside take its ends.

    Returns
    -------
    ndarray
        uint8 of the same shape. NaN is black, +inf the upper end and -inf the lower end.
    """
    if window.function != TABLE:
        voi_lut = None
    if pixels.dtype.kind not in "iu" or pixels.itemsize > 2 or not pixels.dtype.isnative:
        return _map(pixels, window, inverted, voi_lut)
    name = pixels.dtype.name
    table = (
        _cached_table(name, window, inverted)
        if voi_lut is None
        else _map(_every_value(name), window, inverted, voi_lut)
    )
    unsigned = pixels.view(f"u{pixels.itemsize}")
    return np.take(table, unsigned, mode="clip")


def _every_value(dtype: str) -> NDArray[Any]:
    bits = np.iinfo(dtype).bits
    return np.arange(2**bits, dtype=f"u{bits // 8}").view(dtype)


@lru_cache(maxsize=8)
def _cached_table(dtype: str, window: Window, inverted: bool) -> NDArray[np.uint8]:
    return _map(_every_value(dtype), window, inverted, None)


def _map(
    pixels: NDArray[Any],
    window: Window,
    inverted: bool,
    voi_lut: tuple[float, NDArray[Any]] | None,
) -> NDArray[np.uint8]:
    values = np.asarray(pixels, np.float64)
    with np.errstate(over="ignore"):
        levels = _window(values, window) if voi_lut is None else _look_up(values, *voi_lut)
    np.clip(levels, 0, 255, out=levels)
    if inverted:
        np.subtract(255, levels, out=levels)
    if _is_float(pixels):
        levels[np.isnan(values)] = 0
    levels += 0.5
    return levels.astype(np.uint8)


def _window(values: NDArray[np.float64], window: Window) -> NDArray[np.float64]:
    centre, width = window.centre, window.width
    if window.function == "SIGMOID":
        levels: NDArray[np.float64] = 255 / (1 + np.exp(-4 * (values - centre) / width))
        return levels
    if window.function == "LINEAR" and width >= 1:
        centre, width = centre - 0.5, width - 1
    low = centre - width / 2
    if not width:
        return np.where(values > low, 255.0, np.where(np.isnan(values), np.nan, 0.0))
    levels = values - low
    levels /= width
    levels *= 255
    return levels


def _look_up(values: NDArray[np.float64], first: float, table: NDArray[Any]) -> NDArray[np.float64]:
    at = np.nan_to_num(values - first, nan=0.0)
    np.clip(np.rint(at, out=at), 0, len(table) - 1, out=at)
    return np.asarray(table, np.float64)[at.astype(np.intp)]


def _choose(volume: Volume, pixels: NDArray[Any]) -> Window:
    if volume.is_colour:
        return replace(IDENTITY, name=DEFAULT)
    sample = sample_values(pixels, volume.padding)
    for window in volume.windows:
        if is_shown(window, sample, volume.units):
            return replace(window, name=window.name or DEFAULT)
    if volume.voi_lut is not None:
        first, table = volume.voi_lut
        return Window(first + len(table) / 2, len(table), "VOI LUT", TABLE)
    if pixels.dtype == np.uint8 and volume.placement is not Placement.PATIENT:
        return replace(IDENTITY, name=DEFAULT)
    return _percentile_window(sample)


def _percentile_window(sample: NDArray[Any]) -> Window:
    if not sample.size:
        return replace(IDENTITY, name=DEFAULT)
    foreground = sample[sample > sample.min()]
    if not foreground.size:
        return _between(float(sample[0]), float(sample[0]), DEFAULT)
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = np.percentile(foreground.astype(np.float64), (0.5, 99.5))
    if low == high:
        low = float(sample.min())
    return _between(float(low), float(high), DEFAULT)


def _between(low: float, high: float, name: str) -> Window:
    """The window that shows ``low`` as black and ``high`` as white."""
    width = min(high - low, float(np.finfo(np.float64).max)) if high > low else 1.0
    return Window(low + width / 2, width, name, "LINEAR_EXACT")


def _is_usable(window: Window) -> bool:
    return bool(np.isfinite([window.centre, window.width]).all()) and window.width > 0


def _is_float(pixels: NDArray[Any]) -> bool:
    return pixels.dtype.kind == "f"
