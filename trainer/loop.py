"""The training loop: short, plain torch, resumable after any epoch.

Shapes: N pictures, S side, K classes.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from trainer import checkpoint
from trainer.augment import Augment, Augmentation
from trainer.checkpoint import Checkpoint
from trainer.files import write_text
from trainer.metrics import log_loss, macro_f1
from trainer.optimise import MovingAverage, TrainingSettings, learning_rate, make_optimiser
from trainer.progress import Progress
from trainer.split import Split
from tumorviewer.errors import InputError

LAST, BEST, LOG = "last.safetensors", "best.safetensors", "log.jsonl"
_SHARE_OF_GPU = 0.5

SoftTargets = Callable[[Tensor], Tensor]
"""Pictures ``(N, 1, S, S)`` to a teacher's probabilities ``(N, K)``."""


@dataclass(frozen=True)
class Distillation:
    """How much a teacher counts beside the labels."""

    teacher: SoftTargets
    weight: float
    temperature: float


class Store:
    """Pictures on the device where they fit, else in the memory map; batches from either."""

    def __init__(self, array_NSS: NDArray[np.uint8], device: torch.device) -> None:
        self._device = device
        self._array = array_NSS
        self._on_device: Tensor | None = None
        if device.type == "cuda" and array_NSS.nbytes < _SHARE_OF_GPU * _free_memory(device):
            self._on_device = torch.from_numpy(np.array(array_NSS)).to(device)

    def batch(self, rows_N: Tensor) -> Tensor:
        """``(N, 1, S, S)`` float in 0–1."""
        if self._on_device is not None:
            pictures = self._on_device[rows_N]
        else:
            pictures = torch.from_numpy(self._array[rows_N.cpu().numpy()]).to(self._device)
        return pictures.unsqueeze(1).float().div_(255)


def _free_memory(device: torch.device) -> int:
    return int(torch.cuda.mem_get_info(device)[0])


