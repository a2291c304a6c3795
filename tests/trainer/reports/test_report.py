"""The page that evaluate and fit end with: what stands in it, and that it needs nothing else."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from pages import assert_stands_alone

from trainer import cli
from trainer.cli.printing import print_summary
from trainer.data.material import DataSource, prepare_data
from trainer.evaluation import mistake_gallery
from trainer.evaluation.predictions import Predictions
from trainer.tools.progress import Progress
from tumorviewer.analysis import pipeline, predict
from tumorviewer.errors import InputError
from tumorviewer.models import bundle
from tumorviewer.study import open_paths

SMALL = [
    "--set=preprocessing.size=32",
    "--set=model.architecture=light",
    "--set=model.options.width=8",
    "--set=training.batch=8",
    "--set=training.epochs=1",
    "--set=split.folds=3",
    "--progress=none",
]


@pytest.fixture(scope="module")
def run(shapes, cache, tmp_path_factory):
    """A fit on a random split, whose pictures have twins in training."""
    data = tmp_path_factory.mktemp("leaky") / "data"
    shutil.copytree(shapes, data)
    for path in list(data.glob("*/*0[0-5].png")):
        shutil.copy(path, path.with_stem(f"{path.stem}-again"))
    out = data.parent / "run"
    arguments = ["fit", str(data), f"--out={out}", f"--cache={cache}", *SMALL]
    assert cli.main([*arguments, "--set=split.validation=random 3"]) == 0
    return data, out


def test_fit_ends_in_a_page_that_calls_a_random_split_leaky(run):
    _, out = run
    figures = json.loads((out / "figures.json").read_text())["figures"]
    assert set(figures) == {"leaky_random_split"}
    assert figures["leaky_random_split"]["twin_share"] > 0
    page = assert_stands_alone((out / "report.html").read_text())
    assert "Leaky random split." in page.said
    share = f"{100 * figures['leaky_random_split']['twin_share']:.1f} % of the items have"
    assert share in page.said
    assert "copyist" in page.said
    assert page.tags.count("svg") == 6
    assert "Research use only" in page.said
    with (out / "predictions.csv").open() as stream:
        names = ("disc", "ring", "square")
        wrong = [
            row
            for row in csv.DictReader(stream)
            if max(names, key=lambda name: float(row[f"p_{name}"])) != row["label"]
        ]
    assert page.tags.count("img") == 2 * min(len(wrong), mistake_gallery.SHOWN)


def test_the_summary_calls_a_random_split_leaky(run, capsys):
    _, out = run
    print_summary(json.loads((out / "figures.json").read_text()))
    said = capsys.readouterr().out
    assert said.startswith("leaky random split n ")
    assert "twin_share" in said
    assert "copyist_accuracy" in said


def _evaluate(data, out, cache, capsys, *more):
    arguments = ["evaluate", str(data), "--model", str(out / "bundle"), "--json"]
    assert cli.main([*arguments, f"--cache={cache}", "--progress=none", *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_evaluate_knows_its_own_leaky_validation_part(run, cache, capsys, tmp_path):
    data, out = run
    with (out / "predictions.csv").open() as stream:
        rows = [(row["path"], row["label"]) for row in csv.DictReader(stream)]
    (data / "held.csv").write_text("path,label\n" + "\n".join(map(",".join, rows)))
    page = tmp_path / "page.html"
    found = _evaluate(data / "held.csv", out, cache, capsys, f"--report={page}")
    assert found["overlap"]["share"] == 1
    assert found["overlap"]["is_leaky"]
    assert "Leaky random split." in assert_stands_alone(page.read_text()).said
    assert _evaluate(data, out, cache, capsys)["overlap"]["words"].startswith(
        "The items are the very data"
    )


def test_items_in_training_are_counted_and_new_ones_are_not(
    run, shapes, cache, capsys, make_items, tmp_path
):
    _, out = run
    seen = _evaluate(shapes, out, cache, capsys)["overlap"]
    assert seen["share"] == 1
    new = make_items({"disc": 3, "ring": 3})
    found = _evaluate(new, out, cache, capsys)
    assert found["overlap"]["share"] == 0
    assert "copies saved anew may have been" in found["overlap"]["words"]
    twins = _evaluate(new, out, cache, capsys, f"--training-data={new}")
    assert twins["overlap"]["share"] == twins["twin_share"] == 1


def test_curves_and_reliability_are_in_the_json_and_sources_apart(run, cache, capsys):
    data, out = run
    table = data / "sources.csv"
    lines = [
        f"{path.relative_to(data)},{path.parent.name},{'ab'[number % 2]}"
        for number, path in enumerate(sorted(data.glob("*/*.png")))
    ]
    table.write_text("\n".join(["path,label,source", *lines]))
    found = _evaluate(table, out, cache, capsys)
    assert set(found["curves"]) == {"disc", "ring", "square"}
    assert sum(one["n"] for one in found["reliability"]) == found["n"] == 54
    assert [one["n"] for one in found["sources"].values()] == [27, 27]
    right = sum(one["n"] * one["accuracy"] for one in found["sources"].values())
    assert right / 54 == pytest.approx(found["accuracy"], abs=1e-5)


def test_worst_mistakes_come_first_under_the_window_s_own_map(run, cache):
    data, out = run
    card = bundle.read_card(out / "bundle")
    source = DataSource(data, cache, classes=card.classes)
    judged = Predictions.read(
        out / "predictions.csv", prepare_data(source, card.preprocessing, Progress("none"))
    )
    found = mistake_gallery.choose_worst_mistakes(judged, lambda _fold: out / "bundle", "cpu")
    assert found
    assert [one.probability for one in found] == sorted(
        (one.probability for one in found), reverse=True
    )
    assert all(one.predicted != one.label and one.of_label < one.probability for one in found)
    model = predict.load_model(out / "bundle", "cpu")
    at = judged.names.index(found[0].name)
    picture = np.array(judged.material.pictures.array[judged.rows[at]])
    target = found[0].predicted
    mine = mistake_gallery._map(model, picture, card.classes.index(target))
    (study,) = open_paths([data / found[0].name]).studies
    volume = study.series[0].volumes[0].load()
    theirs = pipeline.analyse_volume(volume, model, target=target).saliency.maps[0]
    assert np.abs(mine - theirs).max() < 1e-4


def test_a_table_of_other_items_is_refused(run, cache, tmp_path):
    data, out = run
    card = bundle.read_card(out / "bundle")
    material = prepare_data(DataSource(data, cache), card.preprocessing, Progress("none"))
    for text, reason in (
        ("path,p_disc,p_ring,p_square\nnowhere.png,1,0,0\n", "do not hold"),
        ("path,label\ndisc/disc00.png,disc\n", "header path,p_"),
        ("path,p_disc,p_ring,p_square\ndisc/disc00.png,1,0,much\n", "no number"),
        ("path,p_disc,p_ring\ndisc/disc00.png,1,0\n", "does not know the class square"),
    ):
        (tmp_path / "p.csv").write_text(text)
        with pytest.raises(InputError, match=reason):
            Predictions.read(tmp_path / "p.csv", material)
