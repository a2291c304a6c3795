"""What every command works on: items, their prepared pictures, and groups that never part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer import dataset as datasets
from trainer import duplicates, grouping, pictures
from trainer.dataset import Dataset
from trainer.duplicates import Views
from trainer.files import write_csv
from trainer.pictures import Pictures
from trainer.progress import Progress
from tumorviewer.errors import InputError
from tumorviewer.models.card import Preprocessing


@dataclass(frozen=True)
class Source:
    """What the user named on the command line."""

    data: Path
    cache: Path
    groups: str = ""
    """``FILE[:COLUMN]``; empty: near-duplicates are searched for."""
    classes: tuple[str, ...] = ()
    skip_unreadable: bool = False


@dataclass(frozen=True, eq=False)
class Material:
    """A data set, its pictures row by row, and the group of each row."""

    dataset: Dataset
    pictures: Pictures
    groups: NDArray[np.int64]
    views: Views
    grouped_by: str
    """In words."""

    def write_groups(self, path: Path) -> None:
        """As a table ``path,group`` that ``--groups`` reads."""
        rows = [
            (item.name, f"g{group:05d}")
            for item, group in zip(self.dataset.items, self.groups, strict=True)
        ]
        write_csv(path, ("path", "group"), rows)


def gather(
    source: Source,
    preprocessing: Preprocessing,
    progress: Progress,
    parts: Sequence[str] = ("", "train", "val"),
) -> Material:
    """Read, decode and group some parts of a data set's official split.

    Raises
    ------
    InputError
        If items cannot be read and skipping them was not agreed to.
    """
    dataset = datasets.read(source.data, source.classes).part(*parts).checked()
    stored = pictures.load(dataset, preprocessing, source.cache, progress)
    if stored.unreadable:
        _report_unreadable(source, stored.unreadable, progress)
        dataset = dataset.without(stored.unreadable).checked()
        stored = pictures.load(dataset, preprocessing, source.cache, progress)
    views = duplicates.load_views(dataset, source.cache, progress)
    patients = [item.patient for item in dataset.items]
    if source.groups:
        named = grouping.read_table(source.groups, dataset)
        groups, how = grouping.from_names(named, patients), "a table of groups"
    else:
        pairs = duplicates.find(views, progress=progress)
        joined = grouping.unite(len(dataset.items), pairs[:, :2].tolist())
        groups = grouping.from_names([str(group) for group in joined], patients)
        how = "near-duplicates, mirrored, flipped and rotated ones included"
    if any(patients):
        how += ", and patients"
    return Material(dataset, stored, groups, views, how)


def _report_unreadable(source: Source, unreadable: dict[str, str], progress: Progress) -> None:
    for name, reason in unreadable.items():
        progress.say(f"cannot read {name}: {reason}")
    if not source.skip_unreadable:
        raise InputError(
            str(source.data),
            f"{len(unreadable)} items cannot be read, {next(iter(unreadable))} for one.",
            "Mend them, or train without them with --skip-unreadable.",
        )
