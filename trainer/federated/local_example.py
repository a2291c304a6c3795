"""Two hospitals on one computer: federated, pooled and single-site training on the same held-out
groups."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.data import split
from trainer.data.material import PreparedData
from trainer.data.split import SplitSettings
from trainer.evaluation import evaluate, metrics
from trainer.evaluation.predictions import Predictions
from trainer.federated import rounds
from trainer.runs.config import Config
from trainer.runs.run_context import RunContext
from trainer.tools.atomic_files import write_csv, write_json, write_text
from trainer.tools.options import export_toml
from trainer.training.image_store import ImageStore
from trainer.training.loop import predict_logits
from tumorviewer.errors import InputError
from tumorviewer.models import weights
from tumorviewer.networks import Classifier

RESULT = "comparison.json"


@dataclass(frozen=True)
class ExampleSettings:
    """How many play, and for how long."""

    sites: int
    rounds: int


def run_local_example(
    material: PreparedData, config: Config, run: RunContext, todo: ExampleSettings
) -> dict[str, Any]:
    """Hold out the validation fold, give each site a share of the other groups, and compare.

    Server and sites are processes that see nothing but their own folder and each other's weights
    over loopback. Pooled and single-site training are the same rounds with one site.

    Raises
    ------
    InputError
        If the data hold volumes, have too few groups, or a process fails.
    """
    parts = split.choose_parts(material.dataset, material.groups, config.split)
    if not len(parts.validation):
        raise InputError("[split]", "The example needs held-out groups.", 'Use "fold 0".')
    config = replace(config, data=replace(config.data, classes=material.dataset.classes))
    shares = _shares(material, parts.train, todo.sites, config.split.seed)
    for number, rows in enumerate(shares):
        _write_site(material, rows, run.out / f"site-{number}")
    _federate(config, run, todo)
    networks = {"federated": weights.load_weights(run.out / "server" / "bundle")[1]}
    alone = {f"site {number} alone": rows for number, rows in enumerate(shares)}
    for name, rows in {"pooled": parts.train, **alone}.items():
        run.progress.say(f"training: {name}, {len(rows)} items")
        networks[name] = _alone(material, rows, config, run, todo.rounds)
    known = material.views.rows(parts.train), material.dataset.labels()[parts.train]
    held = material.views.rows(parts.validation), material.dataset.labels()[parts.validation]
    result = {
        "rounds": todo.rounds,
        "epochs_a_round": config.training.epochs,
        "site_items": [len(rows) for rows in shares],
        "site_groups": [len(np.unique(material.groups[rows])) for rows in shares],
        "leak": evaluate.measure_leak(*held, *known),
        "figures": {
            name: _judged(material, parts.validation, network, run)
            for name, network in networks.items()
        },
    }
    write_json(run.out / RESULT, result)
    return result


def _shares(
    material: PreparedData, rows: NDArray[np.int64], sites: int, seed: int
) -> list[NDArray[np.int64]]:
    """Whole groups for each site, of every class."""
    items = tuple(material.dataset.items[row] for row in rows.tolist())
    part = replace(material.dataset, items=items)
    fold = split.assign_folds(part, material.groups[rows], SplitSettings("fold 0", sites, seed))
    return [rows[fold == number] for number in range(sites)]


def _write_site(material: PreparedData, rows: NDArray[np.int64], folder: Path) -> None:
    """The site's own copies, a folder per class, and its groups."""
    shutil.rmtree(folder / "data", ignore_errors=True)
    lines = []
    for row in rows.tolist():
        item = material.dataset.items[row]
        if item.slice is not None:
            raise InputError(str(item.path), "The example is made of pictures, not of volumes.")
        name = f"{material.dataset.classes[item.label]}/{row:06d}{item.path.suffix}"
        (folder / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(item.path, folder / "data" / name)
        lines.append((name, f"g{material.groups[row]:05d}"))
    write_csv(folder / "groups.csv", ("path", "group"), lines)


def _federate(config: Config, run: RunContext, todo: ExampleSettings) -> None:
    address = f"127.0.0.1:{_free_port()}"
    settings = run.out / "federation.toml"
    write_text(settings, export_toml(config))
    shared = ["--device", str(run.device), "--address", address]
    serve = ["serve", "--config", str(settings), "--sites", str(todo.sites)]
    serve += ["--rounds", str(todo.rounds), "--out", str(run.out / "server"), "--resume", *shared]
    processes = [_process([*serve, "--progress", "human"])]
    for number in range(todo.sites):
        site = run.out / f"site-{number}"
        join = ["join", str(site / "data"), "--groups", str(site / "groups.csv")]
        join += ["--out", str(site / "run"), "--cache", str(site / "cache"), *shared]
        processes.append(_process([*join, "--progress", "none"]))
    _wait_for(processes)


def _process(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "trainer", "federate", *arguments])


def _wait_for(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """The server ends when the sites are done, or one failed."""
    try:
        if processes[0].wait():
            raise InputError("federation", "It did not end; its message is above.")
        for process in processes[1:]:
            process.wait()
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _alone(
    material: PreparedData,
    rows: NDArray[np.int64],
    config: Config,
    run: RunContext,
    count: int,
) -> Classifier:
    """The same rounds by one who has all these rows."""
    network, own = rounds.build_initial_network(config), replace(run, out=run.out / "alone")
    for number in range(count):
        rounds.train_round(network, material, rows, config, (number, count), own)
        run.progress("round", number + 1, count)
    return network


def _judged(
    material: PreparedData, rows: NDArray[np.int64], network: Classifier, run: RunContext
) -> dict[str, Any]:
    """Figures on the held-out groups, which nobody has fitted a temperature on."""
    store = ImageStore(material.pictures.array, run.device)
    logits = predict_logits(network.to(run.device), store, torch.from_numpy(rows))
    folds = np.full(len(rows), -1)
    classes = material.dataset.classes
    return evaluate.compute_all_metrics(
        Predictions(material, rows, classes, metrics.apply_softmax(logits), folds)
    )
