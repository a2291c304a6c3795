"""Stratified and grouped splits: a group never parts, but in the papers' random one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from trainer.data.dataset import Dataset
from trainer.tools.options import option
from tumorviewer.errors import InputError


@dataclass(frozen=True)
class SplitSettings:
    """The table ``[split]``."""

    validation: str = option(
        "fold 0",
        '"fold K" of the folds below; "nested K": fold K is judged and a fold of the rest chooses '
        'the epoch; "official": the data set\'s own val part; "random K": one in K pictures '
        'whatever their groups, which leaks; "none": train on everything for all epochs',
    )
    folds: int = option(5, "number of stratified folds, which keep groups together")
    seed: int = option(0, "of the division into folds")

    def __post_init__(self) -> None:
        if self.kind not in ("fold", "nested", "official", "random", "none"):
            known = '"fold K", "nested K", "official", "random K" or "none"'
            msg = f"validation must be {known}, not {self.validation!r}"
            raise ValueError(msg)
        if self.folds < 2:
            raise ValueError("folds must be at least 2")
        if self.fold is not None and self.fold >= self.folds:
            msg = f"validation is {self.validation!r}, but folds count from 0 to {self.folds - 1}"
            raise ValueError(msg)
        if self.kind == "random" and self.number < 2:
            raise ValueError('validation is "random K" with K of at least 2')

    @property
    def kind(self) -> str:
        """The first word of ``validation``; all of it if it is none of the numbered kinds."""
        match = re.fullmatch(r"(fold|nested|random) \d+", self.validation)
        return match[1] if match else self.validation

    @property
    def number(self) -> int:
        """K of the numbered kinds, else 0."""
        return 0 if self.kind == self.validation else int(self.validation.split()[1])

    @property
    def fold(self) -> int | None:
        """The number of the fold that is judged, if it is one."""
        return self.number if self.kind in ("fold", "nested") else None

    @property
    def is_leaky(self) -> bool:
        """Whether twins of the judged pictures are left in training."""
        return self.kind == "random"

    def at(self, fold: int) -> SplitSettings:
        """The same with another fold judged."""
        kind = "nested" if self.kind == "nested" else "fold"
        return replace(self, validation=f"{kind} {fold}")


def _no_rows() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of the data set to train on, to choose by, and to judge on."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64] = field(default_factory=_no_rows)
    """Nothing is chosen by them; empty: the figures are those of the validation part."""

    @property
    def judged(self) -> NDArray[np.int64]:
        """The rows whose figures are reported."""
        return self.test if len(self.test) else self.validation


def choose_parts(dataset: Dataset, groups: NDArray[np.int64], settings: SplitSettings) -> Split:
    """Divide a data set without its official test part.

    Synthetic items, which come last, are trained on; real ones are divided as without them.

    Raises
    ------
    InputError
        If there are fewer groups than folds, or no official validation part.
    """
    real = dataset.real()
    count = len(real.items)
    parts = _divide(real, groups[:count], settings)
    made = np.arange(count, len(dataset.items))
    return replace(parts, train=np.concatenate((parts.train, made)))


def _divide(dataset: Dataset, groups: NDArray[np.int64], settings: SplitSettings) -> Split:
    everything = np.arange(len(dataset.items))
    if settings.validation == "none":
        return Split(everything, everything[:0])
    if settings.validation == "official":
        return _official(dataset, everything)
    if settings.is_leaky:
        return _random(dataset, everything, settings)
    fold = assign_folds(dataset, groups, settings)
    held, rest = everything[fold == settings.fold], everything[fold != settings.fold]
    if settings.kind != "nested":
        return Split(rest, held)
    inner = assign_folds(dataset.rows(rest), groups[rest], settings)
    return Split(rest[inner != 0], rest[inner == 0], held)


def _official(dataset: Dataset, everything: NDArray[np.int64]) -> Split:
    held = np.array([item.split == "val" for item in dataset.items])
    if not held.any():
        reason = "It has no validation part of its own."
        raise InputError(str(dataset.root), reason, 'Use validation = "fold 0".')
    for label, name in enumerate(dataset.classes):
        if not (dataset.labels()[~held] == label).any():
            reason = f"The class {name} has no items in the official training part."
            raise InputError(str(dataset.root), reason, 'Use validation = "fold 0".')
    return Split(everything[~held], everything[held])


def _random(dataset: Dataset, everything: NDArray[np.int64], settings: SplitSettings) -> Split:
    from sklearn.model_selection import StratifiedKFold  # type: ignore[import-untyped]

    parts = settings.number
    _require(dataset, everything, parts, "picture", f"{parts} parts")
    splitter = StratifiedKFold(parts, shuffle=True, random_state=settings.seed)
    train, held = next(splitter.split(everything, dataset.labels()))
    return Split(everything[train], everything[held])


def assign_folds(
    dataset: Dataset, groups: NDArray[np.int64], settings: SplitSettings
) -> NDArray[np.int64]:
    """The fold of each item (scikit-learn's StratifiedGroupKFold, shuffled by the seed).

    Raises
    ------
    InputError
        If a class has fewer groups than there are folds, or falls into one fold as a whole.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    labels = dataset.labels()
    _require(dataset, groups, settings.folds, "group", f"{settings.folds} folds")
    splitter = StratifiedGroupKFold(settings.folds, shuffle=True, random_state=settings.seed)
    fold = np.zeros(len(labels), np.int64)
    for number, (_, held) in enumerate(splitter.split(labels, labels, groups)):
        fold[held] = number
    for label, name in enumerate(dataset.classes):
        if len(np.unique(fold[labels == label])) == 1:
            reason = f"All groups of the class {name} fell into one fold."
            raise InputError(str(dataset.root), reason, "Use another seed, or fewer folds.")
    return fold


def _require(
    dataset: Dataset, groups: NDArray[np.int64], least: int, unit: str, parts: str
) -> None:
    """Refuse classes with fewer groups than there are parts to spread them over."""
    labels = dataset.labels()
    for label, name in enumerate(dataset.classes):
        count = len(np.unique(groups[labels == label]))
        if count < least:
            units = unit if count == 1 else f"{unit}s"
            reason = f"The class {name} has {count} {units}, fewer than {parts}."
            raise InputError(str(dataset.root), reason, "Use fewer folds or more data.")
