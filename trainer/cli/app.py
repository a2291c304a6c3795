"""The program ``tumorviewer-train``: its commands, signals and exit status."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import threading
from collections.abc import Sequence

from trainer.cli import (
    data_commands,
    evaluation_commands,
    federated_commands,
    segmentation_commands,
    training_commands,
    unsupervised_commands,
)
from tumorviewer import language
from tumorviewer.errors import InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0: done, 1: something that the user brought cannot be used, 2: usage."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _build_parser().parse_args(given)
    options.command_line = shlex.join(["tumorviewer-train", *given])
    # Before torch is imported: spinning OpenMP threads cost three times the time on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    language.use_language("en")  # as its reports
    _interrupt_on_termination()
    try:
        options.run(options)
        sys.stdout.flush()
    except InputError as error:
        print(f"tumorviewer-train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; --resume continues after the last finished epoch", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _interrupt_on_termination() -> None:
    """SIGTERM, by which a scheduler or the window ends a process, ends it as Ctrl+C does, which a
    program that was started in the background does not hear; torchrun's processes, which wait for
    each other, end at once."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and "TORCHELASTIC_RUN_ID" not in os.environ:
        for name in ("SIGTERM", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.default_int_handler)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "tumorviewer-train", description="Train and judge classifiers. Research use only."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    data_commands.add_commands(commands)
    training_commands.add_commands(commands)
    evaluation_commands.add_commands(commands)
    unsupervised_commands.add_commands(commands)
    federated_commands.add_commands(commands)
    segmentation_commands.add_commands(commands)
    return parser
