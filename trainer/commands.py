"""Commands of ``tumorviewer-train`` that work on several models, runs or sites."""

from __future__ import annotations

import argparse
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trainer.cli import (
    _add_data,
    _add_training,
    _print_summary,
    _read_config,
    _run,
    _source,
)
from tumorviewer.errors import InputError


def add(commands: Any) -> None:
    """Enter the commands' parsers."""
    _add_ensemble(commands)
    _add_search(commands)


def _add_ensemble(commands: Any) -> None:
    parser = commands.add_parser("ensemble", help="join models that held out the same part")
    _add_data(parser)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="names or bundle folders")
    parser.add_argument("--method", choices=("average", "weighted", "stacked"), default="average")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.set_defaults(run=_ensemble)


def _ensemble(options: argparse.Namespace) -> None:
    from trainer.ensemble import Order, ensemble
    from trainer.progress import Progress
    from tumorviewer.analysis import device
    from tumorviewer.models.catalogue import Catalogue

    order = Order(
        tuple(Catalogue().find(name) for name in options.models),
        options.method,
        options.out,
        device.choose(options.device),
        options.command_line,
    )
    result = ensemble(order, _source(options), Progress(options.progress))
    for member in result["members"]:
        _print_summary({"figures": {member["name"]: member["figures"]}})
    _print_summary(result)


def _add_search(commands: Any) -> None:
    parser = commands.add_parser("search", help="find settings within declared ranges")
    _add_training(parser)
    parser.add_argument("--ranges", type=Path, required=True, metavar="TOML")
    parser.add_argument("--trials", type=int, required=True, metavar="N")
    parser.add_argument("--pruner", choices=("median", "halving", "none"), default="median")
    parser.set_defaults(run=_search)


def _search(options: argparse.Namespace) -> None:
    _require("optuna", "train")
    from trainer.config import read
    from trainer.material import gather
    from trainer.progress import Progress
    from trainer.search import Search, read_ranges, search
    from tumorviewer.analysis import device

    progress, base = Progress(options.progress), _read_config(options)
    source = _source(options, base.data)
    todo = Search(
        lambda overrides: read(options.config, [*options.set, *overrides]),
        cache(lambda seen: gather(source, seen, progress)),
        read_ranges(options.ranges),
        options.trials,
        options.pruner,
    )
    best = search(todo, _run(options, device.choose(options.device)), progress)["best"]
    print(f"{best['folder']}: {best['value']:.4f}")  # noqa: T201
    for key, value in best["settings"].items():
        print(f"  {key} = {value}")  # noqa: T201


def _require(module: str, extra: str) -> None:
    if not find_spec(module):
        remedy = f"Install it: pip install tumorviewer[{extra}]"
        raise InputError(module, "This command needs a library that is not installed.", remedy)
