"""Two processes under torchrun are one with the whole batch."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from socket import socket
from threading import Thread

import pytest
import torch
from processes import FORKSERVER
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from trainer import cli
from trainer.training import checkpoint
from trainer.training.augment import Augmentation

NO_RANDOMNESS = [
    *(f"--set=augmentation.{one.name}=0" for one in dataclasses.fields(Augmentation)),
    "--set=model.options.dropout=0",
]
SMALL = [
    "--device=cpu",
    "--progress=json",
    "--set=preprocessing.size=32",
    "--set=model.architecture=brain_cnn",
    "--set=training.batch=9",
    "--set=training.accumulate=2",
    "--set=training.optimiser=sgd",
    "--set=training.lr=0.05",
    "--set=training.class_weights=balanced",
    "--set=training.warmup_epochs=0.5",
    "--set=training.epochs=12",
    "--set=training.patience=0",
    "--set=split.folds=3",
]


def fit(data: Path, cache: Path, out: Path, said: Path) -> None:
    """Run the command, whose progress goes to a file."""
    command = ["fit", str(data), f"--out={out}", f"--cache={cache}", "--resume"]
    with said.open("w") as stream, redirect_stderr(stream), redirect_stdout(io.StringIO()):
        assert cli.main([*command, *SMALL, *NO_RANDOMNESS]) == 0


def fit_as_one_of_two(data: Path, cache: Path, out: Path, is_killed: bool) -> None:
    """What torchrun starts; the first process is killed when an epoch is on the disk."""
    rank = os.environ["RANK"]
    if is_killed and rank == "0":
        Thread(target=_die_after_epoch, args=(out,), daemon=True).start()
    fit(data, cache, out, out.with_suffix(f".{rank}"))


def _die_after_epoch(out: Path) -> None:
    while not (out / "last.safetensors").is_file():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)


def launch(*arguments: object) -> None:
    """As ``torchrun --standalone --nproc-per-node=2``, but the libraries are imported once."""
    settings = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=2,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        start_method=FORKSERVER.get_start_method(),
        max_restarts=0,
        monitor_interval=0.1,
    )
    elastic_launch(settings, fit_as_one_of_two)(*arguments)


def finished_epochs(said: Path) -> list[int]:
    lines = [json.loads(line) for line in said.read_text().splitlines() if line.startswith("{")]
    return [line["done"] for line in lines if line["stage"] == "epoch"]


@pytest.mark.slow
def test_two_processes_one_of_them_killed_and_resumed_end_as_one_does(shapes, cache, tmp_path):
    fit(shapes, cache, tmp_path / "one", tmp_path / "one.0")
    assert finished_epochs(tmp_path / "one.0") == [*range(1, 13)]
    with pytest.raises(ChildFailedError, match="SIGKILL"):
        launch(shapes, cache, tmp_path / "two", True)
    launch(shapes, cache, tmp_path / "two", False)
    epochs = finished_epochs(tmp_path / "two.0")
    assert epochs == [*range(epochs[0], 13)]
    assert epochs[0] > 1
    assert (tmp_path / "two" / "bundle" / "model.safetensors").is_file()
    one, two = (
        checkpoint.read_checkpoint(tmp_path / name / "last.safetensors") for name in ("one", "two")
    )
    assert one.tensors.keys() == two.tensors.keys()
    for name, tensor in one.tensors.items():
        torch.testing.assert_close(two.tensors[name], tensor, rtol=1e-3, atol=1e-5)
    for mine, theirs in zip(one.notes["log"], two.notes["log"], strict=True):
        assert mine["loss"] == pytest.approx(theirs["loss"], rel=1e-4)
        assert mine["log_loss"] == pytest.approx(theirs["log_loss"], rel=1e-4)
    assert one.notes["log"][0]["loss"] - one.notes["log"][-1]["loss"] > 0.01


FAILS_FIRST = """
import torch
from trainer.training import distributed
from tumorviewer.errors import InputError

with distributed.join_process_group(torch.device("cpu")):
    done = True
    try:
        with distributed.let_one_go_first():
            if distributed.is_first():
                raise InputError("data", "It cannot be read.")
    except InputError:
        done = False
    distributed.wait_for_all()
    print(distributed.get_rank(), done)
"""


def test_nobody_waits_for_a_first_process_that_failed():
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    shared |= {"TORCHELASTIC_RUN_ID": "test", "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FAILS_FIRST],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | shared | {"RANK": rank, "LOCAL_RANK": rank},
        )
        for rank in "01"
    ]
    try:
        said = [process.communicate(timeout=120)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert said == ["0 False\n", "1 True\n"]
