"""Labelled items with patient, group and source: a folder per class, or a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.files import read_csv
from tumorviewer.errors import InputError

SPLITS = {
    "training": "train",
    "train": "train",
    "testing": "test",
    "test": "test",
    "validation": "val",
    "valid": "val",
    "val": "val",
}
"""Names of folders and table entries, in lower case, to the part of the official split."""


@dataclass(frozen=True)
class Item:
    """One labelled file."""

    path: Path
    name: str
    """Path below the data folder, with ``/``: how tables and results name it."""
    label: int
    """Index in :attr:`Dataset.classes`."""
    patient: str = ""
    """Empty if not known."""
    split: str = ""
    """``train``, ``val`` or ``test`` where the data set has an official split."""
    source: str = ""
    """Where it came from, as the table's column says; else its top folder, unless that names a
    class or a part of the split."""


@dataclass(frozen=True)
class Dataset:
    """Labelled items, in the order of their names."""

    root: Path
    classes: tuple[str, ...]
    items: tuple[Item, ...]

    def labels(self) -> NDArray[np.int64]:
        """``(N,)`` class indices."""
        return np.array([item.label for item in self.items], np.int64)

    def counts(self) -> dict[str, int]:
        """Items by class."""
        found = Counter(item.label for item in self.items)
        return {name: found[index] for index, name in enumerate(self.classes)}

    def without(self, names: Iterable[str]) -> Dataset:
        """The same without some items."""
        gone = set(names)
        return replace(self, items=tuple(item for item in self.items if item.name not in gone))

    def part(self, *splits: str) -> Dataset:
        """Only the items of some parts of the official split."""
        return replace(self, items=tuple(item for item in self.items if item.split in splits))

    def checked(self) -> Dataset:
        """Itself, if a classifier can be trained or judged on it.

        Raises
        ------
        InputError
            With one class only, or a class without items.
        """
        source = str(self.root)
        if len(self.classes) < 2:
            reason = f"It holds {len(self.classes) or 'no'} class; at least two are needed."
            raise InputError(source, reason, "Use a folder per class, or a table path,label.")
        if empty := [name for name, count in self.counts().items() if not count]:
            raise InputError(source, f"The class {', '.join(empty)} has no items.")
        return self


def read(source: Path, classes: Sequence[str] = ()) -> Dataset:
    """Read a data set.

    Parameters
    ----------
    source
        A folder with a folder per class; with ``Training`` and ``Testing`` (or train, val, test)
        and a folder per class in each; or a CSV ``path,label[,patient_id,split]`` whose paths are
        relative to its own folder.
    classes
        The classes to use; empty for all that are found, sorted by name.

    Raises
    ------
    InputError
        If it is none of these, or an item is labelled with something else.
    """
    if source.is_dir():
        return _read_folder(source.resolve(), tuple(classes)).checked()
    if source.is_file():
        return _read_table(source.resolve(), tuple(classes)).checked()
    raise InputError(str(source), "There is no such folder or table.")


def _folders(folder: Path) -> list[Path]:
    return sorted(
        entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            yield path


def _read_folder(root: Path, classes: tuple[str, ...]) -> Dataset:
    inside = _folders(root)
    parts = [(SPLITS[one.name.lower()], one) for one in inside if one.name.lower() in SPLITS]
    if not parts:
        parts = [("", root)]
    found = {one.name for _, part in parts for one in _folders(part)}
    classes = classes or tuple(sorted(found))
    if missing := sorted(set(classes) - found):
        raise InputError(str(root), f"There is no folder for the class {', '.join(missing)}.")
    items = [
        Item(path, path.relative_to(root).as_posix(), label, split=split)
        for split, part in parts
        for label, name in enumerate(classes)
        for path in _files(part / name)
    ]
    return Dataset(root, classes, tuple(sorted(items, key=lambda item: item.name)))


def _read_table(table: Path, classes: tuple[str, ...]) -> Dataset:
    rows = read_csv(table)
    if not rows or not {"path", "label"} <= rows[0].keys():
        raise InputError(str(table), "The table needs a header with path and label, and rows.")
    if any(not row["label"] for row in rows):
        raise InputError(str(table), "Some rows have no label.")
    known = classes or tuple(sorted({row["label"] for row in rows}))
    if unknown := sorted({row["label"] for row in rows} - set(known)):
        raise InputError(str(table), f"Unknown labels: {', '.join(unknown[:5])}.")
    items = [_item(table, row, known) for row in rows]
    repeated = [name for name, n in Counter(item.name for item in items).items() if n > 1]
    if repeated:
        raise InputError(str(table), f"{repeated[0]} is listed more than once.")
    return Dataset(table.parent, known, tuple(sorted(items, key=lambda item: item.name)))


def _item(table: Path, row: dict[str, str], classes: tuple[str, ...]) -> Item:
    path = (table.parent / row["path"]).resolve()
    if not path.is_relative_to(table.parent):
        raise InputError(
            str(table), f"{row['path']} lies outside the table's folder.", "Move the table up."
        )
    if not path.is_file():
        raise InputError(str(table), f"{row['path']} does not exist.")
    split = row.get("split", "").lower()
    if split and split not in SPLITS:
        raise InputError(str(table), f"{split!r} is no split; use train, val or test.")
    return Item(
        path,
        path.relative_to(table.parent).as_posix(),
        classes.index(row["label"]),
        row.get("patient_id", ""),
        SPLITS.get(split, ""),
        row.get("source", "") or _top_folder(path.relative_to(table.parent), classes),
    )


def _top_folder(path: Path, classes: tuple[str, ...]) -> str:
    top = path.parts[0] if len(path.parts) > 1 else ""
    return "" if top in classes or top.lower() in SPLITS else top
