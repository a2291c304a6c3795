"""Where the weights come from: at random, or from a safetensors file of a pretrained network."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from tumorviewer.errors import InputError
from tumorviewer.networks import Classifier

PREFIXES = (("", ""), ("features.", "trunk.1."))
"""Names in the file to names in our networks: our own, and torchvision's feature extractors."""


def load_weights(network: Classifier, path: Path) -> None:
    """Start what the family has pretrained (and the rest, where it fits) from a file, in place.

    Raises
    ------
    InputError
        If the file cannot be read or does not hold every tensor of that part.
    """
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(str(path), f"The weights cannot be read: {error}.") from error
    wanted = network.state_dict()
    needed = {name for name in wanted if name.startswith(network.pretrained)}
    for theirs, ours in PREFIXES:
        renamed = {
            ours + name.removeprefix(theirs): tensor
            for name, tensor in stored.items()
            if name.startswith(theirs)
        }
        fitting = {
            name: renamed[name].to(tensor.dtype)
            for name, tensor in wanted.items()
            if name in renamed and renamed[name].shape == tensor.shape
        }
        if needed <= fitting.keys():
            network.load_state_dict(fitting, strict=False)
            return
    raise InputError(str(path), "The weights are of another architecture.")


def has_folded_norms(network: nn.Module) -> bool:
    """Whether its batch normalisations were folded into the convolutions: only biases are left."""
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    identity = all(
        torch.all(layer.weight == 1)
        and torch.all(_buffer(layer.running_mean) == 0)
        and torch.all((_buffer(layer.running_var) - 1).abs() < 1e-3)
        for layer in norms
    )
    return bool(norms) and identity and any(bool(layer.bias.any()) for layer in norms)


@torch.no_grad()
def restore_norms(network: nn.Module, part: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give the folded batch normalisations of a part of the network the statistics of real
    pictures, in place.

    Each gets the mean m and variance v of what enters it, weight √(v + ε) and bias b + m: the
    function is unchanged, and training in train mode starts from it.
    """
    norms = [layer for layer in part.modules() if isinstance(layer, nn.BatchNorm2d)]
    sums: dict[nn.Module, tuple[float, Tensor, Tensor]] = {}

    def measure(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        x = inputs[0].double()
        count, total, squares = sums.get(layer, (0.0, torch.zeros(()), torch.zeros(())))
        n = x.numel() / x.shape[1]
        total, squares = total.to(x.device), squares.to(x.device)
        sums[layer] = count + n, total + x.sum((0, 2, 3)), squares + (x * x).sum((0, 2, 3))

    hooks = [layer.register_forward_pre_hook(measure) for layer in norms]
    network.eval()
    for batch in batches:
        network(batch)
    for hook in hooks:
        hook.remove()
    for layer in norms:
        count, total, squares = sums[layer]
        mean = total / count
        variance = (squares / count - mean * mean).clamp_min(0)
        _buffer(layer.running_mean).copy_(mean)
        _buffer(layer.running_var).copy_(variance)
        layer.weight.copy_(torch.sqrt(variance + layer.eps))
        layer.bias.add_(mean)


def _buffer(tensor: Tensor | None) -> Tensor:
    assert tensor is not None
    return tensor
