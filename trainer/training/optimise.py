"""Optimiser, learning-rate schedule, loss settings and the moving average of weights."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainer.tools.options import option


@dataclass(frozen=True)
class TrainingSettings:
    """The table ``[training]``."""

    epochs: int = option(60, "passes over the training part, at most")
    batch: int = option(64, "pictures a step, of all processes together")
    accumulate: int = option(
        1, "passes that a step's batch is divided into, to save memory; the gradient is the same"
    )
    optimiser: str = option("adamw", "adamw or sgd (Nesterov, momentum 0.9)", ("adamw", "sgd"))
    lr: float = option(2e-3, "highest learning rate")
    warmup_epochs: float = option(
        3.0, "epochs in which the rate rises linearly, before it falls along a cosine"
    )
    final_lr: float = option(0.01, "rate at the end, as a share of the highest")
    weight_decay: float = option(
        0.05, "pull of the weights towards zero; not on biases and normalisation"
    )
    clip: float = option(0.0, "largest norm of a step's gradient; 0: none")
    label_smoothing: float = option(0.05, "share of the target spread over all classes")
    class_weights: str = option(
        "none", '"balanced": the rarer class weighs more in the loss', ("none", "balanced")
    )
    oversample: bool = option(
        False, "pictures of the rarer classes are repeated until all classes are equally frequent"
    )
    focal_gamma: float = option(
        0.0, "gamma of the focal loss (Lin et al., ICCV 2017); 0: cross-entropy"
    )
    ema_decay: float = option(0.998, "of the moving average of the weights, a step; 0: none")
    monitor: str = option(
        "log_loss", "what tells the best epoch on validation", ("log_loss", "macro_f1")
    )
    keep: str = option(
        "best",
        '"best" epoch on validation, or "last": no choice is made on validation',
        ("best", "last"),
    )
    patience: int = option(15, "epochs without a better one before stopping; 0: never")
    precision: str = option(
        "bf16",
        "of the arithmetic on CUDA (bf16: autocast); other devices compute in fp32, but with "
        "bf16-everywhere (on a CPU with AVX512-BF16 or AMX nearly twice as fast)",
        ("bf16", "bf16-everywhere", "tf32", "fp32"),
    )
    seed: int = option(0, "of the random weights, order and augmentation")

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2:
            raise ValueError("epochs must be at least 1 and batch at least 2")
        if self.accumulate < 1 or min(self.clip, self.focal_gamma) < 0:
            raise ValueError("accumulate must be at least 1, clip and focal_gamma at least 0")
        if not 0 <= self.ema_decay < 1:
            raise ValueError("ema_decay must be at least 0 and below 1")


def make_optimiser(network: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """AdamW or SGD; no weight decay on vectors (biases, normalisation)."""
    parameters = [one for one in network.parameters() if one.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [one for one in parameters if one.ndim > 1]},
        {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
    ]
    if settings.optimiser == "sgd":
        return torch.optim.SGD(
            groups, settings.lr, 0.9, weight_decay=settings.weight_decay, nesterov=True
        )
    fused = parameters[0].is_cuda
    return torch.optim.AdamW(groups, settings.lr, weight_decay=settings.weight_decay, fused=fused)


def learning_rate(step: int, steps_per_epoch: int, settings: TrainingSettings) -> float:
    """The rate of a step: linear rise, then a cosine down to the final share."""
    warmup = settings.warmup_epochs * steps_per_epoch
    if step < warmup:
        return settings.lr * (step + 1) / (warmup + 1)
    total = max(1.0, settings.epochs * steps_per_epoch - warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / total)))
    return settings.lr * (settings.final_lr + (1 - settings.final_lr) * cosine)


class MovingAverage:
    """An exponential moving average of a network's weights and running statistics."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """After a step; early steps count more."""
        decay = min(self._decay, (1 + step) / (10 + step))
        averaged: list[Tensor] = []
        current: list[Tensor] = []
        for mine, theirs in zip(
            self.network.state_dict().values(), network.state_dict().values(), strict=True
        ):
            if mine.is_floating_point():
                averaged.append(mine)
                current.append(theirs)
            else:
                mine.copy_(theirs)
        torch._foreach_lerp_(averaged, current, 1 - decay)
