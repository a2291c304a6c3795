"""Stratified and grouped splits: a group never parts."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.dataset import Dataset
from trainer.options import option
from tumorviewer.errors import InputError


@dataclass(frozen=True)
class SplitSettings:
    """The table ``[split]``."""

    validation: str = option(
        "fold 0",
        '"fold K" of the folds below; "official": the data set\'s own val part; '
        '"none": train on everything for all epochs',
    )
    folds: int = option(5, "stratified folds that keep groups together")
    seed: int = option(0, "of the folds")

    def __post_init__(self) -> None:
        if self.validation not in ("none", "official") and self.fold is None:
            msg = f'validation must be "fold K", "official" or "none", not {self.validation!r}'
            raise ValueError(msg)
        if self.folds < 2:
            raise ValueError("folds must be at least 2")
        if self.fold is not None and self.fold >= self.folds:
            msg = f"validation is {self.validation!r}, but folds count from 0 to {self.folds - 1}"
            raise ValueError(msg)

    @property
    def fold(self) -> int | None:
        """The number of the validation fold, if it is one."""
        match = re.fullmatch(r"fold (\d+)", self.validation)
        return int(match[1]) if match else None


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of the data set to train and to validate on."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]


def choose(dataset: Dataset, groups: NDArray[np.int64], settings: SplitSettings) -> Split:
    """Divide a data set without its test part.

    Raises
    ------
    InputError
        If there are fewer groups than folds, or no official validation part.
    """
    everything = np.arange(len(dataset.items))
    if settings.validation == "none":
        return Split(everything, everything[:0])
    if settings.validation == "official":
        held = np.array([item.split == "val" for item in dataset.items])
        if not held.any():
            raise InputError(str(dataset.root), "It has no validation part of its own.")
        return Split(everything[~held], everything[held])
    fold = folds(dataset, groups, settings)
    return Split(everything[fold != settings.fold], everything[fold == settings.fold])


def folds(
    dataset: Dataset, groups: NDArray[np.int64], settings: SplitSettings
) -> NDArray[np.int64]:
    """The fold of each item (scikit-learn's StratifiedGroupKFold, shuffled by the seed).

    Raises
    ------
    InputError
        If a class has fewer groups than there are folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # type: ignore[import-untyped]

    labels = dataset.labels()
    for label, name in enumerate(dataset.classes):
        count = len(np.unique(groups[labels == label]))
        if count < settings.folds:
            reason = f"The class {name} has {count} groups, fewer than {settings.folds} folds."
            raise InputError(str(dataset.root), reason, "Use fewer folds or more data.")
    splitter = StratifiedGroupKFold(settings.folds, shuffle=True, random_state=settings.seed)
    fold = np.zeros(len(labels), np.int64)
    for number, (_, held) in enumerate(splitter.split(labels, labels, groups)):
        fold[held] = number
    return fold
