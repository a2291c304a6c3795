"""The boundary of a mask as closed lines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_TOP, _RIGHT, _BOTTOM, _LEFT = (-1, 0), (0, 1), (1, 0), (0, -1)
_LINES = {
    1: ((_LEFT, _BOTTOM),), 2: ((_BOTTOM, _RIGHT),), 3: ((_LEFT, _RIGHT),), 4: ((_RIGHT, _TOP),),
    5: ((_RIGHT, _TOP), (_LEFT, _BOTTOM)), 6: ((_BOTTOM, _TOP),), 7: ((_LEFT, _TOP),),
    8: ((_TOP, _LEFT),), 9: ((_TOP, _BOTTOM),), 10: ((_TOP, _LEFT), (_BOTTOM, _RIGHT)),
    11: ((_TOP, _RIGHT),), 12: ((_RIGHT, _LEFT),), 13: ((_RIGHT, _BOTTOM),),
    14: ((_BOTTOM, _LEFT),),
}  # fmt: skip
"""Lines between the middles of four pixels, by which of them are inside (8 top left, 4 top right,
2 bottom right, 1 bottom left); the inside lies on the same side of all."""


def trace_contours(mask_HW: NDArray[np.bool_]) -> tuple[NDArray[np.float64], ...]:
    """The lines around a mask and its holes, halfway between pixels inside and outside
    (marching squares; Lorensen and Cline 1987, in the plane).

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
    corner = np.array([rows[0], columns[0]])
    part = mask_HW[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    follows = _join_lines(np.pad(part, 1).astype(np.uint8))
    lines = []
    while follows:
        first, point = follows.popitem()
        line = [first, point]
        while point != first:
            point = follows.pop(point)
            line.append(point)
        lines.append(np.array(line) / 2 + corner)
    return tuple(lines)


def _join_lines(padded: NDArray[np.uint8]) -> dict[tuple[int, int], tuple[int, int]]:
    """For the start of each line its end, in half pixels."""
    codes = 8 * padded[:-1, :-1] + 4 * padded[:-1, 1:] + 2 * padded[1:, 1:] + padded[1:, :-1]
    follows = {}
    for row, column in np.argwhere((codes > 0) & (codes < 15)).tolist():
        for start, end in _LINES[int(codes[row, column])]:
            follows[2 * row + start[0], 2 * column + start[1]] = (
                2 * row + end[0],
                2 * column + end[1],
            )
    return follows
