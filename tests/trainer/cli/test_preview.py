from __future__ import annotations

import json
import os
import signal
import time

import numpy as np
import pytest

from trainer.cli import data_commands, main
from trainer.data import dataset

SMALL = ("--set", "preprocessing.size=64", "--progress", "none")


@pytest.fixture
def two_sets(make_items, tmp_path):
    """A folder per class, and a table of another place with a class that the first lacks."""
    root = make_items({"glioma": 4, "notumor": 4, "other/pictures": 6})
    (root / "other" / "dataset.csv").write_text(
        "path,label,patient_id\n"
        + "".join(f"pictures/{n}.png,{'glioma' if n < 3 else 'pituitary'},p{n}\n" for n in range(6))
    )
    return root, root / "other" / "dataset.csv"


def test_joined_data_have_the_classes_and_items_of_both(two_sets):
    root, table = two_sets
    joined = dataset.read_dataset(root, ("glioma", "notumor", "pituitary"), also=(table,))
    assert joined.counts() == {"glioma": 7, "notumor": 4, "pituitary": 3}
    item = next(one for one in joined.items if one.name == "other/pictures/4.png")
    assert joined.classes[item.label] == "pituitary"
    assert (item.patient, item.source) == ("p4", "pictures")
    assert np.array_equal(np.unique(joined.labels()), [0, 1, 2])


def test_classes_that_are_not_named_stay_out_of_joined_data(two_sets):
    root, table = two_sets
    joined = dataset.read_dataset(root, ("notumor", "glioma"), also=(table,))
    assert joined.classes == ("notumor", "glioma")
    assert joined.counts() == {"notumor": 4, "glioma": 7}


def test_split_says_what_fit_would_take(shapes, cache, capsys):
    named = ["split", str(shapes), "--cache", str(cache), *SMALL]
    assert main([*named, "--set", "split.folds=3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["train"]["items"] + found["validation"]["items"] == 36
    assert set(found["validation"]["classes"]) == {"disc", "ring", "square"}
    assert main([*named, "--set", "split.folds=13"]) == 1
    assert "fewer than 13 folds." in capsys.readouterr().err


def test_settings_come_with_their_choices_for_a_form(capsys):
    assert main(["config", "--json", "--set", "training.epochs=3"]) == 0
    said = json.loads(capsys.readouterr().out)
    options = {one["name"]: one for one in said["options"]}
    assert "light_residual" in said["architectures"]
    assert options["training.epochs"]["value"] == 3
    assert options["training.keep"]["choices"] == ["best", "last"]
    assert options["preprocessing.size"]["value"] == 224


def test_what_a_window_or_a_scheduler_ends_says_how_it_goes_on(capsys, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)

    def train(_options) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    monkeypatch.setattr(data_commands, "_config", train)
    try:
        assert main(["config"]) == 130
    finally:
        signal.signal(signal.SIGTERM, before)
    assert "--resume continues after the last finished epoch" in capsys.readouterr().err
