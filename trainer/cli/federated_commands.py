"""The command ``federate``: a server, its sites, or all of them on one computer."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from trainer.cli.arguments import (
    add_config,
    add_data,
    add_device,
    make_run,
    make_source,
    read_config,
    require_library,
)
from trainer.cli.printing import print_summary


def add_commands(commands: Any) -> None:
    """Enter the command's parsers."""
    federate = commands.add_parser("federate", help="train between sites that keep their data")
    roles = federate.add_subparsers(required=True, metavar="ROLE")
    serve = roles.add_parser("serve", help="lead the rounds; reads no data")
    join = roles.add_parser("join", help="take part with a site's own data")
    example = roles.add_parser("example", help="sites as processes on this computer, compared")
    _add_serve(serve)
    add_data(join)
    join.add_argument("--tls", type=Path, metavar="CA", help="who vouches for the server")
    join.set_defaults(run=_join)
    add_data(example)
    add_config(example)
    example.add_argument("--sites", type=int, default=2, metavar="N")
    example.set_defaults(run=_run_example)
    for role in (serve, join):
        role.add_argument("--address", default="127.0.0.1:8080", metavar="HOST:PORT")
    for role in (serve, example):
        role.add_argument("--rounds", type=int, required=True, metavar="N")
    for role in (serve, join, example):
        role.add_argument("--out", type=Path, required=True, metavar="DIR")


def _add_serve(serve: argparse.ArgumentParser) -> None:
    add_config(serve)
    serve.add_argument("--classes", default="", metavar="A,B,…", help="that all sites have")
    serve.add_argument("--sites", type=int, required=True, metavar="N", help="that must join")
    serve.add_argument("--tls", type=Path, nargs=3, metavar=("CA", "CERTIFICATE", "KEY"))
    serve.add_argument("--resume", action="store_true", help="after the last whole round")
    serve.add_argument("--fetch", action="store_true", help="pretrained weights may be downloaded")
    add_device(serve)
    serve.set_defaults(run=_serve)


def _serve(options: argparse.Namespace) -> None:
    require_library("flwr", "federated")
    from trainer.federated.federation import Federation, serve_federation

    if options.classes:
        options.set.append(f"data.classes={options.classes.split(',')}")
    todo = Federation(
        options.address, options.sites, options.rounds, options.tls and tuple(options.tls)
    )
    serve_federation(todo, read_config(options), make_run(options))


def _join(options: argparse.Namespace) -> None:
    require_library("flwr", "federated")
    from trainer.data.material import prepare_data
    from trainer.federated.federation import join_federation

    run = make_run(options)
    join_federation(
        lambda asked: prepare_data(
            make_source(options, asked.data), asked.preprocessing, run.progress
        ),
        options.address,
        run,
        options.tls,
    )


def _run_example(options: argparse.Namespace) -> None:
    require_library("flwr", "federated")
    from trainer.data.material import prepare_data
    from trainer.federated.local_example import ExampleSettings, run_local_example

    config, run = read_config(options), make_run(options)
    material = prepare_data(make_source(options, config.data), config.preprocessing, run.progress)
    todo = ExampleSettings(options.sites, options.rounds)
    print_summary(run_local_example(material, config, run, todo))
