"""Numbers over an image as words: value, position, window, slice."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tumorviewer import language
from tumorviewer.imaging.display import DEFAULT, TABLE
from tumorviewer.imaging.geometry import format_plane_position, format_position
from tumorviewer.imaging.reslice import PlaneStack
from tumorviewer.language import tr
from tumorviewer.study import Placement, Volume, Window


def format_value(value: float, extent: float) -> str:
    """A value with as many decimals as a range of ``extent`` calls for."""
    if not math.isfinite(value) or not 1e-5 < extent < 1e7:
        return language.number(value, ".4g")
    decimals = max(0, 2 - math.floor(math.log10(extent)))
    text = f"{value:.{decimals}f}"
    return language.written(text.rstrip("0").rstrip(".") if decimals else text)


def describe_window(window: Window) -> list[str]:
    """Name, unless it is the default, and ``"W 80  C 40"``; a lookup table has a name only."""
    if window.function == TABLE:
        return [tr(window.name)]
    width, centre = (
        format_value(window.width, window.width),
        format_value(window.centre, window.width),
    )
    name = "" if window.name == DEFAULT else tr(window.name)
    return [name, tr("W {width}  C {centre}", width=width, centre=centre)]


def describe_intensity(volume: Volume, value: Any, extent: float) -> str:
    """The value of a pixel with its unit, in steps that matter in a window of ``extent``."""
    if volume.is_colour:
        return "R {}  G {}  B {}".format(*value)
    exact = np.issubdtype(volume.array.dtype, np.integer)
    return f"{value if exact else format_value(float(value), extent)} {volume.units}".rstrip()


def describe_pixel(stack: PlaneStack, index: int, row: int, column: int) -> list[str]:
    """Where a pixel is: in the patient where that is known, and on its plane."""
    lines = [tr("Column {column}, row {row}", column=column, row=row)]
    if stack.volume.placement is Placement.PATIENT:
        lines.insert(0, format_position(stack.to_patient(index, row, column)))
    return lines


def describe_slice(stack: PlaneStack, index: int, slab: float = 0) -> list[str]:
    """Which plane it is, where it lies, and over how many mm the maximum is shown."""
    lines = [tr("Maximum of {slab} mm", slab=language.number(slab, "g")) if slab else ""]
    if stack.volume.placement is Placement.PATIENT:
        rows, columns = stack.shape
        centre = stack.to_patient(index, (rows - 1) / 2, (columns - 1) / 2)
        lines.append(format_plane_position(centre, stack.normal))
    word = tr("Slice") if stack.is_own else tr("Plane")
    return [*lines, f"{word} {index + 1} / {len(stack)}"]
