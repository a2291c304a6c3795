"""What a data set is worth, before anything is trained on it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.audit import audit_page, shortcuts
from trainer.data import near_duplicates, synthetic
from trainer.data.dataset import Dataset
from trainer.data.image_measures import FORMATS, MEASURES, take_column
from trainer.data.material import DataSource, PreparedData, prepare_data
from trainer.data.near_duplicates import SYMMETRIES
from trainer.tools.atomic_files import write_csv, write_json, write_text
from trainer.tools.progress import Progress
from tumorviewer.models.cautions import of_audit

PARTS = ("", "train", "val", "test")
_FLAT = 8
"""Grey levels between 1 % and 99 % of the pixels, below which a picture shows nothing."""


def audit_data(
    source: DataSource, out: Path, progress: Progress, against: Path | None = None
) -> dict[str, Any]:
    """Write ``audit.json``, ``audit.html``, ``groups.csv`` and ``pairs.csv``.

    What cannot be read is listed, and the rest is looked at. With ``against``, another data set,
    all classes of it, ``against.csv`` lists the pairs between the two.

    Returns
    -------
    dict
        What ``audit.json`` holds.
    """
    material = prepare_data(replace(source, skip_unreadable=True), None, progress, PARTS)
    result = (
        {"schema": 1, "data": material.dataset.root.name}
        | summarise_audit(material)
        | _rest(material)
    )
    material.write_groups(out / "groups.csv")
    names = [item.name for item in material.dataset.items]
    write_pairs(out / "pairs.csv", material.dataset, material.dataset, material.pairs)
    if against is not None:
        other_source = replace(
            source, data=against, also=(), groups="", classes=(), skip_unreadable=True
        )
        other = prepare_data(other_source, None, progress, PARTS)
        pairs = near_duplicates.find_near_duplicates_between(material.views, other.views, progress)
        write_pairs(out / "against.csv", material.dataset, other.dataset, pairs)
        result["against"] = compare_data_sets(material, other, pairs)
    result["warnings"] = of_audit(result)
    write_json(out / "audit.json", result)
    write_text(out / "audit.html", audit_page.render_audit(result, material))
    progress.say(f"{len(names)} items looked at; the report is {out / 'audit.html'}")
    return result


def summarise_audit(material: PreparedData) -> dict[str, Any]:
    """What stands on a model's card: numbers, and what they warn of in words."""
    dataset = material.dataset.real()
    rows = len(dataset.items)
    labels, groups = dataset.labels(), material.groups[:rows]
    pairs = material.pairs[(material.pairs[:, :2] < rows).all(1)]
    conflicting = find_conflicts(labels, groups)
    sizes = np.bincount(groups)
    found: dict[str, Any] = {
        "items": rows,
        "classes": dataset.counts(),
        "unreadable": len(material.unreadable),
        "exact_copies": rows - len(np.unique(material.pictures.sha256[:rows])),
        "near_duplicate_pairs": len(pairs),
        "of_them_mirrored_or_turned": int((pairs[:, 2] > 0).sum()),
        "items_with_a_near_duplicate": len(np.unique(pairs[:, :2])),
        "pairs_with_two_labels": int((labels[pairs[:, 0]] != labels[pairs[:, 1]]).sum()),
        "pairs_in_two_groups": int((groups[pairs[:, 0]] != groups[pairs[:, 1]]).sum()),
        "grouped_by": material.grouped_by,
        "groups": len(sizes),
        "groups_of_classes": {
            name: len(np.unique(groups[labels == label]))
            for label, name in enumerate(dataset.classes)
        },
        "largest_group": int(sizes.max()),
        "groups_with_several_labels": len(conflicting),
        "items_in_them": int(sizes[conflicting].sum()),
        "twin_share_between_splits": count_near_duplicates_between_splits(dataset, pairs),
        "patients": len({item.patient for item in dataset.items} - {""}),
        "patients_in_several_splits": len(find_patients_between_splits(dataset)),
        "volumes": dataset.volumes(),
        "synthetic": synthetic.count_synthetic(material.dataset),
        "slices": dataset.slices,
        "shortcuts": _shortcuts(material, dataset, groups),
    }
    return found | {"warnings": of_audit(found)}


