"""Saliency maps from a network's own attention.

Shapes: N pictures, S side, C channels, H W feature map, L tokens (the class token first).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tumorviewer.networks import Classifier


def attention_weights(network: Classifier, features_NCHW: Tensor) -> NDArray[np.float32]:
    """What attention pooling gives each place of the map, ``(N, H, W)`` with sum 1 (Ilse et al.,
    ICML 2018); the same whatever the class."""
    with torch.inference_mode():
        scores_N1HW = network.scores(features_NCHW)
    assert scores_N1HW is not None
    weights_NHW = scores_N1HW[:, 0].float().flatten(1).softmax(1).view_as(scores_N1HW[:, 0])
    answer: NDArray[np.float32] = weights_NHW.cpu().numpy()
    return answer


def stitch_maps(
    network: Classifier, pictures_NTSS: Tensor, map_of: Callable[[Tensor], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Maps of twice the feature map's resolution, ``(N, 2H, 2W)``.

    The network looks four times, at the picture and at the picture moved by half a cell; what it
    says is interleaved (shift-and-stitch, Long et al., CVPR 2015, section 3.2), and the mean of
    each four neighbours lies where a cell of the finer grid does.

    Parameters
    ----------
    map_of
        Feature maps ``(4N, C, H, W)`` to maps ``(4N, H, W)``.
    """
    side = pictures_NTSS.shape[-1]
    with torch.inference_mode():
        still = network.trunk(pictures_NTSS)
        half = side // (2 * still.shape[-1])
        padded = functional.pad(pictures_NTSS, (0, half, 0, half))
        moved = [
            padded[..., down : down + side, right : right + side]
            for down, right in ((0, half), (half, 0), (half, half))
        ]
        features = torch.cat([still, network.trunk(torch.cat(moved))])
    count, (rows, columns) = len(still), still.shape[2:]
    maps = map_of(features).reshape(2, 2, count, rows, columns)
    fine = maps.transpose(2, 3, 0, 4, 1).reshape(count, 2 * rows, 2 * columns)
    edged = np.pad(fine, ((0, 0), (1, 0), (1, 0)), mode="edge")
    four = edged[:, :-1, :-1] + edged[:, :-1, 1:] + edged[:, 1:, :-1] + edged[:, 1:, 1:]
    return np.asarray(four / 4, np.float32)


def attention_rollout(network: Classifier, pictures_N1SS: Tensor) -> NDArray[np.float32]:
    """How much of each patch reaches the class token of a vision transformer, ``(N, H, W)``.

    Attention rollout (Abnar and Zuidema, ACL 2020, section 3): the product over all layers of
    their attention, averaged over heads, in equal parts with what the residual connection passes.
    """
    with torch.inference_mode(), _recorded(network) as layers:
        grid = network.trunk(pictures_N1SS)
        network.head(grid)
    reached_NLL = torch.eye(layers[0].shape[-1], device=grid.device)
    for attention_NLL in layers[:-1]:
        reached_NLL = _with_residual(attention_NLL) @ reached_NLL
    of_class_NL = (_with_residual(layers[-1][:, :1])[:, :1] @ reached_NLL)[:, 0]
    answer: NDArray[np.float32] = of_class_NL[:, 1:].unflatten(1, grid.shape[2:]).cpu().numpy()
    return answer


def _with_residual(attention_NLL: Tensor) -> Tensor:
    rows, tokens = attention_NLL.shape[1:]
    return 0.5 * attention_NLL + 0.5 * torch.eye(rows, tokens, device=attention_NLL.device)


@contextmanager
def _recorded(network: Classifier) -> Iterator[list[Tensor]]:
    """Attention ``(N, L, L)`` of each layer, in the order in which they run."""
    layers: list[Tensor] = []

    def ask(_: nn.Module, inputs: Any, options: dict[str, Any]) -> Any:
        return inputs, {**options, "need_weights": True, "average_attn_weights": True}

    def keep(_: nn.Module, __: Any, answer: tuple[Tensor, Tensor]) -> None:
        layers.append(answer[1])

    attending = [one for one in network.modules() if isinstance(one, nn.MultiheadAttention)]
    hooks = [one.register_forward_pre_hook(ask, with_kwargs=True) for one in attending]
    hooks += [one.register_forward_hook(keep) for one in attending]
    try:
        yield layers
    finally:
        for hook in hooks:
            hook.remove()
