"""Arguments that several commands share, and what is made of them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tumorviewer.errors import InputError

if TYPE_CHECKING:
    import torch

    from trainer.data.material import DataSource, PreparedData
    from trainer.runs.config import Config, DataSettings
    from trainer.runs.run_context import RunContext


def add_config(parser: argparse.ArgumentParser) -> None:
    """``--config`` and ``--set``."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML")
    parser.add_argument(
        "--set", action="append", default=[], metavar="TABLE.KEY=VALUE", help="one setting"
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """The labelled data, how they are read, and the device."""
    parser.add_argument("data", type=Path, help="folder with a folder per class, or a CSV")
    parser.add_argument(
        "--also", type=Path, action="append", default=[], metavar="DATA", help="joined with it"
    )
    parser.add_argument("--groups", default="", metavar="FILE[:COLUMN]", help="CSV path,group")
    parser.add_argument("--classes", default="", metavar="A,B,…", help="those only")
    parser.add_argument("--cache", type=Path, default=None, metavar="DIR", help="decoded pictures")
    parser.add_argument("--skip-unreadable", action="store_true")
    parser.add_argument(
        "--slices", metavar="RULE", help='of unmarked volumes: "refuse", "all" or "middle N"'
    )
    add_device(parser)


def add_training_data(parser: argparse.ArgumentParser, name: str, why: str) -> None:
    """The data that a model was trained on."""
    parser.add_argument(
        name, type=Path, action="append", default=[], metavar="DATA", help=f"{why}; may be repeated"
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """``--device`` and ``--progress``."""
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--progress", default="human", choices=("human", "json", "none"))


def add_run(parser: argparse.ArgumentParser) -> None:
    """The configuration and the run's folder."""
    add_config(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--resume", action="store_true")


def add_training(parser: argparse.ArgumentParser) -> None:
    """All that a training takes."""
    add_data(parser)
    add_run(parser)
    parser.add_argument("--tensorboard", action="store_true", help="live curves in DIR/tensorboard")
    parser.add_argument("--fetch", action="store_true", help="pretrained weights may be downloaded")


def make_source(options: argparse.Namespace, data: DataSettings | None = None) -> DataSource:
    """The data that the user named; what the command line leaves open stands in the settings."""
    from trainer.data.material import DataSource
    from trainer.runs.config import DataSettings

    data = data or DataSettings()
    return DataSource(
        options.data,
        options.cache or find_cache_folder(),
        options.groups,
        split_names(options.classes) or data.classes,
        options.skip_unreadable,
        options.slices or data.slices,
        Path(data.synthetic) if data.synthetic else None,
        tuple(options.also),
    )


def find_cache_folder() -> Path:
    """Where decoded images are kept unless ``--cache`` names a folder."""
    if home := os.environ.get("TUMORVIEWER_HOME"):
        return Path(home) / "cache" / "trainer"
    from platformdirs import user_cache_path

    return user_cache_path("tumorviewer") / "trainer"


def read_config(options: argparse.Namespace) -> Config:
    """The configuration with the user's changes."""
    from trainer.runs import config

    rule = getattr(options, "slices", None)
    return config.read_config(
        options.config, options.set + ([f"data.slices={rule}"] if rule else [])
    )


def make_run(options: argparse.Namespace, device: torch.device | None = None) -> RunContext:
    """Where and how the command's run is carried out; only the first of several processes
    speaks."""
    from trainer.runs.run_context import RunContext
    from trainer.tools.progress import Progress
    from trainer.training import distributed
    from tumorviewer.analysis.device import choose_device

    return RunContext(
        options.out,
        device or choose_device(options.device),
        Progress(options.progress if distributed.is_first() else "none"),
        getattr(options, "resume", False),
        getattr(options, "figures_from", None),
        options.command_line,
        getattr(options, "cache", None) or find_cache_folder(),
        getattr(options, "tensorboard", False),
        getattr(options, "fetch", False),
    )


@contextmanager
def join_processes(options: argparse.Namespace) -> Iterator[RunContext]:
    """The run as one process, or as one of those that torchrun started."""
    from trainer.training import distributed
    from tumorviewer.analysis import device

    with distributed.join_process_group(device.choose_device(options.device)) as own:
        yield make_run(options, own)


def gather_data(options: argparse.Namespace, config: Config, run: RunContext) -> PreparedData:
    """The data of a training, prepared by one process of each node; the reporter says what is
    wrong with them."""
    from trainer.audit import audit
    from trainer.data.material import prepare_data
    from trainer.training import distributed

    with distributed.let_one_go_first():
        material = prepare_data(
            make_source(options, config.data), config.preprocessing, run.progress
        )
    if distributed.is_first():
        for warning in audit.summarise_audit(material)["warnings"]:
            run.progress.say(warning)
    return material


def split_names(text: str) -> tuple[str, ...]:
    """``"A, B"`` to ``("A", "B")``."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def require_library(module: str, extra: str) -> None:
    """Refuse a command whose optional library is missing.

    Raises
    ------
    InputError
        That names the extra to install.
    """
    if not find_spec(module):
        remedy = f"Install it: pip install tumorviewer[{extra}]"
        raise InputError(module, "This command needs a library that is not installed.", remedy)
