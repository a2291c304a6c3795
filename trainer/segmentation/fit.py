"""The training loop of a segmenter, resumable after any checkpoint.

Shapes: N images, S side.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.segmentation.augment import Batch, SegmentationAugment
from trainer.segmentation.config import SegmentationConfig, SegmentationTraining
from trainer.segmentation.objectives import losses_of
from trainer.segmentation.slices import TUMOUR, Squares
from trainer.segmentation.table import Outlined
from trainer.tools.progress import Progress
from trainer.training import checkpoint
from trainer.training.checkpoint import Checkpoint
from trainer.training.initial_weights import load_weights, restore_norms
from trainer.training.optimise import make_average, update_average
from tumorviewer.errors import InputError
from tumorviewer.networks.segmenter import Segmenter, create_segmenter

_LOG = 20
LAST = "last.safetensors"


class SegmenterTraining:
    """Trains one segmenter on some squares, keeping its state in ``folder``.

    Parameters
    ----------
    rows
        ``(N,)`` the squares that are trained on.
    """

    def __init__(
        self,
        config: SegmentationConfig,
        items: Sequence[Outlined],
        squares: Squares,
        rows: NDArray[np.int64],
    ) -> None:
        torch.manual_seed(config.training.seed)
        self._config, self._squares, self._rows = config, squares, rows
        outlined = np.array([bool((squares.labels[row] & TUMOUR).any()) for row in rows])
        self._classes = classes_of(config, items, squares, rows, outlined)
        self._weights = torch.from_numpy(sampling_weights(config, items, squares, rows, outlined))
        self._augment = SegmentationAugment(
            config.augmentation,
            config.model.size,
            config.data.classes.index(config.data.no_tumour),
        )
        self.network = self._begun()
        self.average = make_average(self.network)
        self._optimiser = _optimiser(self.network, config.training)
        self.step = 0

    def _begun(self) -> Segmenter:
        model = self._config.model
        count = len(self._config.data.classes)
        network = create_segmenter(model.architecture, count, **model.options)
        if network.dimensions != 2:
            reason = "It takes whole volumes, and training is on slices."
            raise InputError(model.architecture, reason, "Choose another architecture.")
        network.to(memory_format=torch.channels_last)
        if model.initial_weights:
            load_weights(network, Path(model.initial_weights))
            self._augment.seed(0)
            batches = [self._batch(step).images for step in range(8)]
            restore_norms(network, network.get_submodule("stages"), batches)
        return network

    def _batch(self, step: int) -> Batch:
        """What a step learns from; a function of the seed and the step's number."""
        seed = self._config.training.seed * 1_000_003 + step
        generator = torch.Generator().manual_seed(seed)
        picked = torch.multinomial(
            self._weights, self._config.training.batch, replacement=True, generator=generator
        ).numpy()
        rows = self._rows[picked]
        images = torch.from_numpy(np.stack([self._squares.images[row] for row in rows]))
        labels = torch.from_numpy(np.stack([self._squares.labels[row] for row in rows]))
        classes = torch.from_numpy(self._classes[picked])
        self._augment.seed(seed)
        return self._augment(Batch(images[:, None].float() / 255, labels[:, None], classes))

    def run(self, folder: Path, progress: Progress) -> dict[str, Tensor]:
        """Train to the end and answer the averaged weights."""
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / LAST).is_file():
            self._resume(folder / LAST)
        settings, began, sums = self._config.training, time.monotonic(), Counter[str]()
        while self.step < settings.steps:
            sums.update(self.one_step())
            if self.step % _LOG == 0:
                entry = {key: round(value / _LOG, 4) for key, value in sums.items()}
                entry |= {"step": self.step, "seconds": round(time.monotonic() - began, 1)}
                with (folder / "log.jsonl").open("a") as log:
                    log.write(json.dumps(entry) + "\n")
                sums.clear()
                progress("step", self.step, settings.steps, **entry)
            if self.step % settings.save_every == 0 or self.step == settings.steps:
                self._save(folder / LAST)
        return dict(self.average.module.state_dict())

    def one_step(self) -> dict[str, float]:
        """Learn from one batch; its losses by name."""
        settings = self._config.training
        for group in self._optimiser.param_groups:
            group["lr"] = _rate(self.step, settings)
        batch = self._batch(self.step)
        torch.manual_seed(self._config.training.seed * 1_000_003 + self.step)  # dropout
        self.network.train()
        losses = losses_of(self.network, batch, self._config.training)
        total = sum(losses.values(), torch.zeros(()))
        self._optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self._optimiser.step()
        update_average(self.average, self.network, self.step, self._config.training.ema_decay)
        self.step += 1
        return {key: float(value.detach()) for key, value in losses.items()}

    def _save(self, path: Path) -> None:
        tensors = {
            **{f"network.{k}": v for k, v in self.network.state_dict().items()},
            **{f"average.{k}": v for k, v in self.average.module.state_dict().items()},
            **{
                f"optimiser.{k}": v
                for k, v in checkpoint.flatten_optimiser(self._optimiser.state_dict()).items()
            },
        }
        checkpoint.write_checkpoint(path, Checkpoint(tensors, {"step": self.step}))

    def _resume(self, path: Path) -> None:
        stored = checkpoint.read_checkpoint(path)
        self.network.load_state_dict(stored.part("network."))
        self.average.module.load_state_dict(stored.part("average."))
        state = checkpoint.restore_optimiser(
            stored.part("optimiser."), self._optimiser.state_dict()
        )
        self._optimiser.load_state_dict(state)
        self.step = int(stored.notes["step"])


