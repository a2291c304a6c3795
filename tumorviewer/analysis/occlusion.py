"""Occlusion: what a network says when a part of the picture is hidden. Asks nothing of the network
but its answers, and so checks the methods that look inside it.

Shapes: N pictures, T slices of a series, S side, G positions of the patch along a side.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

GRID = 16
"""Positions of the patch along a side; it is two of them wide."""
_BATCH = 16

Floats = NDArray[np.float32]
Ask = Callable[[Floats], Floats]
"""Grey images ``(N, T, S, S)`` in 0–1 to logits ``(N, K)``."""
Score = Callable[[Floats], Floats]
"""Logarithmic probabilities ``(…, K)`` to what is explained, ``(…)``."""


def occlusion_maps(
    ask: Ask,
    images_NTSS: Floats,
    score: Score,
    tick: Callable[[], None] | None = None,
    grid: int = GRID,
) -> Floats:
    """How far a class falls when the patch lies there, ``(N, G, G)`` (Zeiler and Fergus, ECCV 2014,
    section 4.2).

    The patch is as grey as the image is on average, so that it is no lesion and no hole.

    Parameters
    ----------
    tick
        Called before each batch; it may raise to stop.
    """
    return np.stack([_one(ask, image, score, tick, grid) for image in images_NTSS])


def _one(
    ask: Ask, image_TSS: Floats, score: Score, tick: Callable[[], None] | None, grid: int
) -> Floats:
    places = [(row, column) for row in range(grid) for column in range(grid)]
    said = [score(_log_softmax(ask(image_TSS[None])))]
    for start in range(0, len(places), _BATCH):
        if tick:
            tick()
        part = places[start : start + _BATCH]
        hidden = np.stack([_hidden(image_TSS, place, grid) for place in part])
        said.append(score(_log_softmax(ask(hidden))))
    scores = np.concatenate(said)
    falls: Floats = (scores[0] - scores[1:]).reshape(grid, grid).astype(np.float32)
    return falls


def _log_softmax(logits_NK: Floats) -> Floats:
    shifted = logits_NK - logits_NK.max(-1, keepdims=True)
    answer: Floats = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return answer


def _hidden(image_TSS: Floats, place: tuple[int, int], grid: int) -> Floats:
    step = image_TSS.shape[-1] / grid
    rows, columns = (
        slice(round(max(0, one - 0.5) * step), round((one + 1.5) * step)) for one in place
    )
    hidden = image_TSS.copy()
    hidden[:, rows, columns] = image_TSS.mean()
    return hidden
