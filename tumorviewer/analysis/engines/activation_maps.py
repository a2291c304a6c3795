"""Class activation maps from features and their gradient, as pytorch-grad-cam makes them. No torch.

Shapes: N slices, C channels, H W feature map.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_TINY = 1e-6


def gradcam(features: Floats, gradient: Floats) -> Floats:
    """Selvaraju et al., ICCV 2017."""
    return _weighted(features, gradient.mean((2, 3)))


def gradcam_plus_plus(features: Floats, gradient: Floats) -> Floats:
    """Chattopadhay et al., WACV 2018."""
    total = features.sum((2, 3), keepdims=True)
    share = gradient**2 / (2 * gradient**2 + total * gradient**3 + _TINY)
    share = np.where(gradient != 0, share, 0)
    return _weighted(features, (np.maximum(gradient, 0) * share).sum((2, 3)))


def hirescam(features: Floats, gradient: Floats) -> Floats:
    """Draelos and Carin, arXiv:2011.08891."""
    maps: Floats = np.einsum("nchw,nchw->nhw", features, gradient)
    return maps


def layercam(features: Floats, gradient: Floats) -> Floats:
    """Jiang et al., IEEE TIP 2021."""
    maps: Floats = np.einsum("nchw,nchw->nhw", features, np.maximum(gradient, 0))
    return maps


def eigencam(features: Floats, gradient: Floats) -> Floats:  # noqa: ARG001 - one signature
    """First principal component (Muhammad and Yeasin, IJCNN 2020)."""
    maps = []
    for one in features:
        places_PC = one.reshape(len(one), -1).T
        centred_PC = places_PC - places_PC.mean(0)
        first_C = np.linalg.svd(centred_PC)[2][0]
        maps.append((centred_PC @ first_C).reshape(one.shape[1:]))
    return turn_towards_activation(np.stack(maps).astype(np.float32), features)


def turn_towards_activation(maps_NHW: Floats, features: Floats) -> Floats:
    """The sign of a principal component is arbitrary: it is high where the features are."""
    active = features.mean(1)
    agrees = (maps_NHW * (active - active.mean((1, 2), keepdims=True))).sum((1, 2)) >= 0
    turned: Floats = maps_NHW * np.where(agrees, 1, -1).astype(np.float32)[:, None, None]
    return turned


def _weighted(features: Floats, weights_NC: Floats) -> Floats:
    maps: Floats = np.einsum("nchw,nc->nhw", features, weights_NC)
    return maps


METHODS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "gradcam": gradcam,
    "gradcam++": gradcam_plus_plus,
    "hirescam": hirescam,
    "layercam": layercam,
    "eigencam": eigencam,
}
