"""What is outlined: a table ``path,label[,group,mask,box,brain,planes,collection,sequence]`` of
images and volumes, a COCO file or a YOLO folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.segmentation.boxes import Box, Boxed, check_box, read_coco, read_yolo
from trainer.tools.atomic_files import read_csv
from tumorviewer.errors import InputError

PLANES = ("native", "all")


@dataclass(frozen=True)
class Outlined:
    """One image or volume, and what is known of it."""

    path: Path
    name: str
    """Path as the table has it."""
    label: str
    """What the outlined tissue is; of a volume, where it is outlined."""
    group: str
    """Patient, or near-duplicate group: never on both sides of a split."""
    mask: Path | None = None
    """A file on the same grid whose values other than 0 are tumour."""
    boxes: tuple[Box, ...] = ()
    """Around tumours, where there is no mask; neither: there is no tumour."""
    brain: Path | None = None
    """A file on the same grid whose values other than 0 are brain; None: not known."""
    planes: str = "native"
    """``native``: the slices as acquired; ``all``: resliced along the three axes too."""
    collection: str = ""
    sequence: str = ""


def read_outlined(source: Path, classes: Sequence[str] = ()) -> tuple[Outlined, ...]:
    """Items of a CSV table, a COCO file (``.json``) or a YOLO folder; paths in the files are
    relative to where they lie.

    Parameters
    ----------
    classes
        Of a YOLO folder, by their numbers.

    Raises
    ------
    InputError
        If a column is missing, a file does not exist, or a box makes no sense.
    """
    if source.is_dir():
        return tuple(_boxed(source, one) for one in read_yolo(source, classes))
    if source.suffix.lower() == ".json":
        return tuple(_boxed(source.parent, one) for one in read_coco(source))
    rows = read_csv(source)
    if not rows or not {"path", "label"} <= rows[0].keys():
        raise InputError(str(source), "The table needs a header with path and label, and rows.")
    return tuple(_outlined(source, row) for row in rows)


def _boxed(root: Path, one: Boxed) -> Outlined:
    if not one.path.is_file():
        raise InputError(str(root), f"{one.path.name} does not exist.")
    name = one.path.relative_to(root).as_posix()
    return Outlined(one.path, name, one.labels[0] if one.labels else "", name, boxes=one.boxes)


def _outlined(table: Path, row: dict[str, str]) -> Outlined:
    planes = row.get("planes", "") or "native"
    if planes not in PLANES:
        raise InputError(str(table), f"{planes!r} is no choice of planes; use native or all.")
    return Outlined(
        _existing(table, row["path"]),
        row["path"],
        row["label"],
        row.get("group", "") or row["path"],
        _existing(table, row["mask"]) if row.get("mask") else None,
        _boxes(table, row["box"]) if row.get("box") else (),
        _existing(table, row["brain"]) if row.get("brain") else None,
        planes,
        row.get("collection", ""),
        row.get("sequence", ""),
    )


def _boxes(table: Path, text: str) -> tuple[Box, ...]:
    """Boxes, one after the other, each of four numbers."""
    try:
        edges = [float(part) for part in re.split(r"[;\s]+", text.strip())]
        fours = [edges[start : start + 4] for start in range(0, len(edges), 4)]
        return tuple(check_box((a, b, c, d), str(table)) for a, b, c, d in fours)
    except ValueError:
        reason = f"The box {text!r} is not four numbers, or as many for each box."
        raise InputError(str(table), reason, "Write left;top;right;bottom.") from None


def _existing(table: Path, name: str) -> Path:
    path = table.parent / name
    if not path.exists():
        raise InputError(str(table), f"{name} does not exist.")
    return path
