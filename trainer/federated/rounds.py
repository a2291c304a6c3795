"""One round of federated training at a site: the common network, and weights in and out of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainer.data.material import PreparedData
from trainer.data.split import Split
from trainer.runs.config import Config
from trainer.runs.network import create_network
from trainer.runs.run_context import RunContext
from trainer.tools.progress import Progress
from trainer.training.image_store import ImageStore
from trainer.training.loop import Trainer
from trainer.training.optimise import TrainingSettings, compute_learning_rate
from tumorviewer.errors import InputError
from tumorviewer.networks import Classifier

Arrays = list[NDArray[Any]]


def build_initial_network(config: Config) -> Classifier:
    """The network that all sites begin with, the same for the same seed."""
    torch.manual_seed(config.training.seed)
    return create_network(config.model, len(config.data.classes))


def export_arrays(network: nn.Module) -> Arrays:
    """Weights and running statistics, in the order of the state dict."""
    return [tensor.detach().cpu().numpy() for tensor in network.state_dict().values()]


def load_arrays(network: nn.Module, arrays: Arrays) -> None:
    """The inverse, in place; an average of counters is rounded down.

    Raises
    ------
    InputError
        If they are not those of the network, or one is not finite.
    """
    state = network.state_dict()
    if [array.shape for array in arrays] != [tuple(tensor.shape) for tensor in state.values()]:
        raise InputError("federation", "The weights are of another network.")
    if not all(np.isfinite(array).all() for array in arrays):
        raise InputError("federation", "Some weights are not finite.", "Use a lower rate.")
    network.load_state_dict(
        {
            name: torch.from_numpy(np.array(array)).to(tensor.dtype)
            for (name, tensor), array in zip(state.items(), arrays, strict=True)
        }
    )


def make_local_settings(settings: TrainingSettings, number: int, rounds: int) -> TrainingSettings:
    """Of one round at a site, from 0: a constant rate that follows the schedule over the rounds.

    ``epochs`` are those of a round; warm-up is counted in rounds; there is no moving average, as
    the server averages.
    """
    whole = replace(settings, epochs=rounds)
    return replace(
        settings,
        lr=compute_learning_rate(number, 1, whole),
        warmup_epochs=0.0,
        final_lr=1.0,
        ema_decay=0.0,
        keep="last",
        patience=0,
        seed=settings.seed + 1 + number,
    )


def train_round(
    network: Classifier,
    material: PreparedData,
    rows: NDArray[np.int64],
    config: Config,
    place: tuple[int, int],
    run: RunContext,
) -> None:
    """Train a network on some rows for the epochs of one round, in place, by ``fit``'s own loop.

    Parameters
    ----------
    place
        Number of the round, from 0, and of how many.
    """
    trainer = Trainer(
        network,
        ImageStore(material.pictures.array, run.device),
        material.dataset.labels(),
        Split(rows, rows[:0]),
        make_local_settings(config.training, *place),
        config.augmentation,
        run.device,
    )
    network.load_state_dict(trainer.run(run.out, Progress("none")))
