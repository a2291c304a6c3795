"""Predictions to figures, with what a split leaks beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainer import calibrate, duplicates, metrics
from trainer.config import Config
from trainer.files import read_csv, write_csv
from trainer.loop import Store, predict
from trainer.material import Material
from trainer.options import plain
from trainer.progress import Progress
from trainer.split import Split
from tumorviewer.errors import InputError
from tumorviewer.models import weights


def on_validation(
    material: Material, parts: Split, logits_NK: NDArray[np.float64], fold: int, table: Path
) -> dict[str, Any]:
    """Fit the temperature on the validation part, judge, and write the predictions."""
    rows = parts.validation
    labels = material.dataset.labels()[rows]
    temperature = calibrate.temperature(logits_NK, labels)
    probabilities = metrics.softmax(logits_NK / temperature)
    write_predictions(table, material, rows, np.full(len(rows), fold), probabilities)
    groups, classes = material.groups[rows], material.dataset.classes
    return {
        "temperature": temperature,
        "figures": {
            "grouped_validation": metrics.figures(probabilities, labels, groups, classes)
            | leak(material, parts)
        },
    }


def leak(material: Material, parts: Split) -> dict[str, float]:
    """The share of validation items with a twin in training, and a nearest-neighbour copyist."""
    labels = material.dataset.labels()
    known, asked = material.views.rows(parts.train), material.views.rows(parts.validation)
    nearest, is_twin = duplicates.nearest(asked, known)
    copied = labels[parts.train][nearest] == labels[parts.validation]
    return {
        "twin_share": round(float(is_twin.mean()), 6),
        "copyist_accuracy": round(float(copied.mean()), 6),
    }


def write_predictions(
    path: Path,
    material: Material,
    rows: NDArray[np.int64],
    fold: NDArray[np.int64],
    probabilities_NK: NDArray[np.float64],
) -> None:
    """A table ``path,label,group,fold,p_…``."""
    classes = material.dataset.classes
    lines = []
    for row, number, p in zip(rows, fold, probabilities_NK, strict=True):
        item = material.dataset.items[row]
        group = f"g{material.groups[row]:05d}"
        lines.append((item.name, classes[item.label], group, number, *map(repr, p.tolist())))
    header = ("path", "label", "group", "fold", *(f"p_{name}" for name in classes))
    write_csv(path, header, lines)


def pool(
    out: Path, folds: list[Path], material: Material, predictions: str, figures: str
) -> dict[str, Any]:
    """Figures of all out-of-fold predictions of a cross-validation.

    Each fold's temperature is fitted on the other folds, so that no item calibrates itself; the
    temperature for a model of all data is fitted on all of them.
    """
    row_of = {item.name: row for row, item in enumerate(material.dataset.items)}
    parts = [_read_fold(fold, material.dataset.classes, predictions, figures) for fold in folds]
    rows = np.array([row_of[name] for names, _, _ in parts for name in names])
    logits = np.concatenate([logits for _, logits, _ in parts])
    fold = np.repeat(np.arange(len(parts)), [len(names) for names, _, _ in parts])
    labels = material.dataset.labels()[rows]
    for number in range(len(parts)):
        others = calibrate.temperature(logits[fold != number], labels[fold != number])
        logits[fold == number] /= others
    probabilities = metrics.softmax(logits)
    write_predictions(out / predictions, material, rows, fold, probabilities)
    sizes = np.bincount(fold) / len(fold)
    pooled = metrics.figures(probabilities, labels, material.groups[rows], material.dataset.classes)
    for name in ("twin_share", "copyist_accuracy"):
        pooled[name] = round(float(sizes @ [result[name] for _, _, result in parts]), 6)
    pooled["folds"] = [
        {name: result[name] for name in ("n", "accuracy", "macro_f1", "log_loss")}
        for _, _, result in parts
    ]
    raw = np.concatenate([logits for _, logits, _ in parts])
    return {
        "temperature": calibrate.temperature(raw, labels),
        "figures": {"grouped_crossval": pooled},
    }


def _read_fold(
    folder: Path, classes: tuple[str, ...], predictions: str, figures: str
) -> tuple[list[str], NDArray[np.float64], dict[str, Any]]:
    """Names, logits (up to a constant) and figures of one fold."""
    result = json.loads((folder / figures).read_text())
    rows = read_csv(folder / predictions)
    p = np.array([[float(row[f"p_{name}"]) for name in classes] for row in rows])
    logits = np.log(np.maximum(p, np.finfo(np.float64).tiny)) * result["temperature"]
    return [row["path"] for row in rows], logits, result["figures"]["grouped_validation"]


def of_crossval(folder: Path, config: Config, classes: tuple[str, ...]) -> dict[str, Any]:
    """What a finished cross-validation says of a model of the same settings.

    Raises
    ------
    InputError
        If it is not finished, or was of another network or preprocessing.
    """
    try:
        stored: dict[str, Any] = json.loads((folder / "figures.json").read_text())
    except (OSError, ValueError) as error:
        reason = "There is no finished cross-validation in it."
        raise InputError(str(folder), reason, "Run crossval to its end first.") from error
    mine = plain(config)
    for table in ("model", "preprocessing"):
        if stored["config"][table] != mine[table]:
            raise InputError(str(folder), f"The cross-validation had another [{table}].")
    if tuple(stored["classes"]) != classes:
        raise InputError(str(folder), "The cross-validation had other classes.")
    return {
        "temperature": stored["temperature"],
        "figures": stored["figures"],
        "figures_from": {"folder": folder.name, "config": stored["config"]},
    }
