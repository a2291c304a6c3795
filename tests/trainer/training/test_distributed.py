"""Two processes under torchrun are one with the whole batch."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket

import pytest
import torch

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


TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]


@contextmanager
def fitting(start: list[str], data: Path, cache: Path, out: Path) -> Iterator[subprocess.Popen]:
    """The command line as a process, or as several under torchrun."""
    command = [sys.executable, *start, "trainer", "fit", str(data), f"--out={out}", "--resume"]
    with subprocess.Popen(
        [*command, f"--cache={cache}", *SMALL, *NO_RANDOMNESS],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as process:
        yield process


def finished_epochs(process: subprocess.Popen) -> list[int]:
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return [line["done"] for line in lines if line["stage"] == "epoch"]


@pytest.mark.slow
def test_two_processes_one_of_them_killed_and_resumed_end_as_one_does(shapes, cache, tmp_path):
    with fitting(["-m"], shapes, cache, tmp_path / "one") as process:
        assert finished_epochs(process) == [*range(1, 13)]
    with fitting(TORCHRUN, shapes, cache, tmp_path / "two") as process:
        for line in process.stderr:
            if '"epoch"' in line:
                break
        workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(workers[0]), signal.SIGKILL)
        process.communicate(timeout=60)
    assert process.returncode
    with fitting(TORCHRUN, shapes, cache, tmp_path / "two") as process:
        epochs = finished_epochs(process)
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
