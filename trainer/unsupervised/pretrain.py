"""Self-supervised pretraining on studies without labels: SimSiam.

Chen & He, "Exploring simple Siamese representation learning", CVPR 2021. Two random changes of a
picture are to have embeddings that predict each other. It needs neither negative pairs (SimCLR,
MoCo) nor a second, averaged network (BYOL), and so neither large batches nor twice the memory:
batches of 64 are enough, which is what a small machine has. Masked modelling would need
an encoder that skips what is masked, which the architectures here do not have.

Shapes: N pictures, S side, C channels, H W feature map, P width of the projection.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from trainer.runs.config import ModelSettings
from trainer.runs.network import create_network
from trainer.runs.publish import describe_provenance
from trainer.runs.run_context import RunContext
from trainer.tools.atomic_files import write_bytes, write_json
from trainer.tools.options import option
from trainer.training.augment import Augment, Augmentation
from trainer.training.image_store import ImageStore
from trainer.training.loop import LAST
from trainer.training.optimise import TrainingSettings
from trainer.unsupervised import unlabelled
from trainer.unsupervised.unsupervised_loop import UnsupervisedTrainer
from tumorviewer.errors import InputError
from tumorviewer.models.card import Preprocessing
from tumorviewer.networks import Classifier

WEIGHTS, RECORD = "start.safetensors", "start.json"
COLLAPSED = 0.1
"""Spread of the projections below which they are taken for constant."""
_METHOD = "SimSiam; Chen & He, CVPR 2021"


@dataclass(frozen=True)
class SimSiamSettings:
    """The table ``[pretraining]``."""

    projection: int = option(512, "width of the projection that is compared")
    prediction: int = option(128, "width of the bottleneck that predicts one from the other")


@dataclass(frozen=True)
class PretrainConfig:
    """Everything that decides a pretrained start, together with the data.

    Of ``[training]`` what concerns classes, validation and early stopping has no effect here, of
    ``[model]`` only the architecture and its options have one. Two changes of a picture must
    differ more than those that a classifier is trained with.
    """

    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    model: ModelSettings = field(default_factory=ModelSettings)
    training: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(
            epochs=100, optimiser="sgd", lr=0.03, weight_decay=1e-4, warmup_epochs=5, ema_decay=0
        )
    )
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(
            rotation=25, scale=0.6, shift=0.15, shear=10, gamma=0.6, contrast=0.4, brightness=0.2,
            bias_field=0.5, blur=0.5, erase=0.5,
        )
    )  # fmt: skip
    pretraining: SimSiamSettings = field(default_factory=SimSiamSettings)


class SimSiam(nn.Module):
    """A trunk, the projection of the mean of its feature map, and the prediction.

    The mean of the map stands for the embedding in every architecture: what a family's head adds
    to it is learned with the labels.
    """

    def __init__(self, classifier: Classifier, size: int, settings: SimSiamSettings) -> None:
        super().__init__()
        self.trunk = classifier.trunk
        with torch.inference_mode():
            channels = self.trunk.eval()(torch.zeros(1, 1, size, size)).shape[1]
        width, bottleneck = settings.projection, settings.prediction
        self.projection = nn.Sequential(
            nn.Linear(channels, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(inplace=True),
            nn.Linear(width, width, bias=False),
            nn.BatchNorm1d(width, affine=False),
        )
        self.prediction = nn.Sequential(
            nn.Linear(width, bottleneck, bias=False),
            nn.BatchNorm1d(bottleneck),
            nn.ReLU(inplace=True),
            nn.Linear(bottleneck, width),
        )

    def forward(self, x_N1SS: Tensor) -> Tensor:
        """Projections ``(N, P)``."""
        projected: Tensor = self.projection(self.trunk(x_N1SS).mean((2, 3)))
        return projected


def compute_simsiam_loss(
    network: nn.Module, augment: Augment, x_N1SS: Tensor, _label_N: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """The negative cosine of predictions and projections, whose gradient is stopped (Eq. 1–4)."""
    assert isinstance(network, SimSiam)
    one, other = network(augment(x_N1SS)), network(augment(x_N1SS))
    predicted = network.prediction(one), network.prediction(other)
    alike = functional.cosine_similarity(predicted[0], other.detach()).mean()
    loss = -(alike + functional.cosine_similarity(predicted[1], one.detach()).mean()) / 2
    return loss, {"spread": measure_spread(one.detach())}


def measure_spread(projection_NP: Tensor) -> Tensor:
    """How far projections are from being one and the same: 1 for directions at random, 0 when
    collapsed. The mean over the components of the deviation of unit vectors, times √P (Sec. 4.1).
    """
    unit = functional.normalize(projection_NP.float())
    return unit.std(0).mean() * math.sqrt(unit.shape[1])


def pretrain_network(
    data: Path,
    exclude: Path | None,
    skip_unreadable: bool,
    config: PretrainConfig,
    run: RunContext,
) -> dict[str, Any]:
    """Write ``start.safetensors``, which ``[model] initial_weights`` takes, and ``start.json``.

    Parameters
    ----------
    exclude
        As :func:`trainer.unsupervised.unlabelled.find_rows_apart_from`.

    Raises
    ------
    InputError
        If the folder holds another run, the embeddings collapsed, or anything that the user
        brought cannot be used.
    """
    run.claim(config, LAST, "pretraining")
    studies = unlabelled.read_unlabelled(
        data, config.preprocessing, run.cache_folder, skip_unreadable, run.progress
    )
    rows = unlabelled.find_rows_apart_from(studies, exclude)
    if len(rows) < 2:
        raise InputError(str(data), "There are fewer than two pictures to learn from.")
    torch.manual_seed(config.training.seed)
    network = SimSiam(
        create_network(config.model, 2), config.preprocessing.size, config.pretraining
    )
    trainer = UnsupervisedTrainer(
        network,
        compute_simsiam_loss,
        ImageStore(studies.array, run.device),
        torch.from_numpy(rows),
        torch.zeros(len(studies.array), dtype=torch.long),
        config.training,
        config.augmentation,
        run.device,
    )
    trainer.resume(run.out)
    run.progress.say(f"learning from {len(rows)} of {len(studies.array)} pictures, on {run.device}")
    trained = trainer.run(run.out, run.progress)
    _refuse_collapse(trainer, run)
    kept = trained.state_dict().items()
    tensors = {name: one.cpu().contiguous() for name, one in kept if name.startswith("trunk.")}
    write_bytes(run.out / WEIGHTS, save(tensors))
    record = {
        "method": _METHOD,
        "architecture": config.model.architecture,
        "options": config.model.options,
        "data": {
            "name": data.resolve().name,
            "pictures": len(rows),
            "held_out_or_their_twins": len(studies.array) - len(rows),
            "sha256": studies.fingerprint(rows),
        },
        "epochs": trainer.epoch,
        "hours": trainer.hours,
        **{name: trainer.log[-1][name] for name in ("loss", "spread")},
        **describe_provenance(run.device, run.command),
    }
    write_json(run.out / RECORD, record)
    return record


def _refuse_collapse(trainer: UnsupervisedTrainer, run: RunContext) -> None:
    found = trainer.log[-1]["spread"]
    if found < COLLAPSED:
        reason = f"All pictures have the same embedding (spread {found:.3f}, healthy is near 1)."
        remedy = "Use a lower learning rate, larger batches or other augmentation."
        raise InputError(str(run.out), reason, remedy)
