"""Outlines of masks as polygons along the borders of pixels."""

from __future__ import annotations

import contourpy
import numpy as np
from numpy.typing import NDArray


def trace_outline(mask_HW: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Closed polygons around the regions of a mask, the longest first.

    Parameters
    ----------
    mask_HW
        ``(rows, columns)``.

    Returns
    -------
    list
        Of ``(points, 2)`` column and row, whole numbers at the centres of pixels; first and last
        point are the same. Points lie half-way between a pixel inside and its neighbour outside.
    """
    padded = np.pad(mask_HW, 1).astype(float)
    lines = contourpy.contour_generator(z=padded).lines(0.5)
    return sorted((np.asarray(line) - 1 for line in lines), key=len, reverse=True)


def find_largest_slice(outline_DHW: NDArray[np.bool_]) -> int:
    """The slice with the most pixels inside."""
    return int(outline_DHW.reshape(len(outline_DHW), -1).sum(axis=1).argmax())


def list_outlined_slices(outline_DHW: NDArray[np.bool_]) -> list[int]:
    """The slices where something is outlined."""
    return [int(index) for index in np.flatnonzero(outline_DHW.any(axis=(1, 2)))]
