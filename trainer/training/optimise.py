"""Optimiser, learning-rate schedule, loss settings and the moving average of weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

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


def compute_learning_rate(step: int, steps_per_epoch: int, settings: TrainingSettings) -> float:
    """The rate of a step: linear rise, then a cosine down to the final share."""
    warmup = settings.warmup_epochs * steps_per_epoch
    if step < warmup:
        return settings.lr * (step + 1) / (warmup + 1)
    total = max(1.0, settings.epochs * steps_per_epoch - warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / total)))
    return settings.lr * (settings.final_lr + (1 - settings.final_lr) * cosine)


Tensors = tuple[Tensor, ...] | list[Tensor]


def make_average(network: nn.Module) -> AveragedModel:
    """A copy of a network, in inference mode, that averages its weights and running statistics."""
    return AveragedModel(network, use_buffers=True).eval().requires_grad_(False)


def update_average(average: AveragedModel, network: nn.Module, step: int, decay: float) -> None:
    """Move the exponential moving average after a step, counted from 0; early steps count more."""
    weight = 1 - min(decay, (1 + step) / (10 + step))

    def lerp(averaged: Tensors, current: Tensors, _count: Tensor | int) -> None:
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, weight)
        else:
            torch._foreach_copy_(averaged, current)

    average.multi_avg_fn = lerp
    average.n_averaged.fill_(1)  # at 0 it would copy the weights of the first step
    average.update_parameters(network)
