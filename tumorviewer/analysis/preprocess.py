"""The one preprocessing: a grey picture as it is on the screen to what a network sees.

Training and inference both call :func:`prepare_image`; a model's card records its parameters.
No torch.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorviewer.models.card import Preprocessing

_Level = TypeVar("_Level", np.float32, np.uint8)


_MARGIN = 0.03
"""Around the head of a volume, as a share of its longer side."""


class Box(NamedTuple):
    """A square on a slice, in pixels; it may reach beyond the slice's edges."""

    top: int
    left: int
    side: int


def find_bright(picture_HW: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pixels are brighter than the background: than a tenth of the 99th percentile."""
    return picture_HW > max(8.0, 0.1 * float(np.percentile(picture_HW, 99)))


def find_foreground(picture_HW: NDArray[np.uint8], margin: float) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of what is brighter than the background, with a margin.

    A row or column belongs to the foreground if at least 1 % of its pixels are :func:`find_bright`;
    the whole picture is answered where nothing is.
    """
    rows, columns = picture_HW.shape
    inside = find_bright(picture_HW)
    inside_rows = np.flatnonzero(inside.mean(axis=1) > 0.01)
    inside_columns = np.flatnonzero(inside.mean(axis=0) > 0.01)
    if not len(inside_rows) or not len(inside_columns):
        return 0, 0, rows, columns
    top, bottom = int(inside_rows[0]), int(inside_rows[-1]) + 1
    left, right = int(inside_columns[0]), int(inside_columns[-1]) + 1
    extra = round(margin * max(bottom - top, right - left))
    return (
        max(0, top - extra),
        max(0, left - extra),
        min(rows, bottom + extra),
        min(columns, right + extra),
    )


def prepare_image(
    picture_HW: NDArray[np.uint8], settings: Preprocessing
) -> tuple[NDArray[np.uint8], Box]:
    """Crop to the head, pad to a square with black, resize with antialiasing.

    Parameters
    ----------
    picture_HW
        Grey, 0–255, in display orientation with the volume's default window.
    settings
        From the model's card.

    Returns
    -------
    tuple
        The network's input, ``(size, size)`` uint8, and the square of the slice that it shows.
    """
    window = _window(picture_HW, settings)
    return _cut(picture_HW, window, settings.size), _around(window)


def prepare_series(
    pictures_THW: NDArray[np.uint8], settings: Preprocessing
) -> tuple[NDArray[np.uint8], Box]:
    """As :func:`prepare_image`, for a slice in the middle of its neighbours.

    All are cropped as the middle one is, so that a place in one is the same place in the others.

    Parameters
    ----------
    pictures_THW
        ``2 · settings.neighbours + 1`` slices, as :func:`list_neighbours` lists them.

    Returns
    -------
    tuple
        ``(T, size, size)`` uint8, and the square of each slice that it shows.
    """
    window = _window(pictures_THW[len(pictures_THW) // 2], settings)
    seen = [_cut(picture, window, settings.size) for picture in pictures_THW]
    return np.stack(seen), _around(window)


def find_head_square(brightest_HW: NDArray[np.uint8]) -> Box:
    """The one square around the head for all slices of a volume, with a margin, from the brightest
    projection along them."""
    return _around(_Window(*find_foreground(brightest_HW, _MARGIN)))


def cut_square(
    image_HW: NDArray[np.uint8], box: Box, side: int, *, nearest: bool = False
) -> NDArray[np.uint8]:
    """A square of an image, black beyond its edges, resized to ``(side, side)``; labels, with
    ``nearest``, keep their values."""
    rows, columns = image_HW.shape
    square = np.zeros((box.side, box.side), np.uint8)
    top, left = max(0, box.top), max(0, box.left)
    bottom, right = min(rows, box.top + box.side), min(columns, box.left + box.side)
    square[top - box.top : bottom - box.top, left - box.left : right - box.left] = image_HW[
        top:bottom, left:right
    ]
    how = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(square).resize((side, side), how))


def list_neighbours(index: int, count: int, neighbours: int) -> tuple[int, ...]:
    """Indices of a slice and of so many neighbours on each side; the edge slices are repeated."""
    every = range(index - neighbours, index + neighbours + 1)
    return tuple(min(max(one, 0), count - 1) for one in every)


class _Window(NamedTuple):
    """What is looked at: rows ``top`` to ``bottom``, columns ``left`` to ``right``."""

    top: int
    left: int
    bottom: int
    right: int


def _window(picture_HW: NDArray[np.uint8], settings: Preprocessing) -> _Window:
    if settings.crop:
        return _Window(*find_foreground(picture_HW, settings.margin))
    return _Window(0, 0, *picture_HW.shape)


def _around(window: _Window) -> Box:
    """The square around a window."""
    top, left, bottom, right = window
    side = max(bottom - top, right - left)
    return Box((top + bottom - side) // 2, (left + right - side) // 2, side)


def _cut(picture_HW: NDArray[np.uint8], window: _Window, size: int) -> NDArray[np.uint8]:
    (top, left, bottom, right), box = window, _around(window)
    square = np.zeros((box.side, box.side), np.uint8)
    square[top - box.top : bottom - box.top, left - box.left : right - box.left] = picture_HW[
        top:bottom, left:right
    ]
    return np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.BILINEAR))


def restore_map(map_SS: NDArray[_Level], box: Box, shape: tuple[int, int]) -> NDArray[_Level]:
    """Put a map over a network's input back on the slice that it came from.

    Returns
    -------
    ndarray
        ``shape``, float32 or uint8 as the map is; zero outside ``box``.
    """
    resized = np.asarray(
        Image.fromarray(map_SS).resize((box.side, box.side), Image.Resampling.BILINEAR)
    )
    rows, columns = shape
    top, left = max(0, box.top), max(0, box.left)
    bottom, right = min(rows, box.top + box.side), min(columns, box.left + box.side)
    whole = np.zeros(shape, map_SS.dtype)
    whole[top:bottom, left:right] = resized[
        top - box.top : bottom - box.top, left - box.left : right - box.left
    ]
    return whole
