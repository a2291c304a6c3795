"""Killed at any moment and resumed, a run ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from processes import FORKSERVER

from trainer.data.material import DataSource, prepare_data
from trainer.data.split import SplitSettings
from trainer.runs.config import Config, ModelSettings
from trainer.runs.fit import fit_run
from trainer.runs.run_context import RunContext
from trainer.tools.progress import Progress
from trainer.training import checkpoint
from trainer.training.checkpoint import Checkpoint
from trainer.training.optimise import TrainingSettings
from tumorviewer.errors import InputError
from tumorviewer.models.card import Preprocessing

QUIET = Progress("none")
CONFIG = Config(
    split=SplitSettings("fold 1", 3),
    preprocessing=Preprocessing(size=32),
    model=ModelSettings("light", {"width": 8}),
    training=TrainingSettings(epochs=6, batch=8, warmup_epochs=1, patience=0),
)


def train(
    data: Path,
    cache: Path,
    out: Path,
    config: Config = CONFIG,
    resume: bool = True,
    embeddings: Path | None = None,
) -> None:
    torch.set_num_threads(1)  # two that spin take minutes on a busy machine
    material = prepare_data(DataSource(data, cache), config.preprocessing, QUIET)
    fit_run(material, config, RunContext(out, torch.device("cpu"), QUIET, resume, cache=embeddings))


@pytest.fixture(autouse=True, scope="module")
def same_threads_afterwards():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def results(out: Path) -> dict[str, bytes]:
    names = ("last.safetensors", "best.safetensors", "bundle/model.safetensors", "predictions.csv")
    kept = {name: (out / name).read_bytes() for name in names}
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    kept["log"] = json.dumps([{**entry, "seconds": 0} for entry in log]).encode()
    stored = checkpoint.read_checkpoint(out / "last.safetensors")
    kept["last.safetensors"] = b"".join(
        one.numpy().tobytes() for _, one in sorted(stored.tensors.items())
    )
    return kept


VARIANTS = {
    "all": CONFIG,
    "upper": replace(
        CONFIG,
        model=replace(CONFIG.model, mode="upper"),
        training=replace(
            CONFIG.training,
            oversample=True,
            accumulate=3,
            focal_gamma=2.0,
            precision="bf16-everywhere",
        ),
    ),
    "frozen": replace(
        CONFIG,
        model=replace(CONFIG.model, mode="frozen", feature_copies=2),
        training=replace(CONFIG.training, epochs=30, clip=1.0, class_weights="balanced"),
    ),
}


def train_until(
    data: Path, cache: Path, out: Path, config: Config, seconds: float, copies: Path
) -> None:
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
    train(data, cache, out, config, embeddings=copies)
    os._exit(0)


def train_until_epoch(data: Path, cache: Path, out: Path, epoch: int) -> None:
    """Killed as soon as that many epochs are on the disk."""

    class Killer(Progress):
        def __call__(self, stage: str, done: int, total: int, **values: object) -> None:
            if (stage, done) == ("epoch", epoch):
                os.kill(os.getpid(), signal.SIGKILL)

    torch.set_num_threads(1)
    material = prepare_data(DataSource(data, cache), CONFIG.preprocessing, QUIET)
    fit_run(material, CONFIG, RunContext(out, torch.device("cpu"), Killer("none"), True))


@pytest.mark.parametrize("variant", VARIANTS)
def test_killed_at_random_moments_it_ends_the_same(shapes, cache, tmp_path, variant):
    config = VARIANTS[variant]
    train(shapes, cache, tmp_path / "undisturbed", config)
    expected = results(tmp_path / "undisturbed")
    log = (tmp_path / "undisturbed" / "log.jsonl").read_text().splitlines()
    seconds = sum(json.loads(line)["seconds"] for line in log)
    chance = random.Random(variant)
    kills, out = 0, tmp_path / "killed"
    for _ in range(6):
        wait = chance.uniform(0.1, 0.8) * seconds
        arguments = (shapes, cache, out, config, wait, tmp_path / "embeddings")
        process = FORKSERVER.Process(target=train_until, args=arguments)
        process.start()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
        if (out / "figures.json").is_file():
            break
    assert kills
    train(shapes, cache, out, config)
    assert results(out) == expected


def test_a_finished_run_is_not_repeated_and_not_overwritten(shapes, cache, tmp_path):
    config = replace(CONFIG, training=replace(CONFIG.training, epochs=1))
    out = tmp_path / "run"
    train(shapes, cache, out, config)
    first = results(out)
    train(shapes, cache, out, config)
    assert results(out) == first
    stored = out / "config.toml"
    stored.write_text(stored.read_text().replace("# ", "# in other words: "))
    train(shapes, cache, out, config)
    assert results(out) == first
    with pytest.raises(InputError, match="holds a run already"):
        train(shapes, cache, out, config, resume=False)
    with pytest.raises(InputError, match="other settings"):
        train(shapes, cache, out, CONFIG)


def test_a_loss_that_is_no_number_keeps_the_last_good_checkpoint(shapes, cache, tmp_path):
    config = replace(CONFIG, training=replace(CONFIG.training, lr=1e30, warmup_epochs=4.0))
    with pytest.raises(InputError, match="not a number"):
        train(shapes, cache, tmp_path / "run", config)
    if (tmp_path / "run" / "last.safetensors").is_file():
        stored = checkpoint.read_checkpoint(tmp_path / "run" / "last.safetensors")
        assert all(torch.isfinite(one.float()).all() for one in stored.part("network.").values())


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    tensors = {"a.b": torch.rand(3, 4), "a.c": torch.tensor(7)}
    checkpoint.write_checkpoint(
        tmp_path / "c.safetensors", Checkpoint(tensors, {"epoch": 3, "log": [1.5]})
    )
    stored = checkpoint.read_checkpoint(tmp_path / "c.safetensors")
    assert stored.notes == {"epoch": 3, "log": [1.5]}
    assert torch.equal(stored.part("a.")["b"], tensors["a.b"])
    (tmp_path / "c.safetensors").write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match="cannot be read"):
        checkpoint.read_checkpoint(tmp_path / "c.safetensors")


def _write_too_much(path: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        checkpoint.write_checkpoint(path, Checkpoint({"a": torch.rand(10_000)}, {}))
    except InputError as error:
        os._exit(42 if "intact" in error.reason else 1)
    os._exit(2)


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path):
    path = tmp_path / "c.safetensors"
    checkpoint.write_checkpoint(path, Checkpoint({"a": torch.ones(4)}, {"epoch": 1}))
    process = FORKSERVER.Process(target=_write_too_much, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == 42
    assert checkpoint.read_checkpoint(path).notes == {"epoch": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["c.safetensors"]


def _resume_on_a_full_disk(data: Path, cache: Path, out: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        train(data, cache, out)
    except InputError as error:
        os._exit(42 if "intact" in error.reason and "Make room" in error.remedy else 1)
    os._exit(2)


def test_a_disk_that_fills_up_during_a_run_costs_one_epoch(shapes, cache, tmp_path):
    out = tmp_path / "run"
    first = FORKSERVER.Process(target=train_until_epoch, args=(shapes, cache, out, 3))
    first.start()
    first.join()
    full = FORKSERVER.Process(target=_resume_on_a_full_disk, args=(shapes, cache, out))
    full.start()
    full.join()
    assert full.exitcode == 42
    assert checkpoint.read_checkpoint(out / "last.safetensors").notes["epoch"] == 3
    train(shapes, cache, out)
    assert (
        checkpoint.read_checkpoint(out / "last.safetensors").notes["epoch"]
        == CONFIG.training.epochs
    )
