"""Where and how a run is carried out, and what each of its steps works on."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from trainer.data.material import PreparedData
from trainer.data.split import Split
from trainer.runs.config import Config
from trainer.tools.atomic_files import write_text
from trainer.tools.options import export_toml
from trainer.tools.progress import Progress
from trainer.training import distributed, tensorboard
from trainer.training.loop import LAST
from tumorviewer.errors import InputError

CONFIG, FIGURES, PREDICTIONS, BUNDLE = "config.toml", "figures.json", "predictions.csv", "bundle"


@dataclass(frozen=True)
class RunContext:
    """Folder, device and reporter of a run, and what the user allowed it."""

    out: Path
    device: torch.device
    progress: Progress = field(default_factory=Progress)
    resume: bool = False
    figures_from: Path | None = None
    """A finished cross-validation of the same settings, for a run without validation."""
    command: str = ""
    cache: Path | None = None
    """Where decoded images and embeddings are kept; None: in ``out``."""
    tensorboard: bool = False
    fetch: bool = False
    """Whether pretrained weights may be downloaded."""

    @property
    def cache_folder(self) -> Path:
        """Where what can be computed again is kept."""
        return self.cache or self.out

    @property
    def is_resumed(self) -> bool:
        """Whether a checkpoint of this run is to be taken up."""
        return self.resume and (self.out / LAST).is_file()

    def claim(self, config: object, started: str, what: str) -> None:
        """Take the run's folder, or take it up again; its settings stand in ``config.toml``.

        Parameters
        ----------
        started
            Name of the file that tells that work was begun there, or a pattern of such names.
        what
            What the folder then holds, in words.

        Raises
        ------
        InputError
            If work was begun there and is not to be resumed, or had other settings.
        """
        stored, text = self.out / CONFIG, export_toml(config)
        if stored.is_file() and any(self.out.glob(started)):
            if not self.resume:
                reason = f"The folder holds a {what} already."
                raise InputError(str(self.out), reason, "Add --resume, or name another folder.")
            if tomllib.loads(stored.read_text(encoding="utf-8")) != tomllib.loads(text):
                reason = f"The {what} in this folder has other settings."
                raise InputError(str(self.out), reason, f"Give --config {stored}.")
        write_text(stored, text)

    def epoch_listener(self, epoch: int) -> Callable[[dict[str, Any]], None]:
        """What is given the log entry of each epoch after ``epoch``: TensorBoard's curves, or
        nothing."""
        if self.tensorboard and distributed.is_first():
            return tensorboard.open_tensorboard(self.out, epoch)
        return lambda _entry: None


@dataclass(frozen=True, eq=False)
class TrainingContext:
    """What every step from data to bundle works on."""

    run: RunContext
    config: Config
    material: PreparedData
    parts: Split

    def describe(self) -> str:
        """Items, groups and parts in one line."""
        material, parts = self.material, self.parts
        counts = ", ".join(f"{count} {name}" for name, count in material.dataset.counts().items())
        return (
            f"{len(material.dataset.items)} items ({counts}) in {material.count_groups()} groups "
            f"by {material.grouped_by}; training on {len(parts.train)}, validating on "
            f"{len(parts.validation)}, on {self.run.device}"
        )
