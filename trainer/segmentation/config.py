"""The configuration of a segmenter's training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainer.runs.config import CardSettings, read_tables
from trainer.segmentation.augment import SegmentationAugmentation
from trainer.tools.options import build_settings, option
from tumorviewer.models.card import SegmentationRules

DEFAULT_RULES = SegmentationRules(
    edge=0.4,
    seed=0.6,
    least_ml=0.1,
    least_mm2=20.0,
    least_share=0.0005,
    least_probability=0.3,
    least_in_volume=0.3,
    least_to_answer=0.3,
)


@dataclass(frozen=True)
class SegmentationData:
    """The table ``[data]``."""

    classes: tuple[str, ...] = option(
        ("glioma", "meningioma", "notumor", "pituitary"), "what outlined tissue may be"
    )
    no_tumour: str = option("notumor", "the class of what is not outlined")
    shares: dict[str, float] = field(
        default_factory=dict,
        metadata={"description": "share of each collection in what is drawn; empty: as it is"},
    )
    folds: int = option(5, "parts of whole groups, for cross-validation")


@dataclass(frozen=True)
class SegmenterSettings:
    """The table ``[model]``."""

    architecture: str = option("light_unet", "which network is trained")
    options: dict[str, Any] = field(
        default_factory=dict, metadata={"description": "of the architecture: width, …"}
    )
    initial_weights: str = option("", "weights to start from, a file; empty: at random")
    size: int = option(160, "side of the square that the network sees, pixels")


@dataclass(frozen=True)
class SegmentationTraining:
    """The table ``[training]``."""

    steps: int = option(1100, "steps, each of one batch")
    batch: int = option(32, "images a step")
    lr: float = option(2e-3, "highest learning rate")
    warmup: float = option(0.06, "share of the steps in which the rate rises")
    weight_decay: float = option(0.05, "pull of the weights towards zero")
    ema_decay: float = option(0.995, "of the moving average of the weights, a step")
    tumour: float = option(1.0, "weight of the loss of the tumour's outline")
    boundary: float = option(0.0, "weight of the boundary loss, beside Dice and cross-entropy")
    brain: float = option(0.3, "weight of the loss of the brain's outline")
    classes: float = option(0.5, "weight of the loss of what is outlined")
    precision: str = option(
        "fp32",
        "of the arithmetic; bf16 is faster on a CPU with AVX512-BF16 or AMX, and ten times slower "
        "on others",
        ("fp32", "bf16"),
    )
    save_every: int = option(100, "steps between two checkpoints")
    seed: int = option(0, "of the random weights, order and augmentation")


@dataclass(frozen=True)
class SegmentationConfig:
    """Everything that decides a run, together with the data."""

    data: SegmentationData = field(default_factory=SegmentationData)
    model: SegmenterSettings = field(default_factory=SegmenterSettings)
    training: SegmentationTraining = field(default_factory=SegmentationTraining)
    augmentation: SegmentationAugmentation = field(default_factory=SegmentationAugmentation)
    rules: SegmentationRules = field(default_factory=lambda: DEFAULT_RULES)
    card: CardSettings = field(default_factory=CardSettings)


def read_config(path: Path | None, overrides: Sequence[str] = ()) -> SegmentationConfig:
    """The defaults, changed by a TOML file, changed by ``table.key=value`` overrides.

    Raises
    ------
    InputError
        If the file is no TOML, or a key or value is not known.
    """
    return build_settings(SegmentationConfig, read_tables(path, overrides), str(path or "--set"))
