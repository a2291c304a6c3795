"""Search of settings: declared ranges, pruning, a kill and a resumed search, and what it leaves."""

from __future__ import annotations

import csv
import os
import signal
import time
import tomllib

import pytest
from processes import start_command

from trainer import cli
from trainer.runs import config
from trainer.runs.search_ranges import Range, read_ranges
from tumorviewer.errors import InputError

RANGES = """
[training]
lr = { low = 1e-4, high = 1e-1, log = true }
batch = { low = 6, high = 12, step = 3 }
[model.options]
width = { choices = [8, 16] }
"""
SMALL = [
    "--set=preprocessing.size=32",
    "--set=model.architecture=light",
    "--set=training.epochs=2",
    "--set=split.folds=3",
]


def test_ranges_are_laid_out_as_the_configuration(tmp_path):
    path = tmp_path / "ranges.toml"
    path.write_text(RANGES)
    assert read_ranges(path) == (
        Range("training.lr", low=1e-4, high=0.1, log=True),
        Range("training.batch", low=6, high=12, step=3),
        Range("model.options.width", (8, 16)),
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no range"),
        ("[training]\nlr = 3", "training.lr is no range"),
        ("[training]\nlr = { low = 2, high = 1 }", "makes no sense"),
        ("[training]\nlr = { low = 0, high = 1, log = true }", "makes no sense"),
        ("[training]\nlr = { low = 1, high = 2, lgo = true }", "makes no sense"),
        ("[training]\noptimiser = { choices = [] }", "makes no sense"),
        ("[split]\nseed = { low = 0, high = 9 }", "cannot be searched"),
        ("[training", "cannot be read"),
    ],
)
def test_ranges_that_make_no_sense_are_refused(text, reason, tmp_path):
    path = tmp_path / "ranges.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=reason):
        read_ranges(path)


def command(shapes, cache, out, ranges, trials) -> list[str]:
    shared = ["search", str(shapes), f"--cache={cache}", f"--out={out}", f"--ranges={ranges}"]
    return [*shared, f"--trials={trials}", "--progress=none", *SMALL]


def test_a_killed_search_goes_on_and_ends_in_a_configuration(shapes, cache, tmp_path, capsys):
    ranges, out = tmp_path / "ranges.toml", tmp_path / "search"
    ranges.write_text(RANGES)
    arguments = command(shapes, cache, out, ranges, 3)
    process = start_command(*arguments)
    while not (out / "trial-000" / "last.safetensors").is_file():
        assert process.is_alive()
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with (out / "journal.log").open("a") as journal:
        journal.write('{"half a li')
    assert cli.main(arguments) == 1
    assert "holds a search already" in capsys.readouterr().err
    assert cli.main([*arguments, "--resume"]) == 0
    with (out / "trials.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["folder"] for row in rows}) == len(rows) == 3
    assert rows[0]["folder"] == "trial-000"  # taken up where it was killed
    assert len({row["training.lr"] for row in rows}) == 3  # nothing is tried twice
    assert {row["state"] for row in rows} <= {"complete", "pruned"}
    losses = [float(row["log_loss"]) for row in rows if row["state"] == "complete"]
    best = config.read_config(out / "best.toml")
    row = next(row for row in rows if float(row["log_loss"]) == min(losses))
    assert best.training.lr == pytest.approx(float(row["training.lr"]))
    assert best.model.options["width"] == int(row["model.options.width"])
    assert tomllib.loads((out / "best.toml").read_text())["training"]["epochs"] == 2
    assert "<svg" in (out / "search.html").read_text()
    ranges.write_text(RANGES.replace("1e-4", "1e-3"))
    assert cli.main([*arguments, "--resume"]) == 1
    assert "other ranges" in capsys.readouterr().err


def test_unknown_settings_are_refused_before_anything_is_trained(shapes, cache, tmp_path, capsys):
    ranges = tmp_path / "ranges.toml"
    ranges.write_text("[training]\nlearning_rate = { low = 1e-4, high = 1e-1 }")
    assert cli.main(command(shapes, cache, tmp_path / "out", ranges, 1)) == 1
    assert "no option 'training.learning_rate'" in capsys.readouterr().err


def test_a_hopeless_trial_is_pruned(shapes, cache, tmp_path):
    ranges, out = tmp_path / "ranges.toml", tmp_path / "search"
    ranges.write_text("[training]\nlr = { choices = [1e-9, 1e-2] }")
    arguments = command(shapes, cache, out, ranges, 9)
    arguments += ["--pruner=halving", "--set=training.epochs=3", "--set=model.options.width=8"]
    assert cli.main(arguments) == 0
    with (out / "trials.csv").open() as stream:
        states = {row["state"] for row in csv.DictReader(stream)}
    assert "pruned" in states
