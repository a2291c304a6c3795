"""Saliency to colour: perceptually uniform, safe for the colour-blind, transparent where low."""

from __future__ import annotations

from base64 import b64decode
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_PLASMA = (
    "DQiHEAeIEweJFgeKGQaMGwaNHQaOIAaPIgaQJAaRJgWRKAWSKgWTLAWULgWVLwWWMQWXMwWXNQSYNwSZOASaOgSa"
    "PASbPgScPwScQQSdQwOeRAOeRgOfSAOfSQOgSwOhTAKhTgKiUAKiUQKjUwKjVQKkVgGkWAGkWQGlWwGlXAGmXgGm"
    "YAGmYQCnYwCnZACnZgCnZwCoaQCoagCobACobgCobwCocQCocgGodAGodQGodwGoeAGoegKoewKofQOofgOogASo"
    "gQSngwWnhAWnhgamhwemiAimigmliwqljQuljgykjw2kkQ6jkg+jlBCilRGhlhOhmBSgmRWfmhafnBeenRidnhmd"
    "oBqcoRuboh2aox6apR+ZpiCYpyGXqCKWqiOVqySUrCaUrSeTriiSsCmRsSqQsiuPsyyOtC6NtS+MtjCLtzGKuDKJ"
    "ujOIuzSIvDWHvTeGvjiFvzmEwDqDwTuCwjyBwz2AxD5/xUB+xkF9x0J8yEN7yUR6ykV6y0Z5zEd4zEl3zUp2zkt1"
    "z0x00E1z0U5y0k9x01Fx1FJw1VNv1VRu1lVt11Zs2Fdr2Vhq2lpq2ltp21xo3F1n3V5m3l9l3mFk32Jj4GNj4WRi"
    "4mVh4mZg42hf5Gle5Wpd5Wtd5mxc525b529a6HBZ6XFY6XJX6nRX63VW63ZV7HdU7XlT7XpS7ntR73xR735Q8H9P"
    "8IBO8YFN8YNM8oRL84VL84dK9IhJ9IlI9YtH9YxG9o1F9o9E95BE95FD95NC+JRB+JVA+Zc/+Zg++Zo++ps9+pw8"
    "+p47+586+6E5+6I4/KM4/KU3/KY2/Kg1/Kk0/asz/awz/a4y/a8x/bEw/bIv/bQv/bUu/rct/rgs/ros/rsr/r0q"
    "/r4q/sAp/cIp/cMo/cUn/cYn/cgn/com/csm/M0l/M4l/NAl/NIl+9Mk+9Uk+9ck+tgk+tok+dwk+d0l+N8l+OEl"
    "9+Il9+Ql9uYm9ugm9ekm9esn9O0n8+4n8/An8vIn8fQm8fUl8Pck8Pkh"
)
COLOURS: NDArray[np.uint8] = np.frombuffer(b64decode(_PLASMA), np.uint8).reshape(256, 3)
"""``(256, 3)`` RGB from low to high: *plasma* by Stéfan van der Walt and Nathaniel Smith (2015,
https://github.com/BIDS/colormap, CC0), 8 bits a channel."""

OPAQUE_FROM = 0.5
"""The value from which an overlay at full opacity hides what is below."""

_OKABE_ITO = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (204, 121, 167), (213, 94, 0))
_NEUTRAL = (153, 153, 153)


def choose_class_colour(
    name: str, classes: tuple[str, ...], no_tumour: str | None
) -> tuple[int, int, int]:
    """RGB that stands for a class wherever it is drawn; grey for "no tumour".

    The colours are told apart by the colour-blind (Okabe and Ito, 2008).
    """
    if name == no_tumour:
        return _NEUTRAL
    tumours = [each for each in classes if each != no_tumour]
    return _OKABE_ITO[tumours.index(name) % len(_OKABE_ITO)]


def colour_map(map_HW: NDArray[np.floating | np.uint8], opacity: float) -> NDArray[np.uint8]:
    """Colour a saliency map.

    Parameters
    ----------
    map_HW
        Saliency in 0–1, NaN is taken as 0; or its 256 levels as uint8.
    opacity
        0–1: alpha rises linearly from 0 to this at :data:`OPAQUE_FROM`, and stays.

    Returns
    -------
    ndarray
        ``(H, W, 4)`` uint8, premultiplied, in the order blue, green, red, alpha: Qt's
        ``Format_ARGB32_Premultiplied`` on a little-endian machine.
    """
    levels = _levels(map_HW)
    pixels = np.take(_table(round(opacity * 255)), levels, mode="clip")
    bgra: NDArray[np.uint8] = pixels.view(np.uint8).reshape(*map_HW.shape, 4)
    return bgra


def _levels(map_HW: NDArray[np.floating | np.uint8]) -> NDArray[np.uint8]:
    if map_HW.dtype != np.uint8:
        map_HW = 255 * np.clip(np.nan_to_num(map_HW, nan=0.0), 0, 1) + 0.5
    return map_HW.astype(np.uint8, copy=False)


def blend_map(
    image_HW3: NDArray[np.uint8], map_HW: NDArray[np.floating], opacity: float
) -> NDArray[np.uint8]:
    """An sRGB picture under a saliency map as :func:`colour_map` colours it, ``(H, W, 3)``."""
    bgra = colour_map(map_HW, opacity)
    alpha = bgra[..., 3:] / 255
    mixed: NDArray[np.uint8] = (
        np.rint(image_HW3 * (1 - alpha) + bgra[..., 2::-1]).clip(0, 255).astype(np.uint8)
    )
    return mixed


@lru_cache(maxsize=4)
def _table(opacity: int) -> NDArray[np.uint32]:
    alpha = np.minimum(np.arange(256) / (255 * OPAQUE_FROM), 1) * opacity
    bgra = np.column_stack([COLOURS[:, ::-1] * alpha[:, None] / 255, alpha])
    packed: NDArray[np.uint32] = np.rint(bgra).astype(np.uint8).view(np.uint32).ravel()
    return packed
