"""The commands that learn without labels or make pictures: ``pretrain`` and ``generate``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from trainer.cli.arguments import add_device, add_run, add_training, make_run, make_source
from tumorviewer.errors import InputError

if TYPE_CHECKING:
    from trainer.tools.progress import Progress
    from trainer.unsupervised.generator import Generator, GeneratorConfig
    from trainer.unsupervised.pretrain import PretrainConfig

T = TypeVar("T")


def add_commands(commands: Any) -> None:
    """Enter the commands' parsers."""
    pretrain = commands.add_parser("pretrain", help="a start from pictures without labels")
    pretrain.add_argument("data", type=Path, help="folder of pictures, DICOM and NIfTI")
    pretrain.add_argument("--exclude", type=Path, metavar="CSV", help="held-out paths, not learned")
    pretrain.add_argument("--cache", type=Path, metavar="DIR", help="decoded pictures")
    pretrain.add_argument("--skip-unreadable", action="store_true")
    add_run(pretrain)
    add_device(pretrain)
    pretrain.set_defaults(run=_pretrain)
    generate = commands.add_parser("generate", help="synthetic pictures for augmentation")
    _add_generate(generate.add_subparsers(required=True, metavar="STEP"))


def _add_generate(steps: Any) -> None:
    fit = steps.add_parser("fit", help="learn to draw from the training part of a split")
    add_training(fit)
    fit.set_defaults(run=_fit)
    sample = steps.add_parser("sample", help="draw pictures that copy no training picture")
    check = steps.add_parser("check", help="are samples copies of training pictures?")
    for step in (sample, check):
        step.add_argument("generator", type=Path, help="folder of generate fit")
        add_device(step)
    sample.add_argument("--per-class", type=int, required=True, metavar="N")
    sample.add_argument("--out", type=Path, required=True, metavar="DIR")
    sample.add_argument("--seed", type=int, default=0)
    sample.set_defaults(run=_sample)
    check.add_argument("--samples", type=Path, required=True, metavar="DIR")
    check.set_defaults(run=_check)


def read_own_config(options: argparse.Namespace) -> PretrainConfig | GeneratorConfig:
    """The configuration that ``options.of`` names, with the user's changes."""
    from trainer.unsupervised import generator, pretrain

    kinds = {"pretrain": pretrain.PretrainConfig, "generate": generator.GeneratorConfig}
    return _build_config(kinds[options.of], options)


def _build_config(kind: type[T], options: argparse.Namespace) -> T:
    from trainer.runs.config import read_tables
    from trainer.tools.options import build_settings

    values = read_tables(options.config, options.set)
    return build_settings(kind, values, str(options.config or "--set"))


def _pretrain(options: argparse.Namespace) -> None:
    from trainer.unsupervised import pretrain

    config = _build_config(pretrain.PretrainConfig, options)
    skip, run = options.skip_unreadable, make_run(options)
    _print(pretrain.pretrain_network(options.data, options.exclude, skip, config, run))


def _fit(options: argparse.Namespace) -> None:
    from trainer.unsupervised import generator

    config = _build_config(generator.GeneratorConfig, options)
    source = make_source(options, config.data)
    _print(generator.fit_generator(source, config, make_run(options)))


def _open(options: argparse.Namespace) -> tuple[Generator, Progress]:
    from trainer.tools.progress import Progress
    from trainer.unsupervised.generator import Generator
    from tumorviewer.analysis import device

    progress = Progress(options.progress)
    return Generator.open(
        options.generator, device.choose_device(options.device), progress
    ), progress


def _sample(options: argparse.Namespace) -> None:
    from trainer.unsupervised import generator

    drawer, progress = _open(options)
    _print(generator.write_samples(drawer, options.per_class, options.out, options.seed, progress))


def _check(options: argparse.Namespace) -> None:
    from trainer.unsupervised import generator

    drawer, _ = _open(options)
    figures = generator.check_samples(drawer, options.samples)
    _print(figures)
    if count := len(figures["near_duplicates"]):
        reason = f"{count} samples are near-duplicates of training pictures."
        raise InputError(str(options.samples), reason, "Do not use or pass on this folder.")


def _print(record: dict[str, Any]) -> None:
    """Without the lists of digests, which are for programs."""
    shown = {name: value for name, value in record.items() if not name.endswith("training_sha256")}
    print(json.dumps(shown, indent=2, ensure_ascii=False))