class Trainer:
    """Trains one network on one split, keeping its state in ``folder``."""

    def __init__(
        self,
        network: nn.Module,
        store: Store,
        labels: NDArray[np.int64],
        split: Split,
        settings: TrainingSettings,
        augmentation: Augmentation,
        device: torch.device,
        distillation: Distillation | None = None,
    ) -> None:
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = MovingAverage(self.network, settings.ema_decay)
        self.optimiser = make_optimiser(self.network, settings)
        self._store, self._settings, self._device = store, settings, device
        self._labels = torch.from_numpy(labels).to(device)
        self._train = torch.from_numpy(split.train)
        self._validation = torch.from_numpy(split.validation)
        self._held_labels = labels[split.validation]
        self._classes = int(labels.max()) + 1
        self._augment = Augment(augmentation, device)
        self._distillation = distillation
        self._weights = self._class_weights(labels[split.train])
        self.epoch, self.stale = 0, 0
        self.best: dict[str, Any] = {}
        self.log: list[dict[str, Any]] = []

    def run(self, folder: Path, progress: Progress) -> dict[str, Tensor]:
        """Train to the end and answer the weights that are kept.

        Raises
        ------
        InputError
            If the loss is no longer finite, or a checkpoint cannot be written; the last good one
            stands.
        """
        epochs = self._settings.epochs
        while self.epoch < epochs and not self._is_over():
            entry = self._one_epoch(folder)
            self._save(folder)
            progress("epoch", self.epoch, epochs, **entry)
        if self._settings.keep == "best" and self.best:
            return checkpoint.read(folder / BEST).tensors
        return dict(self.average.network.state_dict())

    def _is_over(self) -> bool:
        patience = self._settings.patience
        return self._settings.keep == "best" and 0 < patience <= self.stale

    def _one_epoch(self, folder: Path) -> dict[str, Any]:
        started = time.monotonic()
        loss = self._train_epoch()
        if not math.isfinite(loss):
            raise InputError(
                str(folder),
                f"The loss of epoch {self.epoch + 1} is not a number; the checkpoint of epoch "
                f"{self.epoch} is kept.",
                "Use a lower learning rate, a longer warm-up or precision fp32.",
            )
        self.epoch += 1
        entry: dict[str, Any] = {"loss": loss}
        if len(self._validation):
            entry |= self._validate(folder)
        entry["seconds"] = round(time.monotonic() - started, 3)
        self.log.append({"epoch": self.epoch, **entry})
        return entry

    def _train_epoch(self) -> float:
        seed = self._settings.seed * 1_000_003 + self.epoch
        torch.manual_seed(seed)
        self._augment.seed(seed)
        self.network.train()
        batches = list(self._batches(torch.Generator().manual_seed(seed)))
        total = torch.zeros((), device=self._device)
        for number, rows in enumerate(batches):
            step = self.epoch * len(batches) + number
            rate = learning_rate(step, len(batches), self._settings)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            total += self._step(rows)
            self.average.update(self.network, step)
        return float(total) / len(batches)

    def _batches(self, generator: torch.Generator) -> Iterator[Tensor]:
        """Shuffled rows in full batches, a single smaller one if there are no more."""
        order = self._train[torch.randperm(len(self._train), generator=generator)]
        size = min(self._settings.batch, len(order))
        whole = len(order) // size * size
        return iter(order[:whole].to(self._device).split(size))

    def _step(self, rows: Tensor) -> Tensor:
        target = functional.one_hot(self._labels[rows], self._classes).float()
        pictures, target = self._augment.mix(self._augment(self._store.batch(rows)), target)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        with self._autocast():
            logits = self.network(pictures)
        loss = self._loss(logits.float(), target, pictures)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return loss.detach()

    def _loss(self, logits: Tensor, target: Tensor, pictures: Tensor) -> Tensor:
        smoothing = self._settings.label_smoothing
        loss = functional.cross_entropy(logits, target, self._weights, label_smoothing=smoothing)
        if (distillation := self._distillation) is None:
            return loss
        t = distillation.temperature
        with torch.no_grad(), self._autocast():
            soft = distillation.teacher(pictures)
        soft = torch.softmax(soft.clamp_min(1e-8).log() / t, 1)
        taught = (
            functional.kl_div(functional.log_softmax(logits / t, 1), soft, reduction="batchmean")
            * t
            * t
        )
        return loss.lerp(taught, distillation.weight)

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self._device.type == "cuda" and self._settings.precision == "bf16":
            return torch.autocast("cuda", torch.bfloat16)
        return contextlib.nullcontext()

    def _class_weights(self, labels: NDArray[np.int64]) -> Tensor | None:
        if self._settings.class_weights == "none":
            return None
        counts = np.bincount(labels, minlength=self._classes)
        weights = len(labels) / (self._classes * np.maximum(counts, 1))
        return torch.tensor(weights, dtype=torch.float32, device=self._device)

    def _validate(self, folder: Path) -> dict[str, float]:
        logits = predict(self.average.network, self._store, self._validation, self._device)
        figures = {
            "log_loss": log_loss(logits, self._held_labels),
            "accuracy": float((logits.argmax(1) == self._held_labels).mean()),
            "macro_f1": macro_f1(logits.argmax(1), self._held_labels, self._classes),
        }
        monitor = self._settings.monitor
        sign = 1 if monitor == "log_loss" else -1
        if not self.best or sign * figures[monitor] < sign * self.best[monitor]:
            self.best = {"epoch": self.epoch, **figures}
            self.stale = 0
            weights = dict(self.average.network.state_dict())
            checkpoint.write(folder / BEST, Checkpoint(weights, self.best))
        else:
            self.stale += 1
        return figures

    def _save(self, folder: Path) -> None:
        tensors = {
            **{f"network.{name}": one for name, one in self.network.state_dict().items()},
            **{f"average.{name}": one for name, one in self.average.network.state_dict().items()},
            **{
                f"optimiser.{name}": one
                for name, one in checkpoint.flatten_optimiser(self.optimiser.state_dict()).items()
            },
        }
        notes = {"epoch": self.epoch, "stale": self.stale, "best": self.best, "log": self.log}
        checkpoint.write(folder / LAST, Checkpoint(tensors, notes))
        write_text(folder / LOG, "".join(json.dumps(entry) + "\n" for entry in self.log))

    def resume(self, folder: Path) -> None:
        """Take up the last checkpoint.

        Raises
        ------
        InputError
            If it is damaged or of another architecture.
        """
        stored = checkpoint.read(folder / LAST)
        try:
            self.network.load_state_dict(stored.part("network."))
            self.average.network.load_state_dict(stored.part("average."))
        except RuntimeError as error:
            reason = "The checkpoint is of another architecture."
            raise InputError(str(folder / LAST), reason) from error
        fresh = self.optimiser.state_dict()
        flat = stored.part("optimiser.")
        self.optimiser.load_state_dict(checkpoint.restore_optimiser(flat, fresh))
        self.epoch, self.stale = stored.notes["epoch"], stored.notes["stale"]
        self.best, self.log = stored.notes["best"], stored.notes["log"]


@torch.inference_mode()
def predict(
    network: nn.Module, store: Store, rows: Tensor, device: torch.device, batch: int = 256
) -> NDArray[np.float64]:
    """Logits ``(N, K)`` in float32 arithmetic, as inference computes them."""
    network.eval()
    parts = [
        network(store.batch(some).contiguous(memory_format=torch.channels_last))
        for some in rows.to(device).split(batch)
    ]
    return torch.cat(parts).double().cpu().numpy()
