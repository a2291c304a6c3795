"""The papers' protocols: they can all be built, and a run answers both splits or says why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from trainer.cli import main
from trainer.papers import protocol
from tumorviewer import networks

ALL = [
    (name, *one)
    for name in protocol.list_papers()
    for one in protocol.read_protocol(name).configs({})
]


def test_the_commands_of_the_papers() -> None:
    assert protocol.list_papers() == (
        "brain-cnn",
        "integrated",
        "light",
        "transfer-2class",
        "transfer-4class",
    )


@pytest.mark.parametrize(("paper", "label", "config"), ALL, ids=[f"{a}: {b}" for a, b, _ in ALL])
def test_every_network_of_a_paper_takes_its_pictures(paper, label, config) -> None:
    with torch.device("meta"):  # shapes, without the numbers of half a gigabyte
        network = networks.create_network(config.model.architecture, 4, **config.model.options)
    assert not network.objection(config.preprocessing.size, config.preprocessing.neighbours)
    assert config.training.keep == "last", "nothing may be chosen on what is judged"


def test_both_splits_are_run_and_the_leaky_one_says_so(
    shapes: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    command = ["reproduce", "brain-cnn", str(shapes), "--out", str(out), "--cache", str(cache)]
    command += ["--progress", "none", "--set", "training.epochs=1"]
    assert main(command) == 0
    table = capsys.readouterr().out
    assert "random split (leaky)" in table
    result = json.loads((out / "reproduction.json").read_text())
    (row,) = result["rows"]
    assert f"{row['grouped']['accuracy']:.1%}" in table
    assert row["grouped"]["twin_share"] == 0
    for split in ("random", "grouped"):
        assert (out / f"small-cnn-{split}" / "bundle" / "card.json").is_file()
    before = (out / "small-cnn-grouped" / "last.safetensors").stat().st_mtime_ns
    assert main(command) == 0
    assert (out / "small-cnn-grouped" / "last.safetensors").stat().st_mtime_ns == before


def test_a_network_without_its_weights_is_listed_and_the_rest_goes_on(
    shapes: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "nothing"))
    command = ["reproduce", "integrated", str(shapes), "--out", str(tmp_path / "run")]
    command += ["--cache", str(cache), "--progress", "none", "--set", "preprocessing.size=64"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert said.count("not run:") == len(protocol.read_protocol("integrated").networks)


def test_an_unknown_network_is_named(shapes: Path, tmp_path: Path, capsys) -> None:
    command = ["reproduce", "light", str(shapes), "--out", str(tmp_path), "--networks", "VGG"]
    assert main(command) == 1
    assert "light CNN" in capsys.readouterr().err
