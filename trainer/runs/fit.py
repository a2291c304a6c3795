"""One training run from data to bundle, in a folder of its own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.data import split, synthetic
from trainer.data.material import PreparedData
from trainer.evaluation import evaluate
from trainer.runs import crossval_results, publish
from trainer.runs.config import Config
from trainer.runs.network import StartedNetwork, build_network
from trainer.runs.run_context import BUNDLE, FIGURES, PREDICTIONS, RunContext, TrainingContext
from trainer.runs.trainer_parts import assemble_trainer
from trainer.tools.atomic_files import write_json
from trainer.training import distributed
from trainer.training.frozen_features import Remainder
from trainer.training.image_store import ImageStore
from trainer.training.loop import LAST, Trainer, predict_logits


def fit_run(material: PreparedData, config: Config, run: RunContext) -> dict[str, Any]:
    """Train, evaluate on the validation part and publish.

    Of several processes, the first evaluates and publishes; the others return no metrics.

    Returns
    -------
    dict
        What ``figures.json`` holds.

    Raises
    ------
    InputError
        If the folder holds another run, or anything that the user brought cannot be used.
    """
    context = _prepare_context(material, config, run)
    started = build_network(context)
    trainer = assemble_trainer(context, started.network)
    weights = _train(context, trainer, started)
    if not distributed.is_first():
        return {"figures": {}}
    result = _evaluate(context, started) | _describe_training(context, trainer, started)
    write_json(run.out / FIGURES, result)
    publish.write_bundle(run.out / BUNDLE, context, result, weights)
    return result


def _prepare_context(material: PreparedData, config: Config, run: RunContext) -> TrainingContext:
    """The run's folder is claimed, arithmetic set and the data divided."""
    if distributed.is_first():
        run.claim(config, LAST, "run")
    _set_precision(config, run.device)
    parts = split.choose_parts(material.dataset, material.groups, config.split)
    if config.data.synthetic:
        held = {material.pictures.sha256[row] for row in (*parts.validation, *parts.test)}
        synthetic.refuse_seen(Path(config.data.synthetic), held)
    context = TrainingContext(run, config, material, parts)
    run.progress.say(context.describe())
    return context


def _set_precision(config: Config, device: torch.device) -> None:
    if device.type == "cuda":
        full = config.training.precision == "fp32"
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = not full
        torch.set_float32_matmul_precision("highest" if full else "high")


def _train(
    context: TrainingContext, trainer: Trainer, started: StartedNetwork
) -> dict[str, Tensor]:
    """Train to the end; the kept weights of the whole network, which has them then."""
    run, network = context.run, started.network
    distributed.wait_for_all()
    if run.is_resumed:
        trainer.resume(run.out)
    trained = trainer.run(run.out, run.progress, run.epoch_listener(trainer.epoch))
    if distributed.is_first():
        network.load_state_dict(Remainder.of_whole(trained), strict=False)
    return network.state_dict()


def _evaluate(context: TrainingContext, started: StartedNetwork) -> dict[str, Any]:
    """Metrics on the validation part, or those of a cross-validation of the same settings."""
    run, config, material = context.run, context.config, context.material
    if not len(context.parts.validation):
        return crossval_results.read_crossval_metrics(
            run.figures_from, config, material.dataset.classes
        )
    store = ImageStore(material.pictures.array, run.device)
    network = started.network.to(run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def predict_rows(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return predict_logits(network, store, torch.from_numpy(rows))

    table = run.out / PREDICTIONS
    return evaluate.evaluate_held_out(material, context.parts, predict_rows, config.split, table)


def _describe_training(
    context: TrainingContext, trainer: Trainer, started: StartedNetwork
) -> dict[str, Any]:
    """Epoch that was kept, hours of training, and what the network started from."""
    keeps_best = context.config.training.keep == "best"
    described: dict[str, Any] = {
        "epoch": trainer.best.get("epoch") if keeps_best else trainer.epoch,
        "hours": round(sum(entry["seconds"] for entry in trainer.log) / 3600, 4),
    }
    if started.start:
        described["initial_weights"] = asdict(started.start)
    return described
