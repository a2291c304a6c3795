"""Occlusion: what a network says when a part of the picture is hidden. Asks nothing of the network
but its answers, and so checks the methods that look inside it.

Shapes: N pictures, T slices of a series, S side, G positions of the patch along a side.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tumorviewer.networks import Classifier

GRID = 16
"""Positions of the patch along a side; it is two of them wide."""
_BATCH = 16


def occlusion_maps(
    network: Classifier,
    pictures_NTSS: Tensor,
    score: Callable[[Tensor], Tensor],
    tick: Callable[[], None] | None = None,
    grid: int = GRID,
) -> NDArray[np.float32]:
    """How far a class falls when the patch lies there, ``(N, G, G)`` (Zeiler and Fergus, ECCV 2014,
    section 4.2).

    The patch is as grey as the picture is on average, so that it is no lesion and no hole.

    Parameters
    ----------
    score
        Logarithmic probabilities ``(…, K)`` to what is explained, ``(…)``.
    tick
        Called before each batch; it may raise to stop.
    """
    return np.stack([_one(network, picture, score, tick, grid) for picture in pictures_NTSS])


def _one(
    network: Classifier,
    picture_TSS: Tensor,
    score: Callable[[Tensor], Tensor],
    tick: Callable[[], None] | None,
    grid: int,
) -> NDArray[np.float32]:
    places = [(row, column) for row in range(grid) for column in range(grid)]
    said = [_said(network, picture_TSS[None], score)]
    for start in range(0, len(places), _BATCH):
        if tick:
            tick()
        part = places[start : start + _BATCH]
        hidden = torch.stack([_hidden(picture_TSS, place, grid) for place in part])
        said.append(_said(network, hidden, score))
    scores = np.concatenate(said)
    falls: NDArray[np.float32] = (scores[0] - scores[1:]).reshape(grid, grid)
    return falls


def _said(
    network: Classifier, pictures_NTSS: Tensor, score: Callable[[Tensor], Tensor]
) -> NDArray[np.float32]:
    with torch.inference_mode():
        logits_NK: Tensor = network(pictures_NTSS)
    said: NDArray[np.float32] = score(logits_NK.log_softmax(-1)).cpu().numpy()
    return said


def _hidden(picture_TSS: Tensor, place: tuple[int, int], grid: int) -> Tensor:
    step = picture_TSS.shape[-1] / grid
    rows, columns = (
        slice(round(max(0, one - 0.5) * step), round((one + 1.5) * step)) for one in place
    )
    hidden = picture_TSS.clone()
    hidden[:, rows, columns] = picture_TSS.mean()
    return hidden
