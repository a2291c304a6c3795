"""The training loop: short, plain torch, resumable after any epoch.

Shapes: N pictures, C channels, S side, D embedding, K classes.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from trainer.data.split import Split
from trainer.evaluation.metrics import compute_log_loss, compute_macro_f1
from trainer.tools.atomic_files import write_text
from trainer.tools.progress import Progress
from trainer.training import checkpoint, distributed, imbalance
from trainer.training.augment import Augment, Augmentation
from trainer.training.checkpoint import Checkpoint
from trainer.training.distillation import Distillation
from trainer.training.guidance import Guidance, Guided, Masked
from trainer.training.image_store import ImageStore
from trainer.training.optimise import (
    TrainingSettings,
    compute_learning_rate,
    make_average,
    make_optimiser,
    update_average,
)
from tumorviewer.errors import InputError

LAST, BEST, LOG = "last.safetensors", "best.safetensors", "log.jsonl"


def _laid_out(x: Tensor) -> Tensor:
    """Pictures with their channels last, as convolutions are fastest."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def _give_back_memory() -> None:
    """Give what is free to the system: glibc keeps it in pieces between the tensors that live."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None:
        trim(0)


def _unwatched(_entry: dict[str, Any]) -> None:
    pass


class Trainer:
    """Trains one network on one split, keeping its state in ``folder``.

    Parameters
    ----------
    augmentation
        None for embeddings, which it does not apply to.
    frozen
        Modules of the network that stay in inference mode.
    """

    def __init__(
        self,
        network: nn.Module,
        store: ImageStore,
        labels: NDArray[np.int64],
        split: Split,
        settings: TrainingSettings,
        augmentation: Augmentation | None,
        device: torch.device,
        distillation: Distillation | None = None,
        frozen: Sequence[nn.Module] = (),
        guidance: Guidance | None = None,
    ) -> None:
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = make_average(self.network)
        self.optimiser = make_optimiser(self.network, settings)
        answering = Guided(self.network) if guidance else self.network
        self._replica = distributed.replicate_network(answering, device)
        self._guidance = guidance
        self._frozen = frozen
        self._store, self._settings, self._device = store, settings, device
        self._labels = torch.from_numpy(labels).to(device)
        self._train = torch.from_numpy(split.train)
        self._validation = torch.from_numpy(split.validation)
        self._train_labels = torch.from_numpy(labels[split.train])
        self._held_labels = labels[split.validation]
        self._classes = int(labels.max()) + 1
        self._augment = Augment(augmentation, device) if augmentation else None
        self._distillation = distillation
        self._weights = (
            imbalance.compute_class_weights(labels[split.train], self._classes).to(device)
            if settings.class_weights == "balanced"
            else None
        )
        self.epoch, self.stale = 0, 0
        self.best: dict[str, Any] = {}
        self.log: list[dict[str, Any]] = []

    def run(
        self, folder: Path, progress: Progress, watch: Callable[[dict[str, Any]], None] = _unwatched
    ) -> dict[str, Tensor]:
        """Train to the end and answer the weights that are kept.

        Parameters
        ----------
        watch
            Is given the log entry of each epoch that was trained.

        Raises
        ------
        InputError
            If the loss is no longer finite, or a checkpoint cannot be written; the last good one
            stands.
        """
        epochs = self._settings.epochs
        progress.begin("epoch", self.epoch)
        while self.epoch < epochs and not self._is_over():
            entry = self._one_epoch(folder)
            self._save(folder)
            progress("epoch", self.epoch, epochs, **entry)
            watch(self.log[-1])
            _give_back_memory()
            distributed.wait_for_all()
        if self._settings.keep == "best" and self.best:
            return checkpoint.read_checkpoint(folder / BEST).tensors
        return dict(self.average.module.state_dict())

    def _is_over(self) -> bool:
        patience = self._settings.patience
        return self._settings.keep == "best" and 0 < patience <= self.stale

    def _one_epoch(self, folder: Path) -> dict[str, Any]:
        started = time.monotonic()
        loss = self._train_epoch()
        if not (math.isfinite(loss) and self._is_finite()):
            raise InputError(
                str(folder),
                f"The loss or a weight of epoch {self.epoch + 1} is not a number; the checkpoint "
                f"of epoch {self.epoch} is kept.",
                "Use a lower learning rate, a longer warm-up or precision fp32.",
            )
        self.epoch += 1
        entry: dict[str, Any] = {"loss": loss}
        if len(self._validation):
            entry |= self._validate(folder)
        entry["seconds"] = round(time.monotonic() - started, 3)
        self.log.append({"epoch": self.epoch, **entry})
        return entry

    def _is_finite(self) -> bool:
        return all(bool(one.isfinite().all()) for one in self.network.parameters())

    def _train_epoch(self) -> float:
        seed = self._settings.seed * 1_000_003 + self.epoch
        self._seed(seed + 500_009 * distributed.get_rank())
        self.network.train()
        for module in self._frozen:
            module.training = False
        batches = self._batches(torch.Generator().manual_seed(seed))
        own = [distributed.take_share(rows) for rows in batches]
        total = torch.zeros((), device=self._device)
        for number, pictures in enumerate(self._store.batches(own)):
            step = self.epoch * len(batches) + number
            rate = compute_learning_rate(step, len(batches), self._settings)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            total += self._step(pictures, own[number], len(batches[number]))
            update_average(self.average, self.network, step, self._settings.ema_decay)
        return distributed.average_over_processes(total) / len(batches)

    def _seed(self, seed: int) -> None:
        torch.manual_seed(seed)
        if self._augment:
            self._augment.seed(seed)

    def _batches(self, generator: torch.Generator) -> list[Tensor]:
        """Shuffled rows in full batches, a single smaller one if there are no more."""
        oversample = self._settings.oversample
        order = imbalance.shuffle_rows(self._train, self._train_labels, oversample, generator)
        size = min(self._settings.batch, len(order))
        whole = len(order) // size * size
        return list(order[:whole].split(size))

    def _step(self, pictures: Tensor, rows: Tensor, together: int) -> Tensor:
        """One step on this process's part of a batch of ``together`` pictures; answers the loss,
        whose mean over the processes is that of the batch."""
        target = functional.one_hot(self._labels[rows], self._classes).float()
        masked = self._guidance.batch(rows, self._device) if self._guidance else None
        if self._augment and masked:
            pictures, masks = self._augment.with_masks(pictures, masked.masks)
            masked = Masked(masks, masked.known)
        elif self._augment:
            pictures, target = self._augment.mix(self._augment(pictures), target)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self._gradient(pictures, target, masked, together)
        if self._settings.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self._settings.clip)
        self.optimiser.step()
        return loss

    def _gradient(
        self, pictures: Tensor, target: Tensor, masked: Masked | None, together: int
    ) -> Tensor:
        passes = min(self._settings.accumulate, len(pictures))
        total = torch.zeros((), device=self._device)
        guides = masked.split(passes) if masked else [None] * passes
        parts = zip(pictures.tensor_split(passes), target.tensor_split(passes), guides, strict=True)
        for number, (some, wanted, guide) in enumerate(parts, 1):
            with self._gradients_exchanged(number == passes):
                share = len(some) * distributed.count_processes() / together
                loss = self._loss(_laid_out(some), wanted, guide) * share
                loss.backward()
            total += loss.detach()
        return total

    def _gradients_exchanged(self, now: bool) -> contextlib.AbstractContextManager[Any]:
        if now or not isinstance(self._replica, DistributedDataParallel):
            return contextlib.nullcontext()
        return self._replica.no_sync()

    def _loss(self, pictures: Tensor, target: Tensor, masked: Masked | None) -> Tensor:
        settings = self._settings
        with self._autocast():
            answer = self._replica(pictures)
        logits = (answer[0] if masked else answer).float()
        loss = imbalance.compute_loss(
            logits, target, self._weights, settings.label_smoothing, settings.focal_gamma
        )
        if self._guidance and masked:
            loss = loss + self._guidance.loss(answer[1].float(), masked, target.argmax(1))
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
        precision, device = self._settings.precision, self._device.type
        wanted = precision == "bf16-everywhere" or (precision == "bf16" and device == "cuda")
        return torch.autocast(device, torch.bfloat16) if wanted else contextlib.nullcontext()

    def _validate(self, folder: Path) -> dict[str, float]:
        logits = self._held_logits()
        figures = {
            "log_loss": compute_log_loss(logits, self._held_labels),
            "accuracy": float((logits.argmax(1) == self._held_labels).mean()),
            "macro_f1": compute_macro_f1(logits.argmax(1), self._held_labels, self._classes),
        }
        monitor = self._settings.monitor
        sign = 1 if monitor == "log_loss" else -1
        if not self.best or sign * figures[monitor] < sign * self.best[monitor]:
            self.best = {"epoch": self.epoch, **figures}
            self.stale = 0
            weights = dict(self.average.module.state_dict())
            if distributed.is_first():
                checkpoint.write_checkpoint(folder / BEST, Checkpoint(weights, self.best))
        else:
            self.stale += 1
        return figures

    def _held_logits(self) -> NDArray[np.float64]:
        """Each process answers a part; all know the whole, and so decide alike."""
        distributed.copy_buffers(self.average.module)
        rows = distributed.take_share(self._validation)
        return distributed.gather_arrays(predict_logits(self.average.module, self._store, rows))

    def _save(self, folder: Path) -> None:
        if not distributed.is_first():
            return
        tensors = {
            **{f"network.{name}": one for name, one in self.network.state_dict().items()},
            **{f"average.{name}": one for name, one in self.average.module.state_dict().items()},
            **{
                f"optimiser.{name}": one
                for name, one in checkpoint.flatten_optimiser(self.optimiser.state_dict()).items()
            },
        }
        notes = {"epoch": self.epoch, "stale": self.stale, "best": self.best, "log": self.log}
        checkpoint.write_checkpoint(folder / LAST, Checkpoint(tensors, notes))
        self._write_log(folder)

    def _write_log(self, folder: Path) -> None:
        write_text(folder / LOG, "".join(json.dumps(entry) + "\n" for entry in self.log))

    def resume(self, folder: Path) -> None:
        """Take up the last checkpoint.

        Raises
        ------
        InputError
            If it is damaged or of another architecture.
        """
        stored = checkpoint.read_checkpoint(folder / LAST)
        try:
            self.network.load_state_dict(stored.part("network."))
            self.average.module.load_state_dict(stored.part("average."))
        except RuntimeError as error:
            reason = "The checkpoint is of another architecture."
            raise InputError(str(folder / LAST), reason) from error
        fresh = self.optimiser.state_dict()
        flat = stored.part("optimiser.")
        self.optimiser.load_state_dict(checkpoint.restore_optimiser(flat, fresh))
        self.epoch, self.stale = stored.notes["epoch"], stored.notes["stale"]
        self.best, self.log = stored.notes["best"], stored.notes["log"]
        if distributed.is_first():
            self._write_log(folder)  # it was killed, perhaps just before the last line


@torch.inference_mode()
def predict_logits(
    network: nn.Module, store: ImageStore, rows: Tensor, batch: int = 64
) -> NDArray[np.float64]:
    """Logits ``(N, K)`` in float32 arithmetic, as inference computes them."""
    network.eval()
    parts = [network(_laid_out(some)) for some in store.batches(rows.split(batch))]
    return torch.cat(parts).double().cpu().numpy()
