"""Attention rollout of vision transformers, by torch.

Shapes: N images, S side, L tokens (the class token first).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tumorviewer.networks import Classifier


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
