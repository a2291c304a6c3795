from __future__ import annotations

from pathlib import Path

import pytest

from trainer.data import dataset
from trainer.data.grouping import read_groups
from trainer.data.material import DataSource, prepare_data
from trainer.tools.progress import Progress
from tumorviewer.errors import InputError
from tumorviewer.models.card import Preprocessing

QUIET = Progress("none")


def test_classes_are_the_sorted_folders(make_items):
    read = dataset.read_dataset(make_items({"b": 2, "a": 3, ".hidden": 1}))
    assert read.classes == ("a", "b")
    assert read.counts() == {"a": 3, "b": 2}
    assert [item.name for item in read.items] == [
        "a/0.png",
        "a/1.png",
        "a/2.png",
        "b/0.png",
        "b/1.png",
    ]


def test_only_the_named_classes_are_read_in_their_order(make_items):
    read = dataset.read_dataset(make_items({"a": 1, "b": 1, "masks": 4}), ("b", "a"))
    assert read.counts() == {"b": 1, "a": 1}


def test_official_splits_are_kept_apart(make_items):
    root = make_items({"Training/a": 2, "Training/b": 2, "Testing/a": 1, "Testing/b": 1, "x": 1})
    read = dataset.read_dataset(root)
    assert read.classes == ("a", "b")
    assert len(read.part("train").items) == 4
    assert len(read.part("test").items) == 2
    assert read.part("test").items[0].name == "Testing/a/0.png"


def test_a_table_gives_labels_patients_and_splits(make_items):
    root = make_items({"pictures": 3})
    table = root / "labels.csv"
    table.write_text(
        "path,label,patient_id,split\npictures/0.png,yes,p1,train\n"
        "pictures/1.png,no,p1,Testing\npictures/2.png,yes,,\n"
    )
    read = dataset.read_dataset(table)
    assert read.classes == ("no", "yes")
    assert [(item.label, item.patient, item.split) for item in read.items] == [
        (1, "p1", "train"),
        (0, "p1", "test"),
        (1, "", ""),
    ]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("name,label\na.png,x\n", "header with path and label"),
        ("path,label\n", "header with path and label"),
        ("path,label\npictures/0.png,x\n", "1 class"),
        ("path,label\npictures/0.png,x\npictures/1.png,\n", "no label"),
        ("path,label\npictures/0.png,x\npictures/9.png,y\n", "does not exist"),
        ("path,label\npictures/0.png,x\npictures/0.png,y\n", "more than once"),
        ("path,label\npictures/0.png,x\n../secret.png,y\n", "outside"),
        ("path,label\npictures/0.png,x\n/etc/hostname,y\n", "outside"),
        ("path,label,split\npictures/0.png,x,a\npictures/1.png,y,b\n", "no split"),
    ],
)
def test_bad_tables_are_refused_with_the_reason(make_items, rows, reason):
    table = make_items({"pictures": 2}) / "labels.csv"
    table.write_text(rows)
    with pytest.raises(InputError, match=reason):
        dataset.read_dataset(table)


def test_a_label_that_was_not_asked_for_is_refused(make_items):
    table = make_items({"pictures": 2}) / "labels.csv"
    table.write_text("path,label\npictures/0.png,x\npictures/1.png,z\n")
    with pytest.raises(InputError, match="Unknown labels: z"):
        dataset.read_dataset(table, ("x", "y"))


@pytest.mark.parametrize(
    ("folders", "reason"),
    [({}, "no class"), ({"a": 2}, "1 class"), ({"a": 2, "b": 0}, "class b has no items")],
)
def test_folders_that_cannot_train_are_refused(make_items, tmp_path, folders, reason):
    make_items(folders)
    with pytest.raises(InputError, match=reason):
        dataset.read_dataset(tmp_path)


def test_a_missing_class_folder_is_named(make_items):
    with pytest.raises(InputError, match="class c"):
        dataset.read_dataset(make_items({"a": 1, "b": 1}), ("a", "c"))


