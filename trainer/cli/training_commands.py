"""Commands that train: ``fit``, ``crossval``, ``search``, ``ensemble`` and ``reproduce``."""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.cli.arguments import (
    add_data,
    add_training,
    gather_data,
    join_processes,
    make_run,
    make_source,
    read_config,
    require_library,
)
from trainer.cli.printing import print_summary

if TYPE_CHECKING:
    from trainer.data.material import PreparedData
    from trainer.runs.config import Config
    from trainer.runs.run_context import RunContext


def add_commands(commands: Any) -> None:
    """Enter the commands' parsers."""
    fit = commands.add_parser("fit", help="train one model and write its bundle")
    add_training(fit)
    fit.add_argument(
        "--figures-from",
        type=Path,
        metavar="DIR",
        help='a finished crossval, whose figures a model of all data (validation = "none") takes',
    )
    fit.set_defaults(run=_fit)
    crossval = commands.add_parser("crossval", help="judge by grouped cross-validation")
    add_training(crossval)
    crossval.add_argument("--jobs", type=int, default=1, help="folds trained at the same time")
    crossval.set_defaults(run=_crossval)
    _add_search(commands.add_parser("search", help="find settings within declared ranges"))
    _add_ensemble(commands.add_parser("ensemble", help="join models that held out the same part"))
    _add_reproduce(
        commands.add_parser("reproduce", help="a paper's protocol, on its split and ours")
    )


def _add_search(parser: argparse.ArgumentParser) -> None:
    add_training(parser)
    parser.add_argument("--ranges", type=Path, required=True, metavar="TOML")
    parser.add_argument("--trials", type=int, required=True, metavar="N")
    parser.add_argument("--pruner", choices=("median", "halving", "none"), default="median")
    parser.set_defaults(run=_search)


def _add_ensemble(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="names or bundle folders")
    parser.add_argument("--method", choices=("average", "weighted", "stacked"), default="average")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.set_defaults(run=_ensemble)


def _add_reproduce(parser: argparse.ArgumentParser) -> None:
    from trainer.papers import protocol

    parser.add_argument("paper", choices=protocol.list_papers())
    add_training(parser)
    parser.add_argument("--networks", default="", metavar="TEXT", help="those with it in the name")
    parser.set_defaults(run=_reproduce)


def _fit(options: argparse.Namespace) -> None:
    from trainer.runs.fit import fit_run

    config = read_config(options)
    with join_processes(options) as run:
        material = gather_data(options, config, run)
        _finish(fit_run(material, config, run), material, run)


def _crossval(options: argparse.Namespace) -> None:
    from trainer.runs.crossval import cross_validate

    config = read_config(options)
    with join_processes(options) as run:
        material = gather_data(options, config, run)
        shared = _shared_arguments(options, config)
        _finish(cross_validate(material, config, run, options.jobs, shared), material, run)


def _shared_arguments(options: argparse.Namespace, config: Config) -> list[str]:
    """What the process of each fold is given of the command line."""
    source = make_source(options, config.data)
    shared = [str(source.data), "--cache", str(source.cache), "--progress", options.progress]
    shared += ["--classes", ",".join(source.classes)] if source.classes else []
    shared += [part for one in source.also for part in ("--also", str(one))]
    shared += ["--skip-unreadable"] if source.skip_unreadable else []
    return shared + (["--fetch"] if options.fetch else [])


def _finish(result: dict[str, Any], material: PreparedData, run: RunContext) -> None:
    from trainer.runs import run_report
    from trainer.training import distributed

    print_summary(result)
    if distributed.is_first():
        run_report.write_run_report(run.out, material, str(run.device))


def _search(options: argparse.Namespace) -> None:
    require_library("optuna", "train")
    from trainer.data.material import prepare_data
    from trainer.runs import config, search_ranges
    from trainer.runs.search import Search, search_settings

    run, base = make_run(options), read_config(options)
    source = make_source(options, base.data)
    todo = Search(
        lambda overrides: config.read_config(options.config, [*options.set, *overrides]),
        cache(lambda seen: prepare_data(source, seen, run.progress)),
        search_ranges.read_ranges(options.ranges),
        options.trials,
        options.pruner,
    )
    best = search_settings(todo, run)["best"]
    print(f"{best['folder']}: {best['value']:.4f}")
    for key, value in best["settings"].items():
        print(f"  {key} = {value}")


def _ensemble(options: argparse.Namespace) -> None:
    from trainer.runs.ensembling import EnsembleRequest, build_ensemble
    from trainer.tools.progress import Progress
    from tumorviewer.analysis import device
    from tumorviewer.models.catalogue import Catalogue

    request = EnsembleRequest(
        tuple(Catalogue().find(name) for name in options.models),
        options.method,
        options.out,
        device.choose_device(options.device),
        Progress(options.progress),
        options.command_line,
    )
    result = build_ensemble(request, make_source(options))
    for member in result["members"]:
        print_summary({"figures": {member["name"]: member["figures"]}})
    print_summary(result)


def _reproduce(options: argparse.Namespace) -> None:
    from trainer.papers import protocol, reproduce
    from trainer.runs import config

    chosen = protocol.read_protocol(options.paper).only(options.networks)
    overrides = config.read_tables(options.config, options.set)
    with join_processes(options) as run:
        result = reproduce.reproduce_paper(chosen, make_source(options), run, overrides)
    print(reproduce.format_reproduction(result))
