"""Commands of ``tumorviewer-train`` that work on several models, runs or sites."""

from __future__ import annotations

import argparse
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.cli import (
    _add_config,
    _add_data,
    _add_device,
    _add_training,
    _print_summary,
    _read_config,
    _run,
    _source,
)
from tumorviewer.errors import InputError

if TYPE_CHECKING:
    from trainer.runs.fit import Run


def add(commands: Any) -> None:
    """Enter the commands' parsers."""
    _add_ensemble(commands)
    _add_search(commands)
    _add_trust(commands)
    federate = commands.add_parser("federate", help="train between sites that keep their data")
    _add_federate(federate.add_subparsers(required=True, metavar="ROLE"))


def _add_ensemble(commands: Any) -> None:
    parser = commands.add_parser("ensemble", help="join models that held out the same part")
    _add_data(parser)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="names or bundle folders")
    parser.add_argument("--method", choices=("average", "weighted", "stacked"), default="average")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.set_defaults(run=_ensemble)


def _ensemble(options: argparse.Namespace) -> None:
    from trainer.runs.ensembling import Order, ensemble
    from trainer.tools.progress import Progress
    from tumorviewer.analysis import device
    from tumorviewer.models.catalogue import Catalogue

    order = Order(
        tuple(Catalogue().find(name) for name in options.models),
        options.method,
        options.out,
        device.choose_device(options.device),
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
    from trainer.data.material import gather
    from trainer.runs import config, search_ranges
    from trainer.runs.search import Search, search
    from trainer.tools.progress import Progress
    from tumorviewer.analysis import device

    progress, base = Progress(options.progress), _read_config(options)
    source = _source(options, base.data)
    todo = Search(
        lambda overrides: config.read(options.config, [*options.set, *overrides]),
        cache(lambda seen: gather(source, seen, progress)),
        search_ranges.read(options.ranges),
        options.trials,
        options.pruner,
    )
    best = search(todo, _run(options, device.choose_device(options.device)), progress)["best"]
    print(f"{best['folder']}: {best['value']:.4f}")
    for key, value in best["settings"].items():
        print(f"  {key} = {value}")


def _add_trust(commands: Any) -> None:
    parser = commands.add_parser("trust", help="measure how far a run's model may be believed")
    parser.add_argument("training", type=Path, metavar="RUN", help="folder of a finished fit")
    _add_data(parser)
    parser.add_argument("--outlines", default="", metavar="DIR", help="of the lesions, PNG files")
    parser.add_argument(
        "--outside", type=Path, nargs="*", default=[], metavar="PATH", help="images of other kinds"
    )
    elsewhere = "data sets of the model's own kind from elsewhere"
    parser.add_argument(
        "--elsewhere", type=Path, nargs="*", default=[], metavar="DIR", help=elsewhere
    )
    for what, example in (("sequences", "T1,T1 + contrast,…"), ("planes", "axial,…")):
        words = f"of the training data, if they do not say: {example}"
        parser.add_argument(f"--{what}", default="", metavar="A,B,…", help=words)
    parser.set_defaults(run=_trust)


def _trust(options: argparse.Namespace) -> None:
    from trainer.runs import config
    from trainer.runs.fit import CONFIG
    from trainer.tools.progress import Progress
    from trainer.trust import trust_report
    from trainer.trust.measure_trust import Aids, measure
    from trainer.trust.out_of_distribution import Aims
    from tumorviewer.models import trust_table

    settings = config.read(options.training / CONFIG, [])
    sequences, planes = _names(options.sequences), _names(options.planes)
    aims = Aims(tuple(options.outside), tuple(options.elsewhere), sequences, planes)
    aids = Aids(options.outlines, aims)
    source, progress = _source(options, settings.data), Progress(options.progress)
    card = measure(options.training, settings, source, aids, options.device, progress)
    print("\n".join(trust_table.trust_lines(card.trust)))
    print(f"\n{trust_report.write(options.training, card)}")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _require(module: str, extra: str) -> None:
    if not find_spec(module):
        remedy = f"Install it: pip install tumorviewer[{extra}]"
        raise InputError(module, "This command needs a library that is not installed.", remedy)


def _add_federate(roles: Any) -> None:
    serve = roles.add_parser("serve", help="lead the rounds; reads no data")
    _add_config(serve)
    serve.add_argument("--classes", default="", metavar="A,B,…", help="that all sites have")
    serve.add_argument("--sites", type=int, required=True, metavar="N", help="that must join")
    serve.add_argument("--tls", type=Path, nargs=3, metavar=("CA", "CERTIFICATE", "KEY"))
    serve.set_defaults(run=_serve)
    join = roles.add_parser("join", help="take part with a site's own data")
    _add_data(join)
    join.add_argument("--tls", type=Path, metavar="CA", help="who vouches for the server")
    join.set_defaults(run=_join)
    example = roles.add_parser("example", help="sites as processes on this computer, compared")
    _add_data(example)
    _add_config(example)
    example.add_argument("--sites", type=int, default=2, metavar="N")
    example.set_defaults(run=_federate_example)
    for role in (serve, join):
        role.add_argument("--address", default="127.0.0.1:8080", metavar="HOST:PORT")
    for role in (serve, example):
        role.add_argument("--rounds", type=int, required=True, metavar="N")
    for role in (serve, join, example):
        role.add_argument("--out", type=Path, required=True, metavar="DIR")
    serve.add_argument("--resume", action="store_true", help="after the last whole round")
    serve.add_argument("--fetch", action="store_true", help="pretrained weights may be downloaded")
    _add_device(serve)


def _site_run(options: argparse.Namespace) -> Run:
    from trainer.runs.fit import Run
    from tumorviewer.analysis import device

    return Run(
        options.out,
        device.choose_device(options.device),
        getattr(options, "resume", False),
        command=options.command_line,
        fetch=getattr(options, "fetch", False),
    )


def _serve(options: argparse.Namespace) -> None:
    _require("flwr", "federated")
    from trainer.federated.federation import Federation, serve
    from trainer.tools.progress import Progress

    if options.classes:
        options.set.append(f"data.classes={options.classes.split(',')}")
    todo = Federation(
        options.address, options.sites, options.rounds, options.tls and tuple(options.tls)
    )
    serve(todo, _read_config(options), _site_run(options), Progress(options.progress))


def _join(options: argparse.Namespace) -> None:
    _require("flwr", "federated")
    from trainer.data.material import gather
    from trainer.federated.federation import join
    from trainer.tools.progress import Progress

    progress = Progress(options.progress)
    join(
        lambda asked: gather(_source(options, asked.data), asked.preprocessing, progress),
        options.address,
        _site_run(options),
        progress,
        options.tls,
    )


def _federate_example(options: argparse.Namespace) -> None:
    _require("flwr", "federated")
    from trainer.data.material import gather
    from trainer.federated.local_example import Example, example
    from trainer.tools.progress import Progress

    config, progress, run = _read_config(options), Progress(options.progress), _site_run(options)
    material = gather(_source(options, config.data), config.preprocessing, progress)
    todo = Example(options.sites, options.rounds)
    _print_summary(example(material, config, run, todo, progress))