def classes_of(
    config: SegmentationConfig,
    items: Sequence[Outlined],
    squares: Squares,
    rows: NDArray[np.int64],
    outlined: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """``(N,)`` the class of what is outlined in each square; of a square without, no tumour."""
    none = config.data.classes.index(config.data.no_tumour)
    stated = [config.data.classes.index(items[item].label) for item in squares.items[rows]]
    return np.where(outlined, np.array(stated), none)


def sampling_weights(
    config: SegmentationConfig,
    items: Sequence[Outlined],
    squares: Squares,
    rows: NDArray[np.int64],
    outlined: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """``(N,)`` how often each square is drawn.

    Collections have their shares, squares with and without a tumour half of it each, and within
    these a group of n squares counts as √n.
    """
    groups = [items[item].group for item in squares.items[rows]]
    kinds = [
        (items[item].collection, bool(has))
        for item, has in zip(squares.items[rows], outlined, strict=True)
    ]
    in_group = Counter(zip(groups, kinds, strict=True))
    weights = np.array([in_group[pair] ** -0.5 for pair in zip(groups, kinds, strict=True)])
    of_kind: dict[tuple[str, bool], float] = defaultdict(float)
    for kind, weight in zip(kinds, weights, strict=True):
        of_kind[kind] += float(weight)
    halves = Counter(collection for collection, _ in of_kind)
    shares = config.data.shares or dict(Counter(collection for collection, _ in kinds))
    scale = [shares.get(kind[0], 0.0) / halves[kind[0]] / of_kind[kind] for kind in kinds]
    return np.asarray(weights * np.array(scale))


def _optimiser(network: Segmenter, settings: SegmentationTraining) -> torch.optim.Optimizer:
    parameters = list(network.parameters())
    groups: list[dict[str, Any]] = [
        {"params": [one for one in parameters if one.ndim > 1]},
        {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, settings.lr, weight_decay=settings.weight_decay)


def _rate(step: int, settings: SegmentationTraining) -> float:
    warmup = settings.warmup * settings.steps
    if step < warmup:
        return settings.lr * (step + 1) / (warmup + 1)
    share = (step - warmup) / max(1.0, settings.steps - warmup)
    return settings.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))
