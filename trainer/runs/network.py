"""The network of a run, with the weights that it starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from trainer.runs.config import ModelSettings
from trainer.runs.run_context import TrainingContext
from trainer.training import distributed, initial_weights
from trainer.training.image_store import ImageStore
from trainer.training.initial_weights import InitialWeights
from tumorviewer import networks
from tumorviewer.errors import InputError
from tumorviewer.networks import Classifier

_CALIBRATION_IMAGES = 1024


@dataclass(frozen=True, eq=False)
class StartedNetwork:
    """A network and what it started from, None for random weights."""

    network: Classifier
    start: InitialWeights | None = None


def build_network(context: TrainingContext) -> StartedNetwork:
    """The network that the configuration names, with its initial weights.

    Raises
    ------
    InputError
        If there is no such network, its options or images do not fit, or the weights cannot be
        used.
    """
    torch.manual_seed(context.config.training.seed)
    model, seen = context.config.model, context.config.preprocessing
    network = create_network(model, len(context.material.dataset.classes))
    if objection := network.objection(seen.size, seen.neighbours):
        raise InputError("[preprocessing]", objection)
    if not model.initial_weights:
        return StartedNetwork(network)
    return _start(context, network)


def create_network(model: ModelSettings, classes: int) -> Classifier:
    """A network with random weights.

    Raises
    ------
    InputError
        If there is no such architecture, or it does not take these options.
    """
    try:
        return networks.create_network(model.architecture, classes, **model.options)
    except (TypeError, ValueError) as error:
        raise InputError("[model]", f"The network cannot be built: {error}.") from error


def _start(context: TrainingContext, network: Classifier) -> StartedNetwork:
    where, material, parts = context.config.model.initial_weights, context.material, context.parts
    with distributed.let_one_go_first():
        start = initial_weights.start_from_weights(
            network, where, material.dataset.classes, fetch=context.run.fetch
        )
    if (before := initial_weights.read_start_items(where)) and len(parts.judged):
        start = replace(start, held_out_seen=material.share_in(before, parts.judged))
    if seen := start.held_out_seen:
        context.run.progress.say(f"the start was trained on {seen:.0%} of what it is judged on")
    network = network.to(context.run.device)
    _restore_norms(context, network)
    return StartedNetwork(network, start)


def _restore_norms(context: TrainingContext, network: Classifier) -> None:
    part = network.get_submodule(network.pretrained.rstrip("."))
    if initial_weights.has_folded_norms(part):
        generator = np.random.default_rng(context.config.training.seed)
        some = torch.from_numpy(generator.permutation(context.parts.train)[:_CALIBRATION_IMAGES])
        store = ImageStore(context.material.pictures.array, context.run.device)
        initial_weights.restore_norms(network, part, store.batches(some.split(64)))
