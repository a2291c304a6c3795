"""The boundary of a mask as closed lines."""

from __future__ import annotations

import contourpy
import numpy as np
from numpy.typing import NDArray


def trace_contours(mask_HW: NDArray[np.bool_]) -> tuple[NDArray[np.float64], ...]:
    """The lines around a mask and its holes, halfway between pixels inside and outside.

    Parameters
    ----------
    mask_HW
        ``(rows, columns)``.

    Returns
    -------
    tuple of arrays
        Each ``(N, 2)`` row and column, closed; pixel ``(r, c)`` covers ``r … r + 1`` and
        ``c … c + 1``.
    """
    rows, columns = np.flatnonzero(mask_HW.any(1)), np.flatnonzero(mask_HW.any(0))
    if not len(rows):
        return ()
    part = mask_HW[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    lines = contourpy.contour_generator(z=np.pad(part, 1).astype(float)).lines(0.5)
    corner = np.array([rows[0], columns[0]]) - 0.5
    return tuple(np.asarray(line)[:, ::-1] + corner for line in lines)