def test_unreadable_items_are_skipped_only_with_consent(make_items, tmp_path, capsys):
    root = make_items({"data/a": 3, "data/b": 3}) / "data"
    (root / "a" / "0.png").write_bytes((root / "a" / "1.png").read_bytes()[:60])
    (root / "b" / "notes.txt").write_text("no picture")
    source = DataSource(root, tmp_path / "cache")
    with pytest.raises(InputError, match="2 items cannot be read"):
        prepare_data(source, Preprocessing(size=32), Progress("human"))
    said = capsys.readouterr().err
    assert "a/0.png" in said
    assert "b/notes.txt" in said
    agreed = DataSource(root, tmp_path / "cache", skip_unreadable=True)
    gathered = prepare_data(agreed, Preprocessing(size=32), QUIET)
    assert gathered.dataset.counts() == {"a": 2, "b": 3}
    assert gathered.pictures.array.shape == (5, 32, 32)


def test_the_cache_is_read_again_and_follows_the_files(make_items, tmp_path):
    root = make_items({"data/a": 2, "data/b": 2}) / "data"
    source = DataSource(root, tmp_path / "cache")
    first = prepare_data(source, Preprocessing(size=32), QUIET)
    held = sorted(path.name for path in source.cache.iterdir())
    again = prepare_data(source, Preprocessing(size=32), QUIET)
    assert sorted(path.name for path in source.cache.iterdir()) == held
    assert (first.pictures.array == again.pictures.array).all()
    (root / "a" / "0.png").write_bytes((root / "b" / "0.png").read_bytes())
    changed = prepare_data(source, Preprocessing(size=32), QUIET)
    assert (changed.pictures.array[0] == changed.pictures.array[2]).all()
    assert changed.pictures.fingerprint([0]) == changed.pictures.fingerprint([2])


def test_groups_from_a_table_match_by_the_end_of_the_path(make_items, tmp_path):
    root = make_items({"set/a": 2, "set/b": 1}) / "set"
    table = tmp_path / "groups.csv"
    table.write_text(
        "file,unit\nset/a/0.png,u1\nset/a/1.png,u2\nset/b/0.png,u1\nother/a/0.png,u9\n"
    )
    source = DataSource(root, tmp_path / "cache", f"{table}:unit")
    assert prepare_data(source, Preprocessing(size=32), QUIET).groups.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("path,group\na/0.png,x\n", "2 items have no row"),
        ("path,unit\na/0.png,x\n", "columns path and group"),
        ("path,group\nx/a/0.png,1\ny/a/0.png,2\n", "disagree"),
    ],
)
def test_bad_tables_of_groups_are_refused(make_items, tmp_path, rows, reason):
    root = make_items({"set/a": 2, "set/b": 1}) / "set"
    table = tmp_path / "groups.csv"
    table.write_text(rows)
    read = dataset.read_dataset(root)
    with pytest.raises(InputError, match=reason):
        read_groups(str(table), read)


def test_no_such_data(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        dataset.read_dataset(Path(tmp_path / "nothing"))


def test_an_item_knows_its_source(make_items):
    root = make_items({"siteA": 1, "train": 1, "yes": 1})
    table = root / "labels.csv"
    paths = ("siteA/0.png", "train/0.png", "yes/0.png")
    lines = [f"{path},{label}" for path, label in zip(paths, ("yes", "no", "no"), strict=True)]
    table.write_text("\n".join(["path,label", *lines]))
    assert [item.source for item in dataset.read_dataset(table).items] == ["siteA", "", ""]
    table.write_text("\n".join(["path,label,source", *(f"{line},x" for line in lines)]))
    assert [item.source for item in dataset.read_dataset(table).items] == ["x", "x", "x"]


def test_the_column_group_of_an_exported_table_is_what_groups_takes(make_items):
    root = make_items({"a": 2, "b": 2})
    table = root / "dataset.csv"
    rows = ["a/0.png,a,p1,,g1", "a/1.png,a,p2,,g1", "b/0.png,b,p3,,g2", "b/1.png,b,p4,,g3"]
    table.write_text("\n".join(["path,label,patient_id,slice,group", *rows]))
    read = dataset.read_dataset(table)
    assert read_groups(str(table), read) == ["g1", "g1", "g2", "g3"]
