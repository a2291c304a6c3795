"""Commands of the trainer in processes of their own, which begin with its libraries imported."""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing.context import ForkServerProcess

from trainer import cli

FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(
    ["trainer.runs.fit", "trainer.federated.federation", "sklearn.model_selection"]
)


def start_command(*arguments: str) -> ForkServerProcess:
    """Run a command in a process that ends with its exit status."""
    process = FORKSERVER.Process(target=_run, args=(arguments,))
    process.start()
    return process


def _run(arguments: tuple[str, ...]) -> None:
    sys.exit(cli.main(arguments))
