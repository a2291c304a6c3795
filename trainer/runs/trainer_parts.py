"""The trainer of a run: the loop with what the configuration adds to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from trainer.data.split import Split
from trainer.runs.run_context import TrainingContext
from trainer.training import distillation, distributed, guidance
from trainer.training.distillation import Distillation
from trainer.training.frozen_features import Embeddings, Remainder, freeze_lower
from trainer.training.guidance import Guidance
from trainer.training.image_store import ImageStore
from trainer.training.loop import Trainer
from tumorviewer.errors import InputError
from tumorviewer.networks import Classifier


def assemble_trainer(context: TrainingContext, network: Classifier) -> Trainer:
    """The loop on images, or on embeddings where the network is frozen.

    Raises
    ------
    InputError
        If the network, its teachers or the outlines cannot be used together.
    """
    config, run = context.config, context.run
    if config.model.mode == "frozen":
        return _frozen_trainer(context, network)
    frozen = freeze_lower(network) if config.model.mode == "upper" else ()
    return Trainer(
        network,
        ImageStore(context.material.pictures.array, run.device),
        context.material.dataset.labels(),
        context.parts,
        config.training,
        config.augmentation,
        run.device,
        _load_teachers(context),
        frozen,
        _load_guidance(context, network),
    )


def _frozen_trainer(context: TrainingContext, network: Classifier) -> Trainer:
    """Each augmented copy of an image is one more item to train on."""
    config, run, parts = context.config, context.run, context.parts
    if config.distillation.teachers:
        reason = "A frozen network has no pictures for its teachers to look at."
        raise InputError("[distillation]", reason, "Use the mode upper or all.")
    array, copies = context.material.pictures.array, config.model.feature_copies
    remainder = Remainder(network, ImageStore(array, torch.device("cpu")).batch(torch.arange(1)))
    embeddings = Embeddings(
        network,
        remainder.trained(),
        array,
        config.augmentation,
        copies,
        config.training.seed,
        run.device,
    )
    with distributed.let_one_go_first():
        stored = embeddings.cached(run.cache_folder, run.progress)
    rounds = np.arange(copies + 1)[:, None] * len(array)
    return Trainer(
        remainder,
        ImageStore(stored, run.device),
        np.tile(context.material.dataset.labels(), copies + 1),
        Split((parts.train + rounds).ravel(), parts.validation),
        config.training,
        None,
        run.device,
    )


def _load_guidance(context: TrainingContext, network: Classifier) -> Guidance | None:
    config = context.config
    if not config.guidance.weight:
        return None
    if not network.is_guidable:
        reason = f"{config.model.architecture} has neither attention nor maps that could be guided."
        raise InputError("[guidance]", reason, "Use light_guided, light or cnn_attention.")
    if config.augmentation.mixup or config.augmentation.cutmix:
        raise InputError("[guidance]", "Mixed pictures have no outline.", "Use either.")
    with distributed.let_one_go_first():
        dataset = guidance.find_outlined(context.material.dataset, config.guidance.masks)
        outlines = guidance.load_outlines(
            dataset, config.preprocessing, context.run.cache_folder, context.run.progress
        )
    return Guidance(outlines, config.guidance.weight)


def _load_teachers(context: TrainingContext) -> Distillation | None:
    config, material = context.config, context.material
    settings = config.distillation
    if not settings.teachers:
        return None
    folders = [Path(one.replace("{fold}", str(config.split.fold))) for one in settings.teachers]
    held = context.parts.validation.tolist()
    fingerprint = material.pictures.fingerprint(held) if held else ""
    teacher = distillation.load_teachers(
        folders, material.dataset.classes, config.preprocessing, fingerprint, context.run.device
    )
    return Distillation(teacher, settings.weight, settings.temperature)
