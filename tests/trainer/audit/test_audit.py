"""What an audit finds in sets that the tests spoil on purpose, by the command line and in files."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from drawn import texture
from PIL import Image, ImageOps

from trainer import cli
from trainer.audit import audit, shortcuts
from trainer.data.material import DataSource, prepare_data
from trainer.tools.progress import Progress
from tumorviewer.models import cautions

QUIET = Progress("none")


def save(picture: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def table_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory):
    """Two classes and two parts, with a copy over each border, a blank picture and a broken one.

    Answers the data, the report's folder, and what the command printed.
    """
    root = tmp_path_factory.mktemp("spoilt")
    generator = np.random.default_rng(11)
    heads = [texture(generator) for _ in range(26)]
    for number, head in enumerate(heads):
        part = "Training" if number < 18 else "Testing"
        save(head, root / "data" / part / "ab"[number % 2] / f"{number:02d}.png")
    training, testing = root / "data" / "Training", root / "data" / "Testing"
    save(ImageOps.mirror(heads[0]), training / "b" / "mirrored.png")
    save(heads[2].resize((120, 120)), testing / "a" / "smaller.png")
    (training / "b" / "same.png").write_bytes((training / "b" / "01.png").read_bytes())
    save(Image.new("L", (160, 160), 30), training / "a" / "blank.png")
    (testing / "b" / "broken.png").write_bytes((training / "b" / "01.png").read_bytes()[:300])
    for number, kind in enumerate("ac"):
        save(texture(generator), root / "other" / kind / "new.png")
        save(ImageOps.flip(heads[4 + number]), root / "other" / kind / "flipped.png")
    arguments = ["audit", str(root / "data"), f"--out={root / 'report'}", "--progress=none"]
    arguments += [f"--cache={root / 'cache'}", f"--against={root / 'other'}", "--classes=a,b"]
    assert cli.main(arguments) == 0
    return root / "data", root / "report", root / "cache"


@pytest.fixture(scope="module")
def found(spoilt):
    return json.loads((spoilt[1] / "audit.json").read_text())


def test_copies_conflicts_and_leaks_are_counted(found):
    assert found["items"] == 30
    assert found["exact_copies"] == 1
    assert found["near_duplicate_pairs"] == 3
    assert found["of_them_mirrored_or_turned"] == 1
    assert found["pairs_with_two_labels"] == found["groups_with_several_labels"] == 1
    assert found["twin_share_between_splits"] == {"test": pytest.approx(1 / 9, abs=1e-6)}
    assert found["parts"]["train"] == {"a": 10, "b": 11}


def test_what_cannot_be_used_is_listed_and_the_rest_looked_at(found):
    assert list(found["unreadable_items"]) == ["Testing/b/broken.png"]
    assert found["blank_items"] == ["Training/a/blank.png"]


def test_another_set_is_held_against_it(found, spoilt):
    against = found["against"]
    assert (against["pairs"], against["of_them_mirrored_or_turned"]) == (2, 2)
    assert against["share_of_those_with_a_twin_here"] == 0.5
    pairs = table_of(spoilt[1] / "against.csv")
    assert {row["other"] for row in pairs} == {"a/flipped.png", "c/flipped.png"}


def test_the_pairs_with_two_labels_come_first(spoilt):
    pairs = table_of(spoilt[1] / "pairs.csv")
    assert {pairs[0]["path"], pairs[0]["other"]} == {
        "Training/a/00.png",
        "Training/b/mirrored.png",
    }
    assert pairs[0]["symmetry"] == "mirrored"
    assert {pairs[0]["label"], pairs[0]["other_label"]} == {"a", "b"}


def test_every_split_honours_the_groups_that_it_wrote(spoilt, tmp_path):
    data, report, _ = spoilt
    source = DataSource(data, tmp_path, str(report / "groups.csv"), skip_unreadable=True)
    material = prepare_data(source, None, QUIET, audit.PARTS)
    group = dict(zip([item.name for item in material.dataset.items], material.groups, strict=True))
    assert group["Training/a/00.png"] == group["Training/b/mirrored.png"]
    assert group["Training/a/02.png"] == group["Testing/a/smaller.png"]
    assert len(set(material.groups)) == 27
    assert audit.summarise_audit(material)["pairs_in_two_groups"] == 0


def test_a_table_of_groups_that_parts_copies_is_warned_of(spoilt, tmp_path):
    data, report, cache = spoilt
    rows = table_of(report / "groups.csv")
    groups = tmp_path / "apart.csv"
    groups.write_text(
        "path,group\n" + "".join(f"{row['path']},{n}\n" for n, row in enumerate(rows))
    )
    source = DataSource(data, cache, str(groups), skip_unreadable=True)
    summary = audit.summarise_audit(prepare_data(source, None, QUIET, audit.PARTS))
    assert summary["pairs_in_two_groups"] == 3
    assert any("splits by them leak" in warning for warning in summary["warnings"])


def test_the_page_is_one_file_that_shows_the_conflict_first(spoilt, found):
    page = (spoilt[1] / "audit.html").read_text()
    assert "a or\nb?" in page
    assert page.index("mirrored.png") < page.index("smaller.png") < page.index("same.png")
    assert page.count("data:image/png;base64") == 6
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert "<script" not in page
    assert "broken.png" in page
    assert all(word in page for word in ("Shortcuts", "Against other", "near-duplicate"))
    assert len(found["warnings"]) >= 6


def test_names_cannot_inject_markup_into_the_page(tmp_path):
    generator = np.random.default_rng(0)
    for kind in ("<script>", "b"):
        for number in range(2):
            save(texture(generator), tmp_path / "data" / kind / f"{number}.png")
    audit.audit_data(DataSource(tmp_path / "data", tmp_path / "cache"), tmp_path / "out", QUIET)
    page = (tmp_path / "out" / "audit.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_patients_in_two_parts_are_found_under_pseudonyms(tmp_path):
    generator = np.random.default_rng(1)
    lines = ["path,label,patient_id,split"]
    for number in range(8):
        save(texture(generator), tmp_path / f"{number}.png")
        split = "train" if number < 4 else "test"
        lines.append(f"{number}.png,{'ab'[number % 2]},Doe-{number % 3},{split}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    source = DataSource(tmp_path / "labels.csv", tmp_path / "cache")
    result = audit.audit_data(source, tmp_path / "out", QUIET)
    assert result["patients"] == result["patients_in_several_splits"] == 3
    for path in (tmp_path / "out").iterdir():
        assert "Doe" not in path.read_text()


def shortcut_of(root: Path, draw) -> dict[str, shortcuts.Shortcut]:
    generator = np.random.default_rng(2)
    for number in range(60):
        kind = number % 2
        save(draw(texture(generator, 96), kind), root / "data" / "ab"[kind] / f"{number:02d}.png")
    material = prepare_data(DataSource(root / "data", root / "cache"), None, QUIET)
    assert material.views.measures is not None
    found = shortcuts.find_shortcuts(material.dataset, material.views.measures, material.groups)
    return {one.by: one for one in found}


def test_a_frame_of_one_class_is_a_shortcut_that_is_named_with_numbers(tmp_path):
    framed = shortcut_of(
        tmp_path, lambda head, kind: ImageOps.expand(head, 12 if kind else 0).resize((96, 96))
    )
    assert framed["dark margins"].is_telling
    assert framed["dark margins"].balanced_accuracy > 0.9
    words = cautions.describe_shortcut(asdict(framed["dark margins"]))
    assert words.startswith("By dark margins alone the class is told in 100 % (chance 50 %)")
    assert "picture size" not in framed


def test_nothing_is_called_a_shortcut_where_the_classes_differ_in_nothing(tmp_path):
    plain = shortcut_of(tmp_path, lambda head, _kind: head)
    assert plain
    assert not [one.by for one in plain.values() if one.is_telling]


def test_training_says_what_the_audit_found_before_it_begins(spoilt, tmp_path, capsys):
    data, _, cache = spoilt
    arguments = ["fit", str(data), f"--out={tmp_path / 'run'}", f"--cache={cache}"]
    arguments += ["--set=preprocessing.size=32", "--set=model.architecture=light"]
    arguments += ["--set=model.options.width=8", "--set=training.epochs=1", "--device=cpu"]
    assert cli.main([*arguments, "--set=split.folds=2"]) == 0
    said = capsys.readouterr().err
    assert said.index("1 group carries several labels") < said.index("epoch 1/1")
    card = json.loads((tmp_path / "run" / "bundle" / "card.json").read_text())
    assert card["training"]["audit"]["pairs_with_two_labels"] == 1
    assert any("near-duplicate" in one for one in card["training"]["audit"]["warnings"])
