"""Whether the class can be told without looking at the head: by size, frame, corner or source.

A simple classifier on such properties alone is cross-validated by group (after Torralba and Efros,
CVPR 2011, and Zech et al., PLoS Med 2018). What it can learn a network can learn too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data.dataset import SPLITS, Dataset
from trainer.data.image_measures import take_column
from tumorviewer.language import later

_MUCH = 0.2
"""Of the way from chance to certainty: what is worth a warning."""
_FOLDS = 5
_TOGETHER = later("format, size, margins and corners together")
_SEEN = {
    later("file format and colour"): ("format", "colour"),
    later("picture size"): ("rows", "columns"),
    later("dark margins"): ("top", "left", "bottom", "right"),
    later("corners"): ("corner", "corner_spread"),
}


@dataclass(frozen=True)
class Shortcut:
    """How well one kind of property tells the class."""

    by: str
    balanced_accuracy: float
    """Of grouped cross-validation: the mean over classes of the share told rightly."""
    chance: float
    standard_error: float
    """Of a share of as many groups."""
    visible: bool
    """Whether a network can see it."""

    @property
    def is_telling(self) -> bool:
        """Whether it is surely, and by much, better than chance."""
        least = self.balanced_accuracy - 2 * self.standard_error
        return least > self.chance + _MUCH * (1 - self.chance)


def find_shortcuts(
    dataset: Dataset, measures_NM: NDArray[np.float32], groups: NDArray[np.int64]
) -> list[Shortcut]:
    """Every kind of property that differs between items, the most telling of the visible first.

    Answers nothing if a class has a single group, since nothing can then be cross-validated.
    """
    labels = dataset.labels()
    folds = _folds(labels, groups)
    if folds is None:
        return []
    error = 0.5 / np.sqrt(len(np.unique(groups)))
    found = []
    for by, features in (_seen(measures_NM) | _named(dataset)).items():
        if len(np.unique(features, axis=0)) > 1:
            visible = by in _SEEN or by == _TOGETHER
            score = _score(features, labels, folds, categories=not visible)
            chance = 1 / len(np.unique(labels))
            found.append(Shortcut(by, score, chance, float(error), visible))
    return sorted(found, key=lambda one: (not one.visible, -one.balanced_accuracy))


def _seen(measures_NM: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    sets = {
        by: np.stack([take_column(measures_NM, name) for name in names], axis=1)
        for by, names in _SEEN.items()
    }
    return sets | {_TOGETHER: np.concatenate(list(sets.values()), axis=1)}


def _named(dataset: Dataset) -> dict[str, NDArray[Any]]:
    return {
        later("the source"): _codes([item.source for item in dataset.items]),
        later("the pattern of folder and file names"): _codes(
            [describe_pattern(item.file, dataset.classes) for item in dataset.items]
        ),
    }


def describe_pattern(name: str, classes: Sequence[str]) -> str:
    """A path with each number as ``0``, without the folders that name class or part."""
    *folders, own = PurePosixPath(name).parts
    kept = [one for one in folders if one not in classes and one.lower() not in SPLITS]
    return re.sub(r"\d+", "0", "/".join([*kept, own]))


def _codes(names: Sequence[str]) -> NDArray[np.int64]:
    return np.unique(list(names), return_inverse=True)[1].reshape(-1, 1).astype(np.int64)


def _folds(
    labels: NDArray[np.int64], groups: NDArray[np.int64]
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]] | None:
    from sklearn.model_selection import StratifiedGroupKFold  # type: ignore[import-untyped]

    fewest = min(len(np.unique(groups[labels == label])) for label in np.unique(labels))
    if fewest < 2:
        return None
    splitter = StratifiedGroupKFold(min(_FOLDS, fewest), shuffle=True, random_state=0)
    return list(splitter.split(labels, labels, groups))


def _score(
    features_NF: NDArray[Any],
    labels: NDArray[np.int64],
    folds: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
    categories: bool,
) -> float:
    from sklearn.metrics import recall_score  # type: ignore[import-untyped]
    from sklearn.naive_bayes import CategoricalNB  # type: ignore[import-untyped]
    from sklearn.tree import DecisionTreeClassifier  # type: ignore[import-untyped]

    told = np.zeros_like(labels)
    for train, held in folds:
        if categories:
            model = CategoricalNB(fit_prior=False, min_categories=int(features_NF.max()) + 1)
        else:
            model = DecisionTreeClassifier(
                max_depth=6, min_samples_leaf=5, class_weight="balanced", random_state=0
            )
        told[held] = model.fit(features_NF[train], labels[train]).predict(features_NF[held])
    return float(recall_score(labels, told, average="macro"))
