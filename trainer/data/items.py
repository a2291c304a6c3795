"""What a data set is: labelled items with patient, group and official split."""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
class LabelledItem:
    """One labelled slice: a picture, or one of the slices of a file or of a folder of DICOM."""

    path: Path
    name: str
    """Path below the data folder, with ``/``, and for a slice of several ``#`` and its number
    as the screen shows it, from 1: how tables and results name it."""
    label: int
    """Index in :attr:`Dataset.classes`."""
    patient: str = ""
    """Empty if not known."""
    split: str = ""
    """``train``, ``val`` or ``test`` where the data set has an official split."""
    source: str = ""
    """Where it came from, as a table's column says; else the top folder of its path in a table."""
    slice: int | None = None
    """Index in its volume, from 0; None for what holds one slice only."""
    mask: Path | None = None
    """A file like this one whose values other than 0 are the lesion."""
    box: tuple[float, float, float, float] | None = None
    """Of the lesion: left, top, right, bottom as shares of the slice."""
    series: str = ""
    """Of DICOM: what slices in files of their own share."""
    synthetic: bool = False
    """Whether a generator made it: it is trained on, and never validated or tested on."""

    @property
    def file(self) -> str:
        """Its name without the number of the slice."""
        return self.name if self.slice is None else self.name.rpartition("#")[0]


@dataclass(frozen=True)
class Dataset:
    """Labelled items, in the order of their names."""

    root: Path
    classes: tuple[str, ...]
    items: tuple[LabelledItem, ...]
    slices: str = "refuse"
    """The rule for the slices of volumes for which nobody states them."""

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

    def rows(self, rows: NDArray[np.int64]) -> Dataset:
        """Some of the items."""
        return replace(self, items=tuple(self.items[row] for row in rows))

    def part(self, *splits: str) -> Dataset:
        """Only the items of some parts of the official split."""
        return replace(self, items=tuple(item for item in self.items if item.split in splits))

    def real(self) -> Dataset:
        """Only what no generator made; of a joined data set these items come first."""
        return replace(self, items=tuple(item for item in self.items if not item.synthetic))

    def volumes(self) -> int:
        """Files and folders of which slices are items."""
        return len({item.path for item in self.items if item.slice is not None})

    def pseudonymous(self, key: bytes) -> Dataset:
        """The same with patients and series under names from which nobody is found.

        Keyed hashes (HMAC-SHA-256, RFC 2104): the same patient has the same name wherever the
        same key is used, and who lacks it cannot try out identifiers.
        """
        hidden = {
            name: f"p{hmac.digest(key, name.encode(), 'sha256').hex()[:12]}" if name else ""
            for item in self.items
            for name in (item.patient, item.series)
        }
        return replace(
            self,
            items=tuple(
                replace(item, patient=hidden[item.patient], series=hidden[item.series])
                for item in self.items
            ),
        )

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


@dataclass(frozen=True)
class Labelled:
    """One label as the folder or the table gives it, before volumes are opened."""

    item: LabelledItem
    slices: str = ""
    """As a table states them."""


@dataclass(frozen=True)
class Named:
    """A data set before volumes are opened."""

    root: Path
    classes: tuple[str, ...]
    labelled: tuple[Labelled, ...]
