"""The training loop for a loss without validation: self-supervised starts and generators.

Shapes: N pictures, S side.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainer.tools.atomic_files import write_text
from trainer.tools.progress import Progress
from trainer.training import checkpoint
from trainer.training.augment import Augment, Augmentation
from trainer.training.checkpoint import Checkpoint
from trainer.training.image_store import ImageStore
from trainer.training.loop import LAST, LOG
from trainer.training.optimise import (
    TrainingSettings,
    compute_learning_rate,
    make_average,
    make_optimiser,
    update_average,
)
from tumorviewer.errors import InputError

Objective = Callable[[nn.Module, Augment, Tensor, Tensor], tuple[Tensor, dict[str, Tensor]]]
"""The network, the augmentation, pictures ``(N, 1, S, S)`` in 0–1 and labels ``(N,)`` to the loss,
and figures to be averaged over the epoch. What is random in it comes from the augmentation and from
torch's own generators, which are seeded anew for each epoch."""


class UnsupervisedTrainer:
    """Trains one network for all epochs, keeping its state in a folder after each.

    Parameters
    ----------
    rows
        ``(M,)`` rows of ``store`` to train on.
    labels
        ``(N,)`` one for each row of ``store``; zeros where the objective needs none.
    """

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        store: ImageStore,
        rows: Tensor,
        labels: Tensor,
        settings: TrainingSettings,
        augmentation: Augmentation,
        device: torch.device,
    ) -> None:
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = make_average(self.network)
        self.optimiser = make_optimiser(self.network, settings)
        self._objective, self._store, self._rows = objective, store, rows
        self._labels = labels.to(device)
        self._settings, self._device = settings, device
        self._augment = Augment(augmentation, device)
        self.epoch = 0
        self.log: list[dict[str, Any]] = []

    @property
    def hours(self) -> float:
        """That all its epochs took."""
        return round(math.fsum(entry["seconds"] for entry in self.log) / 3600, 4)

    def run(self, folder: Path, progress: Progress) -> nn.Module:
        """Train to the end and answer the averaged network.

        Raises
        ------
        InputError
            If the loss is no longer finite, or a checkpoint cannot be written; the last good one
            stands.
        """
        progress.begin("epoch", self.epoch)
        while self.epoch < self._settings.epochs:
            started = time.monotonic()
            figures = self._train_epoch()
            if not math.isfinite(figures["loss"]):
                raise InputError(
                    str(folder),
                    f"The loss of epoch {self.epoch + 1} is not a number; the checkpoint of epoch "
                    f"{self.epoch} is kept.",
                    "Use a lower learning rate or a longer warm-up.",
                )
            self.epoch += 1
            figures["seconds"] = round(time.monotonic() - started, 3)
            self.log.append({"epoch": self.epoch, **figures})
            self._save(folder)
            progress("epoch", self.epoch, self._settings.epochs, **figures)
        return self.average.module

    def _train_epoch(self) -> dict[str, float]:
        seed = self._settings.seed * 1_000_003 + self.epoch
        torch.manual_seed(seed)
        self._augment.seed(seed)
        self.network.train()
        batches = self._batches(torch.Generator().manual_seed(seed))
        sums: dict[str, Tensor] = {}
        for number, pictures in enumerate(self._store.batches(batches)):
            step = self.epoch * len(batches) + number
            rate = compute_learning_rate(step, len(batches), self._settings)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            figures = self._step(pictures, self._labels[batches[number].to(self._device)])
            update_average(self.average, self.network, step, self._settings.ema_decay)
            sums = {name: sums.get(name, 0) + value for name, value in figures.items()}
        return {name: float(value) / len(batches) for name, value in sums.items()}

    def _batches(self, generator: torch.Generator) -> list[Tensor]:
        """Shuffled rows in full batches, a single smaller one if there are no more."""
        order = self._rows[torch.randperm(len(self._rows), generator=generator)]
        size = min(self._settings.batch, len(order))
        return list(order[: len(order) // size * size].split(size))

    def _step(self, x_N1SS: Tensor, label_N: Tensor) -> dict[str, Tensor]:
        with self._autocast():
            loss, figures = self._objective(self.network, self._augment, x_N1SS, label_N)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if self._settings.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self._settings.clip)
        self.optimiser.step()
        return {"loss": loss.detach(), **figures}

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self._device.type == "cuda" and self._settings.precision == "bf16":
            return torch.autocast("cuda", torch.bfloat16)
        return contextlib.nullcontext()

    def _save(self, folder: Path) -> None:
        state = checkpoint.flatten_optimiser(self.optimiser.state_dict())
        parts = {
            "network.": self.network.state_dict(),
            "average.": self.average.module.state_dict(),
            "optimiser.": state,
        }
        tensors = {
            prefix + name: one for prefix, part in parts.items() for name, one in part.items()
        }
        notes = {"epoch": self.epoch, "log": self.log}
        checkpoint.write_checkpoint(folder / LAST, Checkpoint(tensors, notes))
        write_text(folder / LOG, "".join(json.dumps(entry) + "\n" for entry in self.log))

    def resume(self, folder: Path) -> None:
        """Take up the last checkpoint, if there is one.

        Raises
        ------
        InputError
            If it is damaged or of another architecture.
        """
        if not (folder / LAST).is_file():
            return
        stored = checkpoint.read_checkpoint(folder / LAST)
        try:
            self.network.load_state_dict(stored.part("network."))
            self.average.module.load_state_dict(stored.part("average."))
        except RuntimeError as error:
            reason = "The checkpoint is of another architecture."
            raise InputError(str(folder / LAST), reason) from error
        flat, fresh = stored.part("optimiser."), self.optimiser.state_dict()
        self.optimiser.load_state_dict(checkpoint.restore_optimiser(flat, fresh))
        self.epoch, self.log = stored.notes["epoch"], stored.notes["log"]
