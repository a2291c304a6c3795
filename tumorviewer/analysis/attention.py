"""Saliency maps from a network's own attention. No torch.

Shapes: N images, T slices of a series, S side, C channels, H W feature map.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def attention_weights(scores_N1HW: Floats) -> Floats:
    """What attention pooling gives each place of the map, ``(N, H, W)`` with sum 1 (Ilse et al.,
    ICML 2018); the same whatever the class.

    Parameters
    ----------
    scores_N1HW
        Before the softmax.
    """
    powers = np.exp(scores_N1HW[:, 0] - scores_N1HW.max((1, 2, 3))[:, None, None])
    weights: Floats = powers / powers.sum((1, 2), keepdims=True)
    return weights


def attention_maps(scores_N1HW: Floats, evidence_of: Callable[[], Floats] | None) -> Floats:
    """The weights alone, or times what speaks for a class at each place.

    Parameters
    ----------
    evidence_of
        Makes the class's maps ``(N, H, W)``; None for a map that is the same whatever the class.
    """
    weights_NHW = attention_weights(scores_N1HW)
    if evidence_of is None:
        return weights_NHW
    weighted: Floats = weights_NHW * np.maximum(evidence_of(), 0)
    return weighted


def stitch_maps(
    trunk: Callable[[Floats], Floats],
    images_NTSS: Floats,
    map_of: Callable[[Floats], Floats],
) -> Floats:
    """Maps of twice the feature map's resolution, ``(N, 2H, 2W)``.

    The network looks four times, at the image and at the image moved by half a cell; what it says
    is interleaved (shift-and-stitch, Long et al., CVPR 2015, section 3.2), and the mean of each
    four neighbours lies where a cell of the finer grid does.

    Parameters
    ----------
    trunk
        Grey images in 0–1 to feature maps ``(N, C, H, W)``.
    map_of
        Feature maps ``(4N, C, H, W)`` to maps ``(4N, H, W)``.
    """
    side = images_NTSS.shape[-1]
    still = trunk(images_NTSS)
    half = side // (2 * still.shape[-1])
    padded = np.pad(images_NTSS, ((0, 0), (0, 0), (0, half), (0, half)))
    moved = [
        padded[..., down : down + side, right : right + side]
        for down, right in ((0, half), (half, 0), (half, half))
    ]
    features = np.concatenate([still, trunk(np.concatenate(moved))])
    count, (rows, columns) = len(still), still.shape[2:]
    maps = map_of(features).reshape(2, 2, count, rows, columns)
    fine = maps.transpose(2, 3, 0, 4, 1).reshape(count, 2 * rows, 2 * columns)
    edged = np.pad(fine, ((0, 0), (1, 0), (1, 0)), mode="edge")
    four = edged[:, :-1, :-1] + edged[:, :-1, 1:] + edged[:, 1:, :-1] + edged[:, 1:, 1:]
    return np.asarray(four / 4, np.float32)
