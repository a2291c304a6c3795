"""Out-of-fold predictions of a cross-validation, pooled, and read again for a model of all data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data.material import PreparedData
from trainer.evaluation import evaluate, metrics
from trainer.evaluation.predictions import Predictions
from trainer.evaluation.temperature_scaling import fit_temperature
from trainer.runs.config import Config
from trainer.runs.run_context import FIGURES, PREDICTIONS
from trainer.tools.atomic_files import read_csv
from trainer.tools.options import export_plain
from tumorviewer.errors import InputError


def pool_folds(out: Path, folds: list[Path], material: PreparedData) -> dict[str, Any]:
    """Figures of all out-of-fold predictions of a cross-validation.

    Each fold's temperature is fitted on the other folds, so that no item calibrates itself; the
    temperature for a model of all data is fitted on all of them.
    """
    classes = material.dataset.classes
    row_of = {item.name: row for row, item in enumerate(material.dataset.items)}
    parts = [_read_fold(fold, classes) for fold in folds]
    rows = np.array([row_of[name] for names, _, _ in parts for name in names])
    logits = np.concatenate([logits for _, logits, _ in parts])
    fold = np.repeat(np.arange(len(parts)), [len(names) for names, _, _ in parts])
    labels = material.dataset.labels()[rows]
    for number in range(len(parts)):
        others = fit_temperature(logits[fold != number], labels[fold != number])
        logits[fold == number] /= others
    probabilities = metrics.apply_softmax(logits)
    judged = Predictions(material, rows, classes, probabilities, fold)
    judged.write(out / PREDICTIONS)
    sizes = np.bincount(fold) / len(fold)
    pooled = evaluate.compute_all_metrics(judged)
    for name in ("twin_share", "copyist_accuracy"):
        pooled[name] = round(float(sizes @ [result[name] for _, _, result in parts]), 6)
    pooled["folds"] = [evaluate.shorten_metrics(result) for _, _, result in parts]
    raw = np.concatenate([logits for _, logits, _ in parts])
    return {
        "temperature": fit_temperature(raw, labels),
        "figures": {"grouped_crossval": pooled},
    }


def _read_fold(
    folder: Path, classes: tuple[str, ...]
) -> tuple[list[str], NDArray[np.float64], dict[str, Any]]:
    """Names, logits (up to a constant) and figures of one fold."""
    result = json.loads((folder / FIGURES).read_text())
    rows = read_csv(folder / PREDICTIONS)
    p = np.array([[float(row[f"p_{name}"]) for name in classes] for row in rows])
    logits = np.log(np.maximum(p, np.finfo(np.float64).tiny)) * result["temperature"]
    return [row["path"] for row in rows], logits, next(iter(result["figures"].values()))


def read_crossval_metrics(
    folder: Path | None, config: Config, classes: tuple[str, ...]
) -> dict[str, Any]:
    """What a finished cross-validation says of a model of the same settings; no metrics without
    one.

    Raises
    ------
    InputError
        If it is not finished, or was of another network or preprocessing.
    """
    if folder is None:
        return {"temperature": 1.0, "figures": {}}
    try:
        stored: dict[str, Any] = json.loads((folder / FIGURES).read_text())
    except (OSError, ValueError) as error:
        reason = "There is no finished cross-validation in it."
        raise InputError(str(folder), reason, "Run crossval to its end first.") from error
    mine = export_plain(config)
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
