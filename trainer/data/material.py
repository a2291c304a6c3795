"""What every command works on: items, their prepared pictures, and groups that never part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.data import dataset as datasets
from trainer.data import grouping, near_duplicates, prepared_images, synthetic, thumbnails, volumes
from trainer.data.dataset import Dataset
from trainer.data.prepared_images import PreparedImages
from trainer.data.thumbnails import ThumbnailSet
from trainer.tools.atomic_files import read_secret, write_csv
from trainer.tools.progress import Progress
from tumorviewer.errors import InputError
from tumorviewer.language import later
from tumorviewer.models.bundle import item_digest
from tumorviewer.models.card import Preprocessing


@dataclass(frozen=True)
class DataSource:
    """What the user named on the command line."""

    data: Path
    cache: Path
    groups: str = ""
    """``FILE[:COLUMN]``; empty: near-duplicates are searched for."""
    classes: tuple[str, ...] = ()
    skip_unreadable: bool = False
    slices: str = "refuse"
    """Which slices of a volume carry its label where no table states them."""
    synthetic: Path | None = None
    """A folder of generated pictures to train on beside the data."""
    also: tuple[Path, ...] = ()
    """More data, joined with the first."""

    def read(self, progress: Progress) -> Dataset:
        """The data set, its patients under pseudonyms that only this cache's key makes."""
        found = datasets.read_dataset(self.data, self.classes, self.slices, progress, self.also)
        return found.pseudonymous(read_secret(self.cache / "pseudonyms.key"))


@dataclass(frozen=True, eq=False)
class PreparedData:
    """A data set, its pictures row by row, and the group of each row."""

    dataset: Dataset
    pictures: PreparedImages
    groups: NDArray[np.int64]
    views: ThumbnailSet
    grouped_by: str
    """In words."""
    pairs: NDArray[np.int64]
    """``(M, 3)`` near-duplicates: two rows, and the symmetry between them."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Names of items that were left out with consent, with the reason."""

    def count_groups(self) -> int:
        """How many groups the rows fall into."""
        return len(np.unique(self.groups))

    def digests(self, row: int) -> tuple[str, ...]:
        """SHA-256 by which an item is known again; a slice by its volume's too, whose other
        slices show the same patient."""
        own, item = self.pictures.sha256[row], self.dataset.items[row]
        return (own,) if item.slice is None else (own, volumes.hash_item(item.path))

    def share_in(self, seen: frozenset[str], rows: Iterable[int]) -> float:
        """Share (0–1) of some rows that are among a bundle's training items."""
        known = [any(item_digest(one) in seen for one in self.digests(row)) for row in rows]
        return float(np.mean(known))

    def write_groups(self, path: Path) -> None:
        """As a table ``path,group`` that ``--groups`` reads."""
        rows = [
            (item.name, f"g{group:05d}")
            for item, group in zip(self.dataset.items, self.groups, strict=True)
        ]
        write_csv(path, ("path", "group"), rows)


def prepare_data(
    source: DataSource,
    preprocessing: Preprocessing | None,
    progress: Progress,
    parts: Sequence[str] = ("", "train", "val"),
) -> PreparedData:
    """Read, decode and group some parts of a data set's official split.

    Parameters
    ----------
    preprocessing
        Of the pictures; None for who looks at thumbnails only: those then stand for them.

    Raises
    ------
    InputError
        If items cannot be read and skipping them was not agreed to.
    """
    dataset = source.read(progress).part(*parts).checked()
    if source.synthetic:
        dataset = synthetic.join_synthetic(dataset, source.synthetic)
    seen = thumbnails.load_stored_thumbnails(dataset, source.cache, progress)
    unreadable = seen.unreadable
    if unreadable:
        _report_unreadable(source, unreadable, progress)
        dataset = dataset.without(unreadable).checked()
        seen = thumbnails.load_stored_thumbnails(dataset, source.cache, progress)
    stored = seen
    if preprocessing is not None:
        stored = prepared_images.load_images(dataset, preprocessing, source.cache, progress)
    found = thumbnails.split_stored_thumbnails(seen)
    pairs = near_duplicates.find_cached_near_duplicates(dataset, found, source.cache, progress)
    groups, how = _group(dataset, pairs, source.groups)
    return PreparedData(dataset, stored, groups, found, how, pairs, unreadable)


def _group(
    dataset: Dataset, pairs_M3: NDArray[np.int64], table: str
) -> tuple[NDArray[np.int64], str]:
    """Groups by a table or else by near-duplicates, by patient and volume too; and in words.

    Each synthetic item is a group of its own, so that it joins no real ones.
    """
    whole, dataset = len(dataset.items), dataset.real()
    real = len(dataset.items)
    patients = [item.patient for item in dataset.items]
    if table:
        named, how = grouping.read_groups(table, dataset), later("a table of groups")
    else:
        among_real = pairs_M3[(pairs_M3[:, :2] < real).all(1), :2]
        joined = grouping.unite_groups(real, among_real.tolist())
        named = [str(group) for group in joined]
        how = later("near-duplicates, mirrored, flipped and rotated ones included")
    volumes = [item.file for item in dataset.items]
    series = [item.series for item in dataset.items]
    if any(patients):
        how += ", and " + later("patients")
    if dataset.volumes() or any(series):
        how += ", and " + later("volumes")
    groups = grouping.make_groups(named, patients, volumes, series)
    return np.concatenate((groups, groups.max() + 1 + np.arange(whole - real))), how


def _report_unreadable(source: DataSource, unreadable: dict[str, str], progress: Progress) -> None:
    for name, reason in unreadable.items():
        progress.say(f"cannot read {name}: {reason}")
    if not source.skip_unreadable:
        raise InputError(
            str(source.data),
            f"{len(unreadable)} items cannot be read, {next(iter(unreadable))} for one.",
            "Mend them, or train without them with --skip-unreadable.",
        )
