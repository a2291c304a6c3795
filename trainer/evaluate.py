"""Predictions to figures, with what a split leaks beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer import calibrate, duplicates, metrics
from trainer import dataset as datasets
from trainer.config import Config
from trainer.duplicates import Views
from trainer.files import read_csv, write_csv
from trainer.material import Material, Source, gather
from trainer.options import plain
from trainer.progress import Progress
from trainer.split import Split
from tumorviewer.analysis import predict
from tumorviewer.errors import InputError
from tumorviewer.models import bundle


def on_validation(
    material: Material, parts: Split, logits_NK: NDArray[np.float64], fold: int, table: Path
) -> dict[str, Any]:
    """Fit the temperature on the validation part, judge, and write the predictions."""
    rows = parts.validation
    labels = material.dataset.labels()[rows]
    classes = material.dataset.classes
    temperature = calibrate.temperature(logits_NK, labels)
    probabilities = metrics.softmax(logits_NK / temperature)
    write_predictions(table, material, rows, np.full(len(rows), fold), probabilities, classes)
    groups = material.groups[rows]
    figures = metrics.figures(probabilities, labels, groups, classes)
    known = material.views.rows(parts.train), material.dataset.labels()[parts.train]
    figures |= leak(material.views.rows(rows), labels, *known)
    return {"temperature": temperature, "figures": {"grouped_validation": figures}}


def leak(
    asked: Views, labels_N: NDArray[np.int64], known: Views, known_labels: NDArray[np.int64]
) -> dict[str, float]:
    """The share of items with a twin in training, and a nearest-neighbour copyist's score."""
    nearest, is_twin = duplicates.nearest(asked, known)
    return {
        "twin_share": round(float(is_twin.mean()), 6),
        "copyist_accuracy": round(float((known_labels[nearest] == labels_N).mean()), 6),
    }


def on_data(
    folder: Path,
    source: Source,
    parts: Sequence[str],
    device: str,
    progress: Progress,
    training: Path | None = None,
    predictions: Path | None = None,
) -> dict[str, Any]:
    """Judge a bundle on labelled data, which may lack some of its classes.

    Parameters
    ----------
    parts
        Of the official split: ``""`` (none stated), ``train``, ``val``, ``test``.
    training
        What it was trained on, to count twins in.
    predictions
        Where to write the table ``path,label,group,fold,p_…``.

    Raises
    ------
    InputError
        If the bundle is refused, or does not know a class of the data.
    """
    card = bundle.read_card(folder)
    material = gather(source, card.preprocessing, progress, parts)
    if unknown := sorted(set(material.dataset.classes) - set(card.classes)):
        reason = f"The model does not know the class {', '.join(unknown)}."
        raise InputError(str(source.data), reason, f"It knows {', '.join(card.classes)}.")
    index = np.array([card.classes.index(name) for name in material.dataset.classes])
    labels = index[material.dataset.labels()]
    probabilities = infer(folder, material.pictures.array, device, progress)
    if predictions is not None:
        rows = np.arange(len(labels))
        write_predictions(
            predictions, material, rows, np.full(len(rows), -1), probabilities, card.classes
        )
    result: dict[str, Any] = {
        "model": {"name": card.name, "version": card.version, "sha256": card.weights.sha256},
        "data": {"name": material.dataset.root.name, "grouped_by": material.grouped_by},
    }
    result |= metrics.figures(probabilities, labels, material.groups, card.classes)
    if training is not None:
        known = datasets.read(training, card.classes).part("", "train", "val")
        views = duplicates.load_views(known, source.cache, progress)
        result |= leak(material.views, labels, views, known.labels())
    return result


def infer(
    folder: Path, pictures_NSS: NDArray[np.uint8], device: str, progress: Progress
) -> NDArray[np.float64]:
    """Probabilities ``(N, K)`` by the very code that the window uses."""
    model = predict.load(folder, device)
    batches, parts = predict.Batches(model), []
    for rows, logits in batches.run(
        list(range(len(pictures_NSS))), lambda rows: model.forward(pictures_NSS[rows])[1]
    ):
        parts.append(predict.probabilities(logits, model.card))
        progress("judging", rows[-1] + 1, len(pictures_NSS))
    for flag in batches.flags:
        progress.say(flag)
    return np.concatenate(parts)


def write_predictions(
    path: Path,
    material: Material,
    rows: NDArray[np.int64],
    fold: NDArray[np.int64],
    probabilities_NK: NDArray[np.float64],
    classes: tuple[str, ...],
) -> None:
    """A table ``path,label,group,fold,p_…``; fold −1 where there is none."""
    lines = []
    for row, number, p in zip(rows, fold, probabilities_NK, strict=True):
        item = material.dataset.items[row]
        group = f"g{material.groups[row]:05d}"
        lines.append(
            (item.name, material.dataset.classes[item.label], group, number, *map(repr, p.tolist()))
        )
    header = ("path", "label", "group", "fold", *(f"p_{name}" for name in classes))
    write_csv(path, header, lines)


def pool(
    out: Path, folds: list[Path], material: Material, predictions: str, figures: str
) -> dict[str, Any]:
    """Figures of all out-of-fold predictions of a cross-validation.

    Each fold's temperature is fitted on the other folds, so that no item calibrates itself; the
    temperature for a model of all data is fitted on all of them.
    """
    classes = material.dataset.classes
    row_of = {item.name: row for row, item in enumerate(material.dataset.items)}
    parts = [_read_fold(fold, classes, predictions, figures) for fold in folds]
    rows = np.array([row_of[name] for names, _, _ in parts for name in names])
    logits = np.concatenate([logits for _, logits, _ in parts])
    fold = np.repeat(np.arange(len(parts)), [len(names) for names, _, _ in parts])
    labels = material.dataset.labels()[rows]
    for number in range(len(parts)):
        others = calibrate.temperature(logits[fold != number], labels[fold != number])
        logits[fold == number] /= others
    probabilities = metrics.softmax(logits)
    write_predictions(out / predictions, material, rows, fold, probabilities, classes)
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
