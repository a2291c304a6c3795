"""Small pictures of volumes, for lists."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorviewer.errors import Cancelled
from tumorviewer.imaging.display import levels, provisional_window
from tumorviewer.imaging.geometry import pixel_aspect
from tumorviewer.study.types import Volume, VolumeReader


def thumbnail(volume: Volume, index: int | None = None, side: int = 96) -> NDArray[np.uint8]:
    """A slice, the middle one unless said otherwise, at its right aspect.

    Returns
    -------
    ndarray
        ``(H, W)`` grey or ``(H, W, 3)`` RGB uint8; the longer of H and W is ``side``.
    """
    at = len(volume.array) // 2 if index is None else index
    window = provisional_window(volume, at)
    shown = levels(volume, at, window)
    rows, columns = shown.shape[0] * pixel_aspect(volume), float(shown.shape[1])
    scale = side / max(rows, columns)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    picture = Image.fromarray(np.ascontiguousarray(shown))
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR))


def thumbnail_of_source(source: VolumeReader, side: int = 96) -> NDArray[np.uint8]:
    """As :func:`thumbnail`, of the middle slice: what comes after it is not read.

    Raises
    ------
    InputError
        If the pixels cannot be read.
    """
    pictures: list[NDArray[np.uint8]] = []

    def stop(volume: Volume, index: int) -> None:
        if index == len(volume.array) // 2 and volume.array[index].any():
            pictures.append(thumbnail(volume, index, side))
            raise Cancelled

    try:
        return thumbnail(source.load(stop), side=side)
    except Cancelled:
        return pictures[0]
