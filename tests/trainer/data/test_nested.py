"""Nested cross-validation by the command line: the reported fold chose nothing."""

from __future__ import annotations

import csv
import json

from trainer import cli


def test_every_item_is_judged_once_by_a_model_that_was_chosen_without_it(shapes, cache, tmp_path):
    out = tmp_path / "nested"
    arguments = ["crossval", str(shapes), f"--out={out}", f"--cache={cache}", "--progress=none"]
    arguments += ["--device=cpu", "--set=split.validation=nested 0", "--set=split.folds=3"]
    arguments += ["--set=preprocessing.size=32", "--set=model.architecture=light"]
    arguments += ["--set=model.options.width=8", "--set=training.epochs=1"]
    assert cli.main(arguments) == 0
    with (out / "predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["path"] for row in rows}) == len(rows) == 36
    for number in range(3):
        card = json.loads((out / f"fold-{number}" / "bundle" / "card.json").read_text())
        said = card["training"]["split"]
        assert said["validation"] == f"nested {number}"
        assert (said["train_items"], said["validation_items"], said["test_items"]) == (16, 8, 12)
        assert card["figures"]["grouped_test"]["n"] == 12
        assert "chose nothing" in card["training"]["selection"]
