"""What a data set is worth, before anything is trained on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer import duplicates
from trainer.dataset import Dataset
from trainer.duplicates import SYMMETRIES
from trainer.files import write_csv, write_json
from trainer.material import Material, Source, gather
from trainer.progress import Progress
from tumorviewer.models.card import Preprocessing

PARTS = ("", "train", "val", "test")


def audit(source: Source, out: Path, progress: Progress) -> dict[str, Any]:
    """Write ``groups.csv``, ``pairs.csv`` and ``audit.json``; answers what the last one holds.

    Raises
    ------
    InputError
        If items cannot be read and skipping them was not agreed to.
    """
    material = gather(source, Preprocessing(), progress, PARTS)
    pairs = duplicates.find(material.views, progress)
    material.write_groups(out / "groups.csv")
    names = [item.name for item in material.dataset.items]
    write_csv(
        out / "pairs.csv",
        ("path", "other", "symmetry"),
        [(names[one], names[other], SYMMETRIES[which]) for one, other, which in pairs],
    )
    result = summary(material) | {
        "near_duplicate_pairs": len(pairs),
        "of_them_mirrored_or_turned": int((pairs[:, 2] > 0).sum()),
        "twin_share_between_splits": twins_between_splits(material.dataset, pairs),
    }
    write_json(out / "audit.json", result)
    return result


def summary(material: Material) -> dict[str, Any]:
    """A few numbers for the card."""
    dataset, groups = material.dataset, material.groups
    labels = dataset.labels()
    sha256 = np.unique(material.pictures.sha256)
    conflicting = conflicts(labels, groups)
    sizes = np.bincount(groups)
    return {
        "items": len(labels),
        "classes": dataset.counts(),
        "exact_copies": len(labels) - len(sha256),
        "grouped_by": material.grouped_by,
        "groups": len(sizes),
        "largest_group": int(sizes.max()),
        "groups_with_several_labels": len(conflicting),
        "items_in_them": int(sizes[conflicting].sum()),
    }


def conflicts(labels_N: NDArray[np.int64], groups_N: NDArray[np.int64]) -> NDArray[np.int64]:
    """The groups that carry more than one label."""
    pairs = np.unique(np.stack((groups_N, labels_N)), axis=1)
    return np.flatnonzero(np.bincount(pairs[0]) > 1)


def twins_between_splits(dataset: Dataset, pairs_M3: NDArray[np.int64]) -> dict[str, float]:
    """The share of each held-out part with a near-duplicate in the training part."""
    part = np.array([item.split for item in dataset.items])
    both = np.concatenate((pairs_M3[:, :2], pairs_M3[:, 1::-1]))
    in_training = both[part[both[:, 1]] == "train", 0]
    has_twin = np.isin(np.arange(len(part)), in_training)
    return {
        name: round(float(has_twin[part == name].mean()), 6)
        for name in ("val", "test")
        if (part == name).any() and (part == "train").any()
    }
