"""Small pictures of volumes, for lists."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorviewer.errors import Cancelled
from tumorviewer.imaging.display import choose_provisional_window, render_slice
from tumorviewer.imaging.geometry import compute_pixel_aspect
from tumorviewer.study.types import Volume, VolumeReader


def draw_thumbnail(volume: Volume, index: int | None = None, side: int = 96) -> NDArray[np.uint8]:
    """A slice, the middle one unless said otherwise, at its right aspect.

    Returns
    -------
    ndarray
        ``(H, W)`` grey or ``(H, W, 3)`` RGB uint8; the longer of H and W is ``side``.
    """
    at = len(volume.array) // 2 if index is None else index
    window = choose_provisional_window(volume, at)
    shown = render_slice(volume, at, window)
    rows, columns = shown.shape[0] * compute_pixel_aspect(volume), float(shown.shape[1])
    scale = side / max(rows, columns)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    picture = Image.fromarray(np.ascontiguousarray(shown))
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR))


def draw_reader_thumbnail(source: VolumeReader, side: int = 96) -> NDArray[np.uint8]:
    """As :func:`draw_thumbnail`, of the middle slice: what comes after it is not read.

    Raises
    ------
    InputError
        If the pixels cannot be read.
    """
    pictures: list[NDArray[np.uint8]] = []

    def stop(volume: Volume, index: int) -> None:
        if index == len(volume.array) // 2 and volume.array[index].any():
            pictures.append(draw_thumbnail(volume, index, side))
            raise Cancelled

    try:
        return draw_thumbnail(source.load(stop), side=side)
    except Cancelled:
        return pictures[0]
