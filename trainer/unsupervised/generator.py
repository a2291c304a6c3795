"""A conditional generator of pictures: trained on the training part of a split, and sampled from.

``fit`` keeps in one folder its configuration, the record of what it was trained on, the weights
and the state to resume from, but none of its pictures. ``sample`` goes back to those pictures and
never writes one that is too like any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from trainer.data import split, synthetic
from trainer.data.material import DataSource, PreparedData, prepare_data
from trainer.data.split import Split, SplitSettings
from trainer.runs.config import DataSettings, read_tables
from trainer.runs.publish import describe_provenance
from trainer.runs.run_context import CONFIG, RunContext
from trainer.tools.atomic_files import read_json, write_bytes, write_json
from trainer.tools.options import build_settings
from trainer.tools.progress import Progress
from trainer.training.augment import Augmentation
from trainer.training.image_store import ImageStore
from trainer.training.loop import LAST
from trainer.training.optimise import TrainingSettings
from trainer.unsupervised import data_copying, diffusion
from trainer.unsupervised.diffusion import Denoiser, DiffusionLoss, DiffusionSettings
from trainer.unsupervised.unsupervised_loop import UnsupervisedTrainer
from tumorviewer.errors import InputError
from tumorviewer.models.card import Preprocessing

RECORD, WEIGHTS, SOURCE = "generator.json", "generator.safetensors", "source.json"
_METHOD = "denoising diffusion with class conditions; Ho et al., NeurIPS 2020"
_BATCH = 32
_REFUSED_AT_MOST = 0.1
"""A generator of which more samples are copies is not sampled from at all."""


@dataclass(frozen=True)
class GeneratorConfig:
    """Everything that decides a generator, together with the data.

    Of ``[training]`` what concerns classes, validation and early stopping has no effect here.
    """

    data: DataSettings = field(default_factory=DataSettings)
    split: SplitSettings = field(default_factory=SplitSettings)
    preprocessing: Preprocessing = field(default_factory=lambda: Preprocessing(size=64))
    training: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(
            epochs=300, lr=1e-3, weight_decay=0.0, clip=1.0, ema_decay=0.999
        )
    )
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(
            rotation=5, scale=0.05, shift=0.02, shear=0, gamma=0, contrast=0, brightness=0,
            bias_field=0, blur=0, noise=0, erase=0,
        )
    )  # fmt: skip
    generator: DiffusionSettings = field(default_factory=DiffusionSettings)

    def __post_init__(self) -> None:
        if self.preprocessing.size % 8:
            raise ValueError("preprocessing.size must be a multiple of 8")
        if self.data.synthetic:
            raise ValueError("data.synthetic must be empty: a generator learns from real pictures")


def fit_generator(source: DataSource, config: GeneratorConfig, run: RunContext) -> dict[str, Any]:
    """Train on the training part of the split; answers what ``generator.json`` holds.

    Raises
    ------
    InputError
        If the folder holds another run, or anything that the user brought cannot be used.
    """
    run.claim(config, LAST, "generator")
    write_json(run.out / SOURCE, _plain(source))
    material = prepare_data(source, config.preprocessing, run.progress)
    parts = split.choose_parts(material.dataset, material.groups, config.split)
    torch.manual_seed(config.training.seed)
    trainer = UnsupervisedTrainer(
        Denoiser(len(material.dataset.classes), config.generator.width),
        DiffusionLoss(config.generator.unconditional),
        ImageStore(material.pictures.array, run.device),
        torch.from_numpy(parts.train),
        torch.from_numpy(material.dataset.labels()),
        config.training,
        config.augmentation,
        run.device,
    )
    trainer.resume(run.out)
    run.progress.say(f"learning to draw from {len(parts.train)} pictures, on {run.device}")
    weights = trainer.run(run.out, run.progress).state_dict()
    tensors = {name: one.cpu().contiguous() for name, one in weights.items()}
    write_bytes(run.out / WEIGHTS, save(tensors))
    record = _record(material, parts, run) | {
        "epochs": trainer.epoch,
        "loss": trainer.log[-1]["loss"],
        "hours": trainer.hours,
        "sha256": synthetic.hash_file(run.out / WEIGHTS),
    }
    write_json(run.out / RECORD, record)
    return record


def _plain(source: DataSource) -> dict[str, Any]:
    named = asdict(source)
    paths = {name: str(named[name].resolve()) for name in ("data", "cache")}
    return named | paths | {"also": [str(one.resolve()) for one in source.also]}


def _record(material: PreparedData, parts: Split, run: RunContext) -> dict[str, Any]:
    return {
        "method": _METHOD,
        "classes": list(material.dataset.classes),
        "grouped_by": material.grouped_by,
        "pictures": len(parts.train),
        "training_sha256": sorted({material.pictures.sha256[row] for row in parts.train}),
        **describe_provenance(run.device, run.command),
    }


@dataclass(frozen=True, eq=False)
class Generator:
    """A trained generator and the pictures it must not copy."""

    folder: Path
    config: GeneratorConfig
    record: dict[str, Any]
    material: PreparedData
    parts: Split
    device: torch.device

    @classmethod
    def open(cls, folder: Path, device: torch.device, progress: Progress) -> Generator:
        """A folder of :func:`fit_generator`, with its data.

        Raises
        ------
        InputError
            If it is none, or the data is no longer what it was trained on.
        """
        if not (folder / RECORD).is_file():
            reason = "The folder holds no finished generator."
            raise InputError(str(folder), reason, "Make one with tumorviewer-train generate fit.")
        record, named = read_json(folder / RECORD), read_json(folder / SOURCE)
        stored = folder / CONFIG
        config = build_settings(GeneratorConfig, read_tables(stored), str(stored))
        paths = {name: Path(named[name]) for name in ("data", "cache")}
        several = {"classes": tuple(named["classes"]), "also": tuple(map(Path, named["also"]))}
        source = DataSource(**{**named, **paths, **several})
        material = prepare_data(source, config.preprocessing, progress)
        parts = split.choose_parts(material.dataset, material.groups, config.split)
        known = sorted({material.pictures.sha256[row] for row in parts.train})
        if known != record["training_sha256"]:
            reason = "The data are no longer those that the generator was trained on."
            raise InputError(str(source.data), reason, "Without them copies cannot be told.")
        return cls(folder, config, record, material, parts, device)

    @cached_property
    def network(self) -> Denoiser:
        """With its weights, on the device."""
        network = Denoiser(len(self.record["classes"]), self.config.generator.width)
        try:
            network.load_state_dict(load_file(self.folder / WEIGHTS))
        except (OSError, SafetensorError, RuntimeError) as error:
            reason = f"The weights cannot be read: {error}."
            raise InputError(str(self.folder / WEIGHTS), reason) from error
        return network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    @cached_property
    def training(self) -> NDArray[np.uint8]:
        """``(M, S, S)`` the pictures it was trained on, as it saw them."""
        return np.asarray(self.material.pictures.array[self.parts.train])

    def drawn(self, label: int, seed: int) -> Iterator[NDArray[np.uint8]]:
        """Batches ``(32, S, S)`` of one class without end, each a function of seed and number."""
        labels = torch.full((_BATCH,), label, device=self.device)
        side, settings = self.config.preprocessing.size, self.config.generator
        while True:
            yield diffusion.sample_images(self.network, labels, side, settings, seed).numpy()
            seed += 1


def write_samples(
    generator: Generator, per_class: int, out: Path, seed: int, progress: Progress
) -> dict[str, Any]:
    """Write ``per_class`` pictures of each class; answers what ``synthetic.json`` holds.

    Raises
    ------
    InputError
        If ``out`` holds something, or more than a tenth of what is drawn are near-duplicates of
        training pictures: then nothing is written.
    """
    if per_class < 1:
        raise InputError("--per-class", "At least one picture of each class must be asked for.")
    if out.exists() and any(out.iterdir()):
        raise InputError(str(out), "The folder is not empty.", "Name another one.")
    known = data_copying.KnownImages(generator.training)
    made: dict[str, NDArray[np.uint8]] = {}
    refused = 0
    for label, name in enumerate(generator.record["classes"]):
        batches = generator.drawn(label, seed * 1_000_003 + label * 10_007)
        made[name], copies = _new_ones(batches, per_class, known, generator, progress)
        refused += copies
    return synthetic.write_synthetic(
        out, made, generator.record, refused, generator.config.preprocessing
    )


def _new_ones(
    batches: Iterator[NDArray[np.uint8]],
    wanted: int,
    known: data_copying.KnownImages,
    generator: Generator,
    progress: Progress,
) -> tuple[NDArray[np.uint8], int]:
    """The first that are no near-duplicates of training pictures, and how many were."""
    kept: list[NDArray[np.uint8]] = []
    drawn = copies = 0
    progress.begin("drawing", 0)
    while (count := sum(map(len, kept))) < wanted:
        progress("drawing", count, wanted)
        batch = next(batches)
        is_copy = known.copied_by(batch)
        drawn, copies = drawn + len(batch), copies + int(is_copy.sum())
        if copies > _REFUSED_AT_MOST * drawn:
            reason = f"Of {drawn} samples {copies} are near-duplicates of training pictures."
            remedy = "Train on more pictures, for fewer epochs, or with more augmentation."
            raise InputError(str(generator.folder), reason, remedy)
        kept.append(batch[~is_copy])
    return np.concatenate(kept)[:wanted], copies


def check_samples(generator: Generator, samples: Path) -> dict[str, Any]:
    """How near samples are to training pictures, beside held-out pictures: no copies?

    Raises
    ------
    InputError
        If ``samples`` is no folder of samples, or was drawn from another generator.
    """
    stored = synthetic.read_synthetic(samples, generator.record["classes"])
    if stored.record["generator_sha256"] != generator.record["sha256"]:
        raise InputError(str(samples), "The samples are of another generator.")
    held = generator.parts.validation
    labels, array = generator.material.dataset.labels(), generator.material.pictures.array
    size = generator.config.preprocessing.size
    figures = data_copying.measure_copying(
        data_copying.KnownImages(generator.training),
        labels[generator.parts.train],
        (stored.pictures(size), stored.labels),
        (np.asarray(array[held]), labels[held]),
    )
    copied = figures.pop("copies")
    names = [stored.items[row].as_posix() for row in np.flatnonzero(copied)]
    return {"samples": len(stored.items), **figures, "near_duplicates": names}
