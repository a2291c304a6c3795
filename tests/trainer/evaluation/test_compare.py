"""Two models on the same items: the verdict, and what it is worth."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from pages import assert_stands_alone
from PIL import Image
from scipy.stats import binomtest

from trainer import cli
from trainer.evaluation import compare
from tumorviewer.models import comparison

CLASSES = ("disc", "ring", "square")


def test_mcnemar_is_the_exact_test_and_agrees_with_its_group_form_on_lone_items():
    right = np.array([True] * 6 + [False] * 15 + [True] * 30)
    other = np.array([False] * 6 + [True] * 15 + [True] * 30)
    found = compare.run_mcnemar_test(right, other, np.arange(51))
    assert (found["candidate_only_right"], found["current_only_right"]) == (6, 15)
    assert found["p"] == pytest.approx(binomtest(6, 21).pvalue, abs=1e-6)
    assert found["p_by_group"] == pytest.approx(found["p"], abs=0.015)


def test_one_group_proves_nothing_however_many_items_it_holds():
    right, other = np.zeros(40, bool), np.ones(40, bool)
    found = compare.run_mcnemar_test(right, other, np.zeros(40, int))
    assert found["p"] < 1e-6
    assert found["p_by_group"] == 1
    assert compare.run_mcnemar_test(right, right, np.arange(40))["p"] == 1


def _table(path, shapes, share_right, seed=0, sure=0.9):
    """Predictions of which a share is right."""
    generator = np.random.default_rng(seed)
    lines = []
    for item in sorted(shapes.glob("*/*.png")):
        label = CLASSES.index(item.parent.name)
        right = generator.random() < share_right
        said = label if right else (label + 1) % 3
        p = np.full(3, (1 - sure) / 2)
        p[said] = sure
        lines.append((item.relative_to(shapes), item.parent.name, *p))
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("path", "label", *(f"p_{name}" for name in CLASSES)))
        writer.writerows(lines)
    return path


def _compare(one, other, data, cache, out, *more):
    arguments = ["compare", str(one), str(other), str(data), f"--cache={cache}", f"--out={out}"]
    return cli.main([*arguments, "--progress=none", *more])


@pytest.mark.parametrize(
    ("candidate", "current", "verdict"),
    [
        ((1.0,), (0.5,), "better"),
        ((0.5,), (1.0,), "worse"),
        ((0.9,), (0.9,), "not worse"),
        ((0.8, 1), (0.8, 2), "undecided"),
        ((0.7, 1, 0.6), (0.7, 1, 0.999), "better"),  # less sure of the same wrong answers
    ],
)
def test_the_verdict_goes_by_the_intervals(
    shapes, cache, tmp_path, candidate, current, verdict, capsys
):
    one = _table(tmp_path / "new" / "p.csv", shapes, *candidate)
    other = _table(tmp_path / "old" / "p.csv", shapes, *current)
    out, page = tmp_path / "c.json", tmp_path / "c.html"
    assert _compare(one, other, shapes, cache, out, f"--report={page}") == 0
    found = json.loads(out.read_text())
    assert found["verdict"] == verdict
    assert capsys.readouterr().out.strip() == found["words"]
    assert (found["data"]["n"], found["data"]["groups"]) == (36, 36)
    for figure in found["figures"].values():
        low, high = figure["interval"]
        assert low <= figure["difference"] <= high
        expected = figure["candidate"] - figure["current"]
        assert figure["difference"] == pytest.approx(expected, abs=2e-6)
    assert verdict in assert_stands_alone(page.read_text()).said


def test_a_promotion_reads_what_compare_writes(shapes, cache, tmp_path):
    one = _table(tmp_path / "new" / "p.csv", shapes, 1.0)
    other = _table(tmp_path / "old" / "p.csv", shapes, 0.5)
    assert _compare(one, other, shapes, cache, tmp_path / "c.json") == 0
    read = comparison.read_comparison(tmp_path / "c.json")
    assert (read.candidate.name, read.current.name) == ("new", "old")
    assert read.verdict == comparison.BETTER
    assert read.data.n == 36
    assert read.overlap["candidate"] is None


def test_swapped_models_swap_the_differences(shapes, cache, tmp_path):
    one = _table(tmp_path / "new" / "p.csv", shapes, 0.9)
    other = _table(tmp_path / "old" / "p.csv", shapes, 0.6, 3)
    found = []
    for pair in ((one, other), (other, one)):
        assert _compare(*pair, shapes, cache, tmp_path / "c.json") == 0
        found.append(json.loads((tmp_path / "c.json").read_text())["figures"])
    for name, figure in found[0].items():
        assert figure["difference"] == pytest.approx(-found[1][name]["difference"], abs=1e-6)
        assert figure["interval"] == pytest.approx(
            [-end for end in reversed(found[1][name]["interval"])], abs=1e-6
        )


def test_a_table_that_lacks_items_is_refused(shapes, cache, tmp_path, capsys):
    one = _table(tmp_path / "new" / "p.csv", shapes, 1.0)
    short = tmp_path / "short.csv"
    short.write_text("".join(one.read_text().splitlines(keepends=True)[:-1]))
    assert _compare(short, one, shapes, cache, tmp_path / "c.json") == 1
    assert "each item of the data once" in capsys.readouterr().err


@pytest.fixture
def run(shapes, cache, tmp_path):
    """A network that was trained for one epoch."""
    run = tmp_path / "run"
    small = ["--set=preprocessing.size=32", "--set=model.architecture=light", "--progress=none"]
    small += ["--set=model.options.width=8", "--set=training.epochs=1", "--set=split.folds=3"]
    assert cli.main(["fit", str(shapes), f"--out={run}", f"--cache={cache}", *small]) == 0
    return run


def test_twins_are_looked_for_in_every_part_of_the_training(run, shapes, cache, tmp_path):
    halves = [tmp_path / name for name in ("one", "other")]
    for item in sorted(shapes.glob("*/*.png")):
        half = halves[int(item.stem[-1]) % 2] / item.parent.name
        half.mkdir(parents=True, exist_ok=True)
        with Image.open(item) as picture:
            picture.resize((72, 72)).save(half / f"again-{item.name}")
    model, out = run / "bundle", tmp_path / "c.json"
    table = _table(tmp_path / "old" / "p.csv", halves[1], 0.5)
    shares = []
    for training in (halves[:1], halves):
        more = [f"--candidate-training={half}" for half in training]
        assert _compare(model, table, halves[1], cache, out, *more) == 0
        shares.append(json.loads(out.read_text())["overlap"]["candidate"])
    assert shares[0] < shares[1] == 1


def test_what_was_trained_on_proves_nothing(run, shapes, cache, tmp_path, capsys):
    none_right = _table(tmp_path / "old" / "p.csv", shapes, 0.0, sure=0.998)
    out = tmp_path / "c.json"
    capsys.readouterr()
    assert _compare(run / "bundle", none_right, shapes, cache, out) == 0
    found = json.loads(out.read_text())
    assert found["figures"]["accuracy"]["interval"][0] > 0
    assert found["overlap"]["candidate"] == 1
    assert found["verdict"] == "undecided"
    assert "the very data that the model was made from" in found["words"]
    assert (
        found["candidate"]["sha256"]
        == json.loads((run / "bundle" / "card.json").read_text())["weights"]["sha256"]
    )
