"""One training run from data to bundle, in a folder of its own."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainer.data import split, synthetic
from trainer.data.material import Material
from trainer.data.split import Split
from trainer.evaluation import evaluate
from trainer.runs import publish
from trainer.runs.config import Config
from trainer.tools.atomic_files import write_json, write_text
from trainer.tools.options import to_toml
from trainer.tools.progress import Progress
from trainer.training import distillation, distributed, guidance, initial_weights, tensorboard
from trainer.training.frozen_features import Embeddings, Remainder, freeze_lower
from trainer.training.guidance import Guidance
from trainer.training.initial_weights import Start
from trainer.training.loop import LAST, Distillation, Store, Trainer, predict
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
    cache: Path | None = None
    """Where the embeddings of a frozen network are kept; none: in ``out``."""
    tensorboard: bool = False
    fetch: bool = False
    """Whether pretrained weights may be downloaded."""


def fit(material: Material, config: Config, run: Run, progress: Progress) -> dict[str, Any]:
    """Train, judge on the validation part and publish; answers what ``figures.json`` holds.

    Of several processes, the first judges and publishes; the others answer no figures.

    Raises
    ------
    InputError
        If the folder holds another run, or anything that the user brought cannot be used.
    """
    if distributed.is_first():
        claim(run, config, LAST, "run")
    _set_precision(config, run.device)
    parts = split.choose(material.dataset, material.groups, config.split)
    if config.data.synthetic:
        held = {material.pictures.sha256[row] for row in (*parts.validation, *parts.test)}
        synthetic.refuse_seen(Path(config.data.synthetic), held)
    progress.say(_opening(material, parts, run.device))
    torch.manual_seed(config.training.seed)
    network, begun = _network(material, config, parts, run)
    if begun and begun.held_out_seen:
        progress.say(f"the start was trained on {begun.held_out_seen:.0%} of what it is judged on")
    trainer = _trainer(material, config, parts, run, network, progress)
    distributed.wait()
    if run.resume and (run.out / LAST).is_file():
        trainer.resume(run.out)
    trained = trainer.run(run.out, progress, _watch(run, trainer.epoch))
    if not distributed.is_first():
        return {"figures": {}}
    network.load_state_dict(Remainder.of_whole(trained), strict=False)
    weights = network.state_dict()
    result = _judge(material, config, run, parts, network)
    result["epoch"] = trainer.best.get("epoch") if config.training.keep == "best" else trainer.epoch
    result["hours"] = round(sum(entry["seconds"] for entry in trainer.log) / 3600, 4)
    result |= {"initial_weights": asdict(begun)} if begun else {}
    write_json(run.out / FIGURES, result)
    publish.bundle(run.out / BUNDLE, material, config, parts, result, weights, run)
    return result


def _watch(run: Run, epoch: int) -> Callable[[dict[str, Any]], None]:
    if run.tensorboard and distributed.is_first():
        return tensorboard.curves(run.out, epoch)
    return lambda _entry: None


def claim(run: Run, config: object, started: str, what: str) -> None:
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
    stored, text = run.out / CONFIG, to_toml(config)
    if stored.is_file() and any(run.out.glob(started)):
        if not run.resume:
            reason = f"The folder holds a {what} already."
            raise InputError(str(run.out), reason, "Add --resume, or name another folder.")
        if tomllib.loads(stored.read_text(encoding="utf-8")) != tomllib.loads(text):
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


def _trainer(
    material: Material,
    config: Config,
    parts: Split,
    run: Run,
    network: Classifier,
    progress: Progress,
) -> Trainer:
    if config.model.mode == "frozen":
        return _frozen_trainer(material, config, parts, run, network, progress)
    frozen = freeze_lower(network) if config.model.mode == "upper" else ()
    return Trainer(
        network,
        Store(material.pictures.array, run.device),
        material.dataset.labels(),
        parts,
        config.training,
        config.augmentation,
        run.device,
        _distillation(material, config, parts, run.device),
        frozen,
        _guidance(material, config, run, network, progress),
    )


def _frozen_trainer(
    material: Material,
    config: Config,
    parts: Split,
    run: Run,
    network: Classifier,
    progress: Progress,
) -> Trainer:
    """Each augmented copy of a picture is one more item to train on."""
    if config.distillation.teachers:
        reason = "A frozen network has no pictures for its teachers to look at."
        raise InputError("[distillation]", reason, "Use the mode upper or all.")
    array, copies = material.pictures.array, config.model.feature_copies
    remainder = Remainder(network, Store(array, torch.device("cpu")).batch(torch.arange(1)))
    embeddings = Embeddings(
        network,
        remainder.trained(),
        array,
        config.augmentation,
        copies,
        config.training.seed,
        run.device,
    )
    with distributed.one_first():
        stored = embeddings.cached(run.cache or run.out, progress)
    rounds = np.arange(copies + 1)[:, None] * len(array)
    return Trainer(
        remainder,
        Store(stored, run.device),
        np.tile(material.dataset.labels(), copies + 1),
        Split((parts.train + rounds).ravel(), parts.validation),
        config.training,
        None,
        run.device,
    )


def _guidance(
    material: Material, config: Config, run: Run, network: Classifier, progress: Progress
) -> Guidance | None:
    if not config.guidance.weight:
        return None
    if not network.is_guidable:
        reason = f"{config.model.architecture} has neither attention nor maps that could be guided."
        raise InputError("[guidance]", reason, "Use light_guided, light or cnn_attention.")
    if config.augmentation.mixup or config.augmentation.cutmix:
        raise InputError("[guidance]", "Mixed pictures have no outline.", "Use either.")
    with distributed.one_first():
        dataset = guidance.outlined(material.dataset, config.guidance.masks)
        cache = run.cache or run.out
        outlines = guidance.load(dataset, config.preprocessing, cache, progress)
    return Guidance(outlines, config.guidance.weight)


def _network(
    material: Material, config: Config, parts: Split, run: Run
) -> tuple[Classifier, Start | None]:
    classes, model = material.dataset.classes, config.model
    try:
        network = networks.create_network(model.architecture, len(classes), **model.options)
    except (TypeError, ValueError) as error:
        raise InputError("[model]", f"The network cannot be built: {error}.") from error
    seen = config.preprocessing
    if objection := network.objection(seen.size, seen.neighbours):
        raise InputError("[preprocessing]", objection)
    begun = None
    if model.initial_weights:
        with distributed.one_first():
            begun = initial_weights.begin(network, model.initial_weights, classes, fetch=run.fetch)
        if (before := initial_weights.items_of(model.initial_weights)) and len(parts.judged):
            begun = replace(begun, held_out_seen=publish.share_in(before, material, parts.judged))
        network = network.to(run.device)
        part = network.get_submodule(network.pretrained.rstrip("."))
        if initial_weights.has_folded_norms(part):
            drawn = np.random.default_rng(config.training.seed).permutation(parts.train)
            some = torch.from_numpy(drawn[:_CALIBRATION_PICTURES])
            batches = Store(material.pictures.array, run.device).batches(some.split(64))
            initial_weights.restore_norms(network, part, batches)
    return network, begun


def _distillation(
    material: Material, config: Config, parts: Split, device: torch.device
) -> Distillation | None:
    settings = config.distillation
    if not settings.teachers:
        return None
    folders = [Path(one.replace("{fold}", str(config.split.fold))) for one in settings.teachers]
    held = parts.validation.tolist()
    fingerprint = material.pictures.fingerprint(held) if held else ""
    teacher = distillation.load(
        folders, material.dataset.classes, config.preprocessing, fingerprint, device
    )
    return Distillation(teacher, settings.weight, settings.temperature)


def _judge(
    material: Material, config: Config, run: Run, parts: Split, network: nn.Module
) -> dict[str, Any]:
    """Figures on the validation part, or those of a cross-validation of the same settings."""
    if len(parts.validation):
        store = Store(material.pictures.array, run.device)
        network = network.to(run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

        def answer(rows: NDArray[np.int64]) -> NDArray[np.float64]:
            return predict(network, store, torch.from_numpy(rows))

        table = run.out / PREDICTIONS
        return evaluate.on_held_out(material, parts, answer, config.split, table)
    if run.figures_from is None:
        return {"temperature": 1.0, "figures": {}}
    return evaluate.of_crossval(run.figures_from, config, material.dataset.classes)
