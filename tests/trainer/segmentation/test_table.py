"""Tables, COCO files and YOLO folders say the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.trainer.segmentation.heads import write_images, write_table
from trainer.segmentation.folds import fold_of_items
from trainer.segmentation.table import read_outlined
from tumorviewer.errors import InputError

BOX = (0.25, 0.5, 0.5, 0.75)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        Image.new("L", (80, 40)).save(tmp_path / f"{name}.png")
    return tmp_path


def coco(folder: Path, bbox: list[float]) -> Path:
    content = {
        "images": [
            {"id": 1, "file_name": "a.png", "width": 80, "height": 40},
            {"id": 2, "file_name": "b.png", "width": 80, "height": 40},
        ],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 7, "bbox": bbox}],
        "categories": [{"id": 7, "name": "glioma"}],
    }
    (folder / "coco.json").write_text(json.dumps(content))
    return folder / "coco.json"


def test_coco_yolo_and_a_table_give_the_same_box(folder: Path) -> None:
    (folder / "a.txt").write_text("1 0.375 0.625 0.25 0.25\n")
    rows = [
        {"path": "a.png", "label": "glioma", "box": "0.25;0.5;0.5;0.75"},
        {"path": "b.png", "label": "notumor", "box": ""},
    ]
    sources = (
        read_outlined(coco(folder, [20, 20, 20, 10])),
        read_outlined(folder, ("meningioma", "glioma")),
        read_outlined(write_table(folder / "table.csv", rows)),
    )
    for items in sources:
        assert [one.name for one in items] == ["a.png", "b.png"]
        assert items[0].boxes[0] == pytest.approx(BOX)
        assert items[0].label == "glioma"
        assert items[1].boxes == ()


def test_yolo_s_images_and_labels_may_lie_in_folders_of_their_own(tmp_path: Path) -> None:
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "images" / "a.jpg")
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 1 1\n")
    (one,) = read_outlined(tmp_path, ("glioma",))
    assert one.boxes == ((0, 0, 1, 1),)


def test_boxes_beyond_their_image_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="beyond its image"):
        read_outlined(coco(folder, [60, 20, 40, 10]))
    (folder / "a.txt").write_text("0 0.9 0.5 0.4 0.4\n")
    with pytest.raises(InputError, match="beyond its image"):
        read_outlined(folder, ("glioma",))


def test_what_is_no_file_of_boxes_is_refused(folder: Path) -> None:
    (folder / "other.json").write_text('{"images": 3}')
    with pytest.raises(InputError, match="COCO"):
        read_outlined(folder / "other.json")
    (folder / "a.txt").write_text("3 0.5 0.5 0.2 0.2\n")
    with pytest.raises(InputError, match="Name all classes"):
        read_outlined(folder, ("glioma",))


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", [{"path": "gone.png", "label": "glioma"}])
    with pytest.raises(InputError, match=r"gone\.png"):
        read_outlined(table)


def test_a_fold_holds_whole_groups_of_each_collection_and_label(tmp_path: Path) -> None:
    items = read_outlined(write_images(tmp_path, 48))
    folds = fold_of_items(items, 3)
    of_group = {item.group: set() for item in items}
    for item, fold in zip(items, folds, strict=True):
        of_group[item.group].add(int(fold))
    assert all(len(own) == 1 for own in of_group.values())
    sizes = [(folds == fold).sum() for fold in range(3)]
    assert max(sizes) - min(sizes) <= 2


def test_a_table_may_name_several_boxes(folder: Path) -> None:
    row = {"path": "a.png", "label": "glioma", "box": "0;0;0.5;0.5 0.5;0.5;1;1"}
    (one,) = read_outlined(write_table(folder / "t.csv", [row]))
    assert one.boxes == ((0, 0, 0.5, 0.5), (0.5, 0.5, 1, 1))
    with pytest.raises(InputError, match="four numbers"):
        read_outlined(write_table(folder / "t.csv", [row | {"box": "0;0;0.5"}]))
