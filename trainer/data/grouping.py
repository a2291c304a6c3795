"""Which items must never part: tables of groups, patients, and their union."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.data.dataset import Dataset
from trainer.tools.atomic_files import read_csv
from tumorviewer.errors import InputError


def unite_groups(size: int, pairs: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """Connected components of ``size`` items joined by ``pairs``, numbered by first appearance.

    Returns
    -------
    ndarray
        ``(size,)``.
    """
    parent = list(range(size))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    roots = np.array([root(index) for index in range(size)], np.int64)
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)


def make_groups(*names: Sequence[str]) -> NDArray[np.int64]:
    """Groups of items that share a name in any of the lists; an empty name joins nothing."""
    pairs = []
    for column in names:
        first: dict[str, int] = {}
        pairs += [
            (first.setdefault(name, index), index) for index, name in enumerate(column) if name
        ]
    return unite_groups(len(names[0]), pairs)


def read_groups(given: str, dataset: Dataset) -> list[str]:
    """The group's name of each item from ``FILE[:COLUMN]``.

    Parameters
    ----------
    given
        A CSV whose first of the columns ``path`` or ``file`` names the item, by its path below
        the data folder or with more folders before it, and a volume's slices one by one
        (``scan.nii.gz#12``) or together (``scan.nii.gz``); the column is ``group`` unless given.

    Raises
    ------
    InputError
        If the table cannot be read, an item is missing, or two rows disagree on one.
    """
    file, column = _file_and_column(given)
    rows = read_csv(file)
    key = next((name for name in ("path", "file") if rows and name in rows[0]), None)
    if key is None or column not in rows[0]:
        raise InputError(str(file), f"The table needs the columns path and {column}.")
    found = _match([(row[key], row[column]) for row in rows], dataset, file)
    names = [item.name if item.name in found else item.file for item in dataset.items]
    missing = [name for name in names if name not in found]
    if missing:
        reason = f"{len(missing)} items have no row in it, {missing[0]} for one."
        raise InputError(str(file), reason)
    return [found[name] for name in names]


def _file_and_column(given: str) -> tuple[Path, str]:
    if Path(given).is_file() or ":" not in given:
        return Path(given), "group"
    file, _, column = given.rpartition(":")
    return Path(file), column


def _match(rows: Sequence[tuple[str, str]], dataset: Dataset, file: Path) -> dict[str, str]:
    """Rows whose whole path ends an item's path count before those that only end alike."""
    names = {name for item in dataset.items for name in (item.name, item.file)}
    exact: dict[str, str] = {}
    alike: dict[str, set[str]] = {}
    for path, group in rows:
        parts = Path(path.replace("\\", "/")).parts
        for skip in range(len(parts)):
            name = "/".join(parts[skip:])
            if name in names:
                if parts[:skip] == dataset.root.parts[len(dataset.root.parts) - skip :]:
                    exact[name] = group
                else:
                    alike.setdefault(name, set()).add(group)
    for name, groups in alike.items():
        if name not in exact and len(groups) > 1:
            raise InputError(str(file), f"Several rows end in {name} and disagree.")
    return {name: next(iter(groups)) for name, groups in alike.items()} | exact
