"""Numbers over an image as words: value, position, window, slice."""

from __future__ import annotations

import math

import numpy as np

from tumorviewer.imaging.display import DEFAULT, TABLE
from tumorviewer.imaging.geometry import position_text, slice_position_text, to_patient
from tumorviewer.study import Placement, Volume, Window


def number(value: float, extent: float) -> str:
    """A value with as many decimals as a range of ``extent`` calls for."""
    if not math.isfinite(value) or not 1e-5 < extent < 1e7:
        return f"{value:.4g}"
    decimals = max(0, 2 - math.floor(math.log10(extent)))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def window_lines(window: Window) -> list[str]:
    """Name, unless it is the default, and ``"W 80  C 40"``; a lookup table has a name only."""
    if window.function == TABLE:
        return [window.name]
    width, centre = number(window.width, window.width), number(window.centre, window.width)
    name = "" if window.name == DEFAULT else window.name
    return [name, f"W {width}  C {centre}"]


def intensity_text(volume: Volume, voxel: tuple[int, int, int], extent: float) -> str:
    """The value of a voxel with its unit, in steps that matter in a window of ``extent``."""
    value = volume.array[voxel]
    if volume.is_colour:
        return "R {}  G {}  B {}".format(*value)
    exact = np.issubdtype(volume.array.dtype, np.integer)
    return f"{value if exact else number(float(value), extent)} {volume.units}".rstrip()


def pixel_lines(volume: Volume, index: int, row: int, column: int) -> list[str]:
    """Where a pixel is: in the patient where that is known, and in the array."""
    lines = [f"Column {column}, row {row}"]
    if volume.placement is Placement.PATIENT:
        lines.insert(0, position_text(to_patient(volume, index, row, column)))
    return lines


def slice_lines(volume: Volume, index: int) -> list[str]:
    """Which slice it is, and where it lies."""
    return [slice_position_text(volume, index), f"Slice {index + 1} / {len(volume.array)}"]
