"""Outlines of masks as polygons along the borders of pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tumorviewer.imaging.contours import trace_contours


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
    lines = (line[:, ::-1] - 0.5 for line in trace_contours(mask_HW))
    return sorted(lines, key=len, reverse=True)


def find_largest_slice(outline_DHW: NDArray[np.bool_]) -> int:
    """The slice with the most pixels inside."""
    return int(outline_DHW.reshape(len(outline_DHW), -1).sum(axis=1).argmax())


def list_outlined_slices(outline_DHW: NDArray[np.bool_]) -> list[int]:
    """The slices where something is outlined."""
    return [int(index) for index in np.flatnonzero(outline_DHW.any(axis=(1, 2)))]
