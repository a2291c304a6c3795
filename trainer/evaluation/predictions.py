"""Labelled items with a model's probabilities: what every figure and chart is made from.

Shapes: N items, K classes of the model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.data.dataset import Dataset
from trainer.data.material import PreparedData
from trainer.evaluation.bootstrap import Floats, Integers
from trainer.tools.atomic_files import read_csv, write_csv
from tumorviewer.errors import InputError


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities of some rows of a data set, as a reader sees them."""

    material: PreparedData
    rows: Integers
    """``(N,)`` of the material."""
    classes: tuple[str, ...]
    """Of the model; the data may lack some."""
    probabilities: Floats
    """``(N, K)``, after the temperature."""
    folds: Integers
    """``(N,)``: the fold whose model answered; −1 where there are none."""
    labels: Integers = field(init=False)
    """``(N,)`` indices in :attr:`classes`."""

    def __post_init__(self) -> None:
        index = find_class_indices(self.material.dataset, self.classes)
        object.__setattr__(self, "labels", index[self.material.dataset.labels()[self.rows]])

    @classmethod
    def read(cls, table: Path, material: PreparedData) -> Predictions:
        """Take the probabilities from a table ``path,…,p_…`` of some of the material's items.

        Raises
        ------
        InputError
            If it has no probabilities, or names other items.
        """
        lines = read_csv(table)
        classes = tuple(name[2:] for name in (lines[0] if lines else ()) if name.startswith("p_"))
        if not classes or "path" not in lines[0]:
            raise InputError(str(table), "The table needs a header path,p_… and rows.")
        row_of = {item.name: row for row, item in enumerate(material.dataset.items)}
        if other := [line["path"] for line in lines if line["path"] not in row_of]:
            reason = f"It judges {len(other)} items that the data do not hold."
            raise InputError(str(table), reason, "Name the data that it was made from.")
        try:
            p = np.array([[float(line[f"p_{name}"]) for name in classes] for line in lines])
            folds = np.array([int(line.get("fold") or -1) for line in lines])
        except ValueError as error:
            raise InputError(str(table), f"It holds no number: {error}.") from error
        return cls(material, np.array([row_of[line["path"]] for line in lines]), classes, p, folds)

    @property
    def groups(self) -> Integers:
        """``(N,)`` patients or near-duplicate groups: what the bootstrap draws."""
        return self.material.groups[self.rows]

    @property
    def predicted(self) -> Integers:
        """``(N,)`` most probable class."""
        return np.asarray(self.probabilities.argmax(1), np.int64)

    @property
    def names(self) -> list[str]:
        """Of the items."""
        return [self.material.dataset.items[row].name for row in self.rows]

    @property
    def sources(self) -> NDArray[np.str_]:
        """``(N,)`` where each item came from; empty if not known."""
        return np.array([self.material.dataset.items[row].source for row in self.rows], np.str_)

    def part(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Predictions:
        """Some of the items, or all in another order."""
        return Predictions(
            self.material,
            self.rows[chosen],
            self.classes,
            self.probabilities[chosen],
            self.folds[chosen],
        )

    def write(self, table: Path) -> None:
        """As a table ``path,label,group,fold,p_…``."""
        header = ("path", "label", "group", "fold", *(f"p_{name}" for name in self.classes))
        lines = [
            (name, self.classes[label], f"g{group:05d}", fold, *map(repr, p.tolist()))
            for name, label, group, fold, p in zip(
                self.names, self.labels, self.groups, self.folds, self.probabilities, strict=True
            )
        ]
        write_csv(table, header, lines)


def find_class_indices(dataset: Dataset, classes: tuple[str, ...]) -> Integers:
    """Where each class of a data set stands among a model's.

    Raises
    ------
    InputError
        If the model does not know it.
    """
    if unknown := sorted(set(dataset.classes) - set(classes)):
        reason = f"The model does not know the class {', '.join(unknown)}."
        raise InputError(str(dataset.root), reason, f"It knows {', '.join(classes)}.")
    return np.array([classes.index(name) for name in dataset.classes])
