"""Maps resized and scaled as they are shown. No torch.

Resizing is one small matrix for rows and one for columns, as torch's ``interpolate`` without
aligned corners: cubic convolution with a = −0.75 (Keys, IEEE TASSP 1981), edges repeated.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_A = -0.75


def scale_maps(raw_NHW: Floats, side: int) -> Floats:
    """Maps as they are shown, ``(N, side, side)``: negative evidence dropped, resized by cubic
    interpolation, which finds a peak between two places, and divided by their maximum."""
    fine = np.maximum(resize_maps(np.maximum(raw_NHW, 0), side, cubic=True), 0)
    peaks = fine.max((1, 2), keepdims=True)
    return np.asarray(fine / np.where(peaks > 0, peaks, 1), np.float32)


def resize_maps(maps_NHW: Floats, side: int, *, cubic: bool = False) -> Floats:
    """``(N, side, side)``, by cubic or by linear interpolation."""
    rows, columns = (_matrix(size, side, cubic) for size in maps_NHW.shape[1:])
    resized: Floats = rows @ maps_NHW.astype(np.float32) @ columns.T
    return resized


@lru_cache(maxsize=32)
def _matrix(size: int, side: int, cubic: bool) -> Floats:
    """``(side, size)``."""
    places = (np.arange(side) + 0.5) * size / side - 0.5
    if not cubic:
        places = places.clip(0)
    first = np.floor(places).astype(int)
    matrix = np.zeros((side, size))
    for tap in range(-1, 3) if cubic else range(2):
        weights = (_cubic if cubic else _linear)(np.abs(places - first - tap))
        np.add.at(matrix, (np.arange(side), (first + tap).clip(0, size - 1)), weights)
    answer: Floats = matrix.astype(np.float32)
    answer.flags.writeable = False
    return answer


def _linear(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 - distance


def _cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    near = ((_A + 2) * distance - (_A + 3)) * distance**2 + 1
    far = _A * (((distance - 5) * distance + 8) * distance - 4)
    return np.where(distance <= 1, near, far)
