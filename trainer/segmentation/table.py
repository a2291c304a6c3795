"""A table ``path,label[,group,mask,brain,planes,collection,sequence]`` of images and volumes to
outline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
    mask: Path | None
    """A file on the same grid whose values other than 0 are tumour; None: there is no tumour."""
    brain: Path | None = None
    """A file on the same grid whose values other than 0 are brain; None: not known."""
    planes: str = "native"
    """``native``: the slices as acquired; ``all``: resliced along the three axes too."""
    collection: str = ""
    sequence: str = ""


def read_outlined(table: Path) -> tuple[Outlined, ...]:
    """Rows of a table; paths are relative to its folder.

    Raises
    ------
    InputError
        If a column is missing, or a file does not exist.
    """
    rows = read_csv(table)
    if not rows or not {"path", "label"} <= rows[0].keys():
        raise InputError(str(table), "The table needs a header with path and label, and rows.")
    return tuple(_outlined(table, row) for row in rows)


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
        _existing(table, row["brain"]) if row.get("brain") else None,
        planes,
        row.get("collection", ""),
        row.get("sequence", ""),
    )


def _existing(table: Path, name: str) -> Path:
    path = table.parent / name
    if not path.exists():
        raise InputError(str(table), f"{name} does not exist.")
    return path
