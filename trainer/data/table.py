"""A table ``path,label[,patient_id,split,source,slice,mask,box]`` of labelled files and volumes."""

from __future__ import annotations

import re
from pathlib import Path

from trainer.data.items import SPLITS, Labelled, LabelledItem, Named
from trainer.tools.atomic_files import read_csv
from tumorviewer.errors import InputError


def read_table(table: Path, classes: tuple[str, ...]) -> Named:
    """Labels as a table gives them; paths are relative to its folder.

    ``slice`` counts from 1 as the screen does and takes ranges (``10-25``, ``10;12``); ``mask`` is
    a file like the labelled one; ``box`` is left, top, right, bottom as shares of the slice.

    Raises
    ------
    InputError
        If a column is missing, a path lies outside or does not exist, or a value makes no sense.
    """
    rows = read_csv(table)
    if not rows or not {"path", "label"} <= rows[0].keys():
        raise InputError(str(table), "The table needs a header with path and label, and rows.")
    if any(not row["label"] for row in rows):
        raise InputError(str(table), "Some rows have no label.")
    labels = {row["label"] for row in rows}
    known = classes or tuple(sorted(labels))
    if unknown := sorted(labels - set(known)):
        raise InputError(str(table), f"Unknown labels: {', '.join(unknown[:5])}.")
    return Named(table.parent, known, tuple(_labelled(table, row, known) for row in rows))


def _labelled(table: Path, row: dict[str, str], classes: tuple[str, ...]) -> Labelled:
    path = _inside(table, row["path"])
    split = row.get("split", "").lower()
    if split and split not in SPLITS:
        raise InputError(str(table), f"{split!r} is no split; use train, val or test.")
    item = LabelledItem(
        path,
        path.relative_to(table.parent).as_posix(),
        classes.index(row["label"]),
        row.get("patient_id", ""),
        SPLITS.get(split, ""),
        row.get("source", "") or _top_folder(path.relative_to(table.parent), classes),
        mask=_inside(table, row["mask"]) if row.get("mask") else None,
        box=_box(table, row["box"]) if row.get("box") else None,
    )
    return Labelled(item, row.get("slice", ""))


def _top_folder(path: Path, classes: tuple[str, ...]) -> str:
    top = path.parts[0] if len(path.parts) > 1 else ""
    return "" if top in classes or top.lower() in SPLITS else top


def _inside(table: Path, name: str) -> Path:
    path = (table.parent / name).resolve()
    if not path.is_relative_to(table.parent):
        raise InputError(
            str(table), f"{name} lies outside the table's folder.", "Move the table up."
        )
    if not path.exists():
        raise InputError(str(table), f"{name} does not exist.")
    return path


def _box(table: Path, text: str) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = (float(part) for part in re.split(r"[;\s]+", text.strip()))
    except ValueError:
        reason = f"The box {text!r} is not four numbers."
        raise InputError(str(table), reason, "Write left;top;right;bottom.") from None
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        reason = f"The box {text!r} is not left, top, right, bottom as shares from 0 to 1."
        raise InputError(str(table), reason, "Divide pixels by the picture's width and height.")
    return left, top, right, bottom
