"""The command line as a process, from data to a bundle that the window loads."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys

import pytest
from pages import assert_stands_alone
from small import SMALL

from trainer import cli
from trainer.evaluation import mistake_gallery
from trainer.runs import publish
from tumorviewer.models import weights


def test_fit_as_a_process_ends_in_a_bundle_that_loads(shapes, cache, tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "trainer", "fit", str(shapes), "--out", str(out)]
    done = subprocess.run(
        [*command, f"--cache={cache}", *SMALL, "--set=training.epochs=2", "--progress=json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    epochs = [line for line in lines if line["stage"] == "epoch"]
    assert [line["done"] for line in epochs] == [1, 2]
    assert epochs[0]["log_loss"] > 0
    card, network = weights.load_weights(out / "bundle")
    assert card.classes == ("disc", "ring", "square")
    assert card.training["command"].startswith("tumorviewer-train fit")
    assert card.training["data"]["items"] == 36
    assert card.training["split"]["validation_items"] == 12
    assert card.figures["grouped_validation"]["n"] == 12
    assert not network.training
    assert (out / "config.toml").read_text().count("\n# ") > 40


@pytest.fixture(scope="module")
def crossval(shapes, cache, tmp_path_factory):
    out = tmp_path_factory.mktemp("crossval") / "cv"
    arguments = ["crossval", str(shapes), f"--out={out}", f"--cache={cache}", *SMALL]
    assert cli.main([*arguments, "--set=training.epochs=2", "--set=training.keep=last"]) == 0
    return out


def test_crossval_judges_every_item_once_by_a_model_that_did_not_see_its_group(crossval):
    with (crossval / "predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["path"] for row in rows}) == len(rows) == 36
    folds = {}
    for row in rows:
        assert folds.setdefault(row["group"], row["fold"]) == row["fold"]
        assert sum(float(row[f"p_{name}"]) for name in ("disc", "ring", "square")) == (
            pytest.approx(1)
        )
    pooled = json.loads((crossval / "figures.json").read_text())["figures"]["grouped_crossval"]
    assert pooled["n"] == 36
    assert len(pooled["folds"]) == 3


def test_a_crossval_ends_in_a_page_with_every_fold_and_its_mistakes(crossval):
    pooled = json.loads((crossval / "figures.json").read_text())["figures"]["grouped_crossval"]
    page = assert_stands_alone((crossval / "report.html").read_text())
    for name, figures in (
        ("", pooled),
        *((f"Fold {n}", one) for n, one in enumerate(pooled["folds"])),
    ):
        assert name in page.said
        assert f"{figures['accuracy']:.3f}" in page.said
    wrong = pooled["n"] - round(pooled["accuracy"] * pooled["n"])
    assert page.tags.count("img") == 2 * min(wrong, mistake_gallery.SHOWN) > 0


def test_a_finished_crossval_is_resumed_without_training(crossval, shapes, cache, capsys):
    before = (crossval / "fold-0" / "last.safetensors").stat().st_mtime_ns
    arguments = ["crossval", str(shapes), f"--out={crossval}", f"--cache={cache}", *SMALL]
    arguments += ["--set=training.epochs=2", "--set=training.keep=last"]
    assert cli.main(arguments) == 1
    assert "holds a cross-validation already" in capsys.readouterr().err
    assert cli.main([*arguments, "--resume"]) == 0
    assert (crossval / "fold-0" / "last.safetensors").stat().st_mtime_ns == before


def test_a_crossval_says_which_fold_it_is_at_and_forgets_one_that_never_began(
    shapes, cache, tmp_path, capsys
):
    arguments = ["crossval", str(shapes), f"--out={tmp_path}", f"--cache={cache}", *SMALL]
    arguments += ["--set=training.epochs=1", "--progress=json", "--resume"]
    assert cli.main([*arguments, "--set=split.folds=30"]) == 1
    assert "fewer than 30 folds" in capsys.readouterr().err
    assert cli.main([*arguments, "--set=split.folds=2"]) == 0
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [one["done"] for one in said if one["stage"] == "fold"] == [0, 1]
    assert cli.main([*arguments, "--set=split.folds=3"]) == 1
    assert "has other settings" in capsys.readouterr().err


def test_a_model_of_all_data_takes_its_figures_from_a_crossval(crossval, shapes, cache, tmp_path):
    arguments = ["fit", str(shapes), f"--out={tmp_path / 'all'}", f"--cache={cache}", *SMALL]
    arguments += ["--set=training.epochs=2", "--set=training.keep=last"]
    arguments += ["--set=split.validation=none", f"--figures-from={crossval}"]
    assert cli.main(arguments) == 0
    card, _ = weights.load_weights(tmp_path / "all" / "bundle")
    assert card.figures["grouped_crossval"]["n"] == 36
    assert card.training["split"]["train_items"] == 36
    assert "out-of-fold" in card.training["selection"]
    arguments[2] = f"--out={tmp_path / 'other'}"
    assert cli.main([*arguments, "--set=model.options.width=16"]) == 1


def test_folds_teach_a_student_of_their_own_fold_only(crossval, shapes, cache, tmp_path, capsys):
    arguments = ["fit", str(shapes), f"--cache={cache}", *SMALL, "--set=training.epochs=1"]
    teacher = f'--set=distillation.teachers=["{crossval}/fold-{{fold}}/bundle"]'
    assert cli.main([*arguments, f"--out={tmp_path / 'student'}", teacher]) == 0
    knows = f'--set=distillation.teachers=["{crossval}/fold-1/bundle"]'
    assert cli.main([*arguments, f"--out={tmp_path / 'cheat'}", knows]) == 1
    assert "may know validation items" in capsys.readouterr().err


def test_evaluate_prints_every_figure(crossval, shapes, cache, tmp_path, capsys):
    table = tmp_path / "p.csv"
    arguments = ["evaluate", str(shapes), "--model", str(crossval / "fold-0" / "bundle"), "--json"]
    arguments += [f"--cache={cache}", "--progress=none", f"--predictions={table}"]
    assert cli.main([*arguments, f"--training-data={shapes}"]) == 0
    result = json.loads(capsys.readouterr().out)
    names = "accuracy balanced_accuracy macro_precision macro_recall macro_specificity macro_f1"
    for name in [*names.split(), "roc_auc", "log_loss", "ece", "brier"]:
        low, high = result["intervals"][name]
        assert 0 <= low <= high
    assert result["twin_share"] == result["copyist_accuracy"] == 1.0
    assert (result["n"], result["groups"]) == (36, 36)
    assert set(result["per_class"]) == {"disc", "ring", "square"}
    with table.open() as stream, (crossval / "fold-0" / "predictions.csv").open() as held:
        mine = {row["path"]: float(row["p_disc"]) for row in csv.DictReader(stream)}
        theirs = {row["path"]: float(row["p_disc"]) for row in csv.DictReader(held)}
    assert all(mine[path] == pytest.approx(p, abs=1e-4) for path, p in theirs.items())


def test_evaluate_refuses_classes_that_the_model_does_not_know(crossval, make_items, capsys):
    data = make_items({"disc": 2, "star": 2})
    bundle = str(crossval / "fold-0" / "bundle")
    assert cli.main(["evaluate", str(data), "--model", bundle, f"--cache={data / '.cache'}"]) == 1
    assert "does not know the class star" in capsys.readouterr().err


def test_audit_writes_groups_that_a_split_honours(shapes, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(shapes, data)
    shutil.copy(data / "disc" / "disc00.png", data / "ring" / "again.png")
    arguments = ["audit", str(data), f"--out={tmp_path / 'audit'}", f"--cache={tmp_path / 'cache'}"]
    assert cli.main(arguments) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["exact_copies"] == 1
    assert result["groups_with_several_labels"] == 1
    with (tmp_path / "audit" / "groups.csv").open() as stream:
        group = {row["path"]: row["group"] for row in csv.DictReader(stream)}
    assert group["disc/disc00.png"] == group["ring/again.png"]
    assert len(set(group.values())) == 36


def test_config_shows_every_default(capsys):
    assert cli.main(["config", "--set=training.epochs=7"]) == 0
    said = capsys.readouterr().out
    assert "epochs = 7" in said
    assert "light_residual" in said


def test_mistakes_are_said_and_exit_with_1(shapes, tmp_path, capsys):
    arguments = ["fit", str(shapes), f"--out={tmp_path}", f"--cache={tmp_path}"]
    assert cli.main([*arguments, "--set=training.epoch=1"]) == 1
    assert "Did you mean 'epochs'" in capsys.readouterr().err
    assert cli.main([*arguments, "--set=model.options.depht=1", "--progress=none"]) == 1
    assert "light_residual has no option depht" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_crash():
    command = [sys.executable, "-m", "trainer", "config"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_a_card_says_when_the_source_was_not_committed(tmp_path, monkeypatch):
    def git(*arguments):
        command = [
            "git",
            "-C",
            str(tmp_path),
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
        ]
        subprocess.run([*command, *arguments], check=True, capture_output=True)

    monkeypatch.setattr(publish, "_root", lambda: tmp_path)
    source = tmp_path / "source.py"
    source.write_text("a = 1\n")
    git("init")
    git("add", "source.py")
    git("commit", "-m", "first")
    clean = publish._commit()
    assert len(clean) == 40
    source.write_text("a = 2\n")
    assert publish._commit() == f"{clean} with uncommitted changes"