def _shortcuts(
    material: PreparedData, dataset: Dataset, groups: NDArray[np.int64]
) -> list[dict[str, Any]]:
    measures = material.views.measures
    if measures is None:
        return []
    return [
        asdict(one) | {"is_telling": one.is_telling}
        for one in shortcuts.find_shortcuts(dataset, measures[: len(dataset.items)], groups)
    ]


def _rest(material: PreparedData) -> dict[str, Any]:
    """What is too long for a card."""
    dataset, measures = material.dataset, material.views.measures
    assert measures is not None
    items, labels = dataset.items, dataset.labels()
    flat = np.flatnonzero(take_column(measures, "contrast") < _FLAT)
    split = np.array([item.split for item in items])
    formats = take_column(measures, "format").astype(int)
    return {
        "unreadable_items": material.unreadable,
        "blank_items": [items[row].name for row in flat],
        "parts": {
            part or "not stated": dataset.part(part).counts() for part in PARTS if part in split
        },
        "patients_between_splits": find_patients_between_splits(dataset),
        "formats": {
            name: dict(Counter(FORMATS[one] for one in formats[labels == label]))
            for label, name in enumerate(dataset.classes)
        },
        "ranges": {
            name: _ranges(measures[labels == label]) for label, name in enumerate(dataset.classes)
        },
    }


def _ranges(measures_NM: NDArray[np.float32]) -> dict[str, list[float]]:
    """Least, median and greatest of each measure but the format."""
    return {
        name: [
            round(float(one), 4)
            for one in np.percentile(take_column(measures_NM, name), (0, 50, 100))
        ]
        for name in MEASURES
        if name != "format"
    }


def find_conflicts(labels_N: NDArray[np.int64], groups_N: NDArray[np.int64]) -> NDArray[np.int64]:
    """The groups that carry more than one label."""
    pairs = np.unique(np.stack((groups_N, labels_N)), axis=1)
    return np.flatnonzero(np.bincount(pairs[0]) > 1)


def count_near_duplicates_between_splits(
    dataset: Dataset, pairs_M3: NDArray[np.int64]
) -> dict[str, float]:
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


def find_patients_between_splits(dataset: Dataset) -> dict[str, dict[str, int]]:
    """Patients with items in several parts, under their pseudonyms, and how many in each."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for item in dataset.items:
        if item.patient and item.split:
            found[item.patient][item.split] += 1
    return {patient: dict(parts) for patient, parts in found.items() if len(parts) > 1}


def compare_data_sets(
    material: PreparedData, other: PreparedData, pairs_M3: NDArray[np.int64]
) -> dict[str, Any]:
    """What two data sets have in common."""
    mine, theirs = material.dataset, other.dataset
    common = {name for name in mine.classes if name in theirs.classes}
    labels = [
        (mine.classes[mine.items[one].label], theirs.classes[theirs.items[other].label])
        for one, other, _ in pairs_M3.tolist()
    ]
    patients = {item.patient for item in mine.items} & {item.patient for item in theirs.items}
    return {
        "data": theirs.root.name,
        "items": len(theirs.items),
        "pairs": len(pairs_M3),
        "of_them_mirrored_or_turned": int((pairs_M3[:, 2] > 0).sum()),
        "share_with_a_twin_there": round(len(np.unique(pairs_M3[:, 0])) / len(mine.items), 6),
        "share_of_those_with_a_twin_here": round(
            len(np.unique(pairs_M3[:, 1])) / len(theirs.items), 6
        ),
        "same_files": len(set(material.pictures.sha256) & set(other.pictures.sha256)),
        "pairs_with_two_labels": sum(one != two for one, two in labels if {one, two} <= common),
        "patients_in_both": len(patients - {""}),
    }


def write_pairs(path: Path, one: Dataset, other: Dataset, pairs_M3: NDArray[np.int64]) -> None:
    """A table of near-duplicates, those with two labels first."""
    rows = []
    for first, second, which in pairs_M3.tolist():
        mine, theirs = one.items[first], other.items[second]
        labels = one.classes[mine.label], other.classes[theirs.label]
        rows.append((mine.name, theirs.name, SYMMETRIES[which], *labels, mine.split, theirs.split))
    rows.sort(key=lambda row: row[3] == row[4])
    header = ("path", "other", "symmetry", "label", "other_label", "split", "other_split")
    write_csv(path, header, rows)
