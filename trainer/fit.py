"""One training run from data to bundle, in a folder of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from trainer import evaluate, publish, split, start, teachers
from trainer.config import Config
from trainer.files import write_json, write_text
from trainer.loop import LAST, Distillation, Store, Trainer, predict
from trainer.material import Material
from trainer.options import to_toml
from trainer.progress import Progress
from trainer.split import Split
from tumorviewer import networks
from tumorviewer.errors import InputError
from tumorviewer.networks import Classifier

CONFIG, FIGURES, PREDICTIONS, BUNDLE = "config.toml", "figures.json", "predictions.csv", "bundle"
_CALIBRATION_PICTURES = 1024


@dataclass(frozen=True)
class Run:
    """Where and how to run."""

    out: Path
    device: torch.device
    resume: bool = False
    figures_from: Path | None = None
    """A finished cross-validation of the same settings, for a run without validation."""
    command: str = ""


def fit(material: Material, config: Config, run: Run, progress: Progress) -> dict[str, Any]:
    """Train, judge on the validation part and publish; answers what ``figures.json`` holds.

    Raises
    ------
    InputError
        If the folder holds another run, or anything that the user brought cannot be used.
    """
    claim(run, config, LAST, "run")
    _set_precision(config, run.device)
    parts = split.choose(material.dataset, material.groups, config.split)
    progress.say(_opening(material, parts, run.device))
    trainer = _trainer(material, config, parts, run.device)
    if run.resume and (run.out / LAST).is_file():
        trainer.resume(run.out)
    weights = trainer.run(run.out, progress)
    network = trainer.average.network
    network.load_state_dict(weights)
    result = _judge(material, config, run, parts, network)
    result["epoch"] = trainer.best.get("epoch") if config.training.keep == "best" else trainer.epoch
    result["hours"] = round(sum(entry["seconds"] for entry in trainer.log) / 3600, 4)
    write_json(run.out / FIGURES, result)
    publish.bundle(run.out / BUNDLE, material, config, parts, result, weights, run)
    return result


def claim(run: Run, config: Config, started: str, what: str) -> None:
    """Take the run's folder, or take it up again; its settings stand in ``config.toml``.

    Parameters
    ----------
    started
        Name of the file that tells that work was begun there.
    what
        What the folder then holds, in words.

    Raises
    ------
    InputError
        If work was begun there and is not to be resumed, or had other settings.
    """
    stored, text = run.out / CONFIG, to_toml(config)
    if stored.is_file() and (run.out / started).is_file():
        if not run.resume:
            reason = f"The folder holds a {what} already."
            raise InputError(str(run.out), reason, "Add --resume, or name another folder.")
        if stored.read_text(encoding="utf-8") != text:
            reason = f"The {what} in this folder has other settings."
            raise InputError(str(run.out), reason, f"Give --config {stored}.")
    write_text(stored, text)


def _set_precision(config: Config, device: torch.device) -> None:
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = config.training.precision != "fp32"
        full = config.training.precision == "fp32"
        torch.set_float32_matmul_precision("highest" if full else "high")


def _opening(material: Material, parts: Split, device: torch.device) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in material.dataset.counts().items())
    return (
        f"{len(material.dataset.items)} items ({counts}) in "
        f"{len(np.unique(material.groups))} groups by {material.grouped_by}; "
        f"training on {len(parts.train)}, validating on {len(parts.validation)}, on {device}"
    )


def _trainer(material: Material, config: Config, parts: Split, device: torch.device) -> Trainer:
    torch.manual_seed(config.training.seed)
    store = Store(material.pictures.array, device)
    return Trainer(
        _network(material, config, parts, store, device),
        store,
        material.dataset.labels(),
        parts,
        config.training,
        config.augmentation,
        device,
        _distillation(material, config, parts, device),
    )


def _network(
    material: Material, config: Config, parts: Split, store: Store, device: torch.device
) -> Classifier:
    classes, model = len(material.dataset.classes), config.model
    try:
        network = networks.create(model.architecture, classes, **model.options)
    except (TypeError, ValueError) as error:
        raise InputError("[model]", f"The network cannot be built: {error}.") from error
    if model.initial_weights:
        start.load_weights(network, Path(model.initial_weights))
        network = network.to(device)
        part = network.get_submodule(network.pretrained.rstrip("."))
        if start.has_folded_norms(part):
            drawn = np.random.default_rng(config.training.seed).permutation(parts.train)
            some = torch.from_numpy(drawn[:_CALIBRATION_PICTURES]).to(device)
            start.restore_norms(network, part, map(store.batch, some.split(64)))
    return network


def _distillation(
    material: Material, config: Config, parts: Split, device: torch.device
) -> Distillation | None:
    settings = config.distillation
    if not settings.teachers:
        return None
    folders = [Path(one.replace("{fold}", str(config.split.fold))) for one in settings.teachers]
    held = parts.validation.tolist()
    fingerprint = material.pictures.fingerprint(held) if held else ""
    teacher = teachers.load(
        folders, material.dataset.classes, config.preprocessing, fingerprint, device
    )
    return Distillation(teacher, settings.weight, settings.temperature)


def _judge(
    material: Material, config: Config, run: Run, parts: Split, network: nn.Module
) -> dict[str, Any]:
    """Figures on the validation part, or those of a cross-validation of the same settings."""
    if len(parts.validation):
        store = Store(material.pictures.array, run.device)
        logits = predict(network, store, torch.from_numpy(parts.validation), run.device)
        fold = config.split.fold if config.split.fold is not None else -1
        return evaluate.on_validation(material, parts, logits, fold, run.out / PREDICTIONS)
    if run.figures_from is None:
        return {"temperature": 1.0, "figures": {}}
    return evaluate.of_crossval(run.figures_from, config, material.dataset.classes)
