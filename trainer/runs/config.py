"""The configuration of a run: tables that the components own, composed."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainer.data.split import SplitSettings
from trainer.tools.options import build_settings, option
from trainer.training.augment import Augmentation
from trainer.training.guidance import GuidanceSettings
from trainer.training.optimise import TrainingSettings
from tumorviewer.errors import InputError
from tumorviewer.language import later
from tumorviewer.models.card import Preprocessing


@dataclass(frozen=True)
class DataSettings:
    """The table ``[data]``."""

    name: str = option("", "name of the data set on the card; empty: its folder's name")
    licence: str = option("", "licence of the data set, for the card")
    ship_pictures: bool = option(
        False, "whether its licence lets small pictures of it be shipped with the model"
    )
    classes: tuple[str, ...] = option((), "folders or labels to use; empty: all")
    slices: str = option(
        "refuse",
        "which slices of a volume carry its label where no table says so: "
        '"refuse", "all", or "middle N"',
    )
    synthetic: str = option(
        "", "folder of generate sample, whose pictures are added to the training part only"
    )


@dataclass(frozen=True)
class ModelSettings:
    """The table ``[model]``."""

    architecture: str = option("light_residual", "which network is trained")
    options: dict[str, Any] = field(
        default_factory=dict,
        metadata={"description": later("of the architecture: width, depth, dropout, …")},
    )
    initial_weights: str = option(
        "",
        "weights to start from: a file, a folder with torchvision's file names, torchvision (its "
        "cache), or catalogue:NAME; empty: at random",
    )
    mode: str = option(
        "all",
        'what is trained: "all" of it, its "upper" layers, or of a "frozen" network only what '
        "follows the embeddings, which are computed once and cached",
        ("all", "upper", "frozen"),
    )
    feature_copies: int = option(
        0, "augmented copies of each picture that a frozen network embeds beside the plain one"
    )


@dataclass(frozen=True)
class DistillationSettings:
    """The table ``[distillation]``."""

    teachers: tuple[str, ...] = option(
        (), "bundle folders, averaged; {fold} becomes the number of the validation fold"
    )
    weight: float = option(0.7, "share of the teachers in the loss; the labels have the rest")
    temperature: float = option(2.0, "that softens the answers of teachers and network alike")


@dataclass(frozen=True)
class CardSettings:
    """The table ``[card]``: what only a person can say of the model."""

    name: str = option("", "folder name in the catalogue; empty: the architecture's")
    version: str = option("1", "version of the model")
    title: str = option("", "what a list of models shows")
    summary: str = option("", "what the model is, in one paragraph")
    intended_use: str = option(
        "Research use only; not a medical device.", "what the model may be used for"
    )
    limits: tuple[str, ...] = option((), "what it must not be used for, a sentence each")
    licence: str = option("", "licence of the weights")
    labels: dict[str, str] = field(
        default_factory=dict, metadata={"description": later("what a reader sees for each class")}
    )
    no_tumour: str = option("", "the class that means that there is no tumour")
    references: tuple[str, ...] = option((), "papers and sources")


@dataclass(frozen=True)
class Config:
    """Everything that decides a run, together with the data."""

    data: DataSettings = field(default_factory=DataSettings)
    split: SplitSettings = field(default_factory=SplitSettings)
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    model: ModelSettings = field(default_factory=ModelSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    augmentation: Augmentation = field(default_factory=Augmentation)
    guidance: GuidanceSettings = field(default_factory=GuidanceSettings)
    distillation: DistillationSettings = field(default_factory=DistillationSettings)
    card: CardSettings = field(default_factory=CardSettings)


def read_config(path: Path | None, overrides: Sequence[str] = ()) -> Config:
    """The defaults, changed by a TOML file, changed by ``table.key=value`` overrides.

    Raises
    ------
    InputError
        If the file is no TOML, or a key or value is not known.
    """
    return build_settings(Config, read_tables(path, overrides), str(path or "--set"))


def read_tables(path: Path | None, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """What a TOML file and overrides say, before anything is made of it.

    Raises
    ------
    InputError
        If the file is no TOML, or an override is none.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InputError(str(path), f"The configuration cannot be read: {error}.") from error
    for override in overrides:
        _override(values, override)
    return values


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    table, dot, name = key.strip().partition(".")
    if not equals or not dot:
        raise InputError(override, "--set takes table.key=value.")
    section = values.setdefault(table, {})
    *path, last = name.split(".")
    for step in path:
        section = section.setdefault(step, {})
    section[last] = _value(text.strip())


def _value(text: str) -> Any:
    """A TOML value; what is none is text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return json.loads(json.dumps(text))
