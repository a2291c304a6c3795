"""Predictions to figures, with what a split leaks beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data import near_duplicates
from trainer.data.material import DataSource, PreparedData, prepare_data
from trainer.data.near_duplicates import ThumbnailSet
from trainer.data.prepared_images import PreparedImages
from trainer.data.split import Split, SplitSettings
from trainer.evaluation import metrics, overlap, performance_curves
from trainer.evaluation.predictions import Predictions, find_class_indices
from trainer.evaluation.temperature_scaling import fit_temperature
from trainer.tools.progress import Progress
from tumorviewer.analysis import predict
from tumorviewer.analysis.engines.batches import Batches, softmax_probabilities
from tumorviewer.models import ModelCard, bundle

LEAKY = "leaky_random_split"
_NAMES = {
    "fold": "grouped_validation",
    "nested": "grouped_test",
    "official": "official_validation",
    "random": LEAKY,
}
"""Of the figures by the kind of split; a random one is named for what it is."""


def evaluate_held_out(
    material: PreparedData,
    parts: Split,
    predict: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    settings: SplitSettings,
    table: Path,
) -> dict[str, Any]:
    """Fit the temperature on the validation part, judge the part that is judged, and write it.

    Parameters
    ----------
    predict
        From rows of the material to logits ``(N, K)``.
    table
        Where to write the predictions.
    """
    every, labels = parts.judged, material.dataset.labels()
    logits_NK = predict(parts.validation)
    temperature = fit_temperature(logits_NK, labels[parts.validation])
    if len(parts.test):
        logits_NK = predict(parts.test)
    probabilities = metrics.apply_softmax(logits_NK / temperature)
    folds = np.full(len(every), -1 if settings.fold is None else settings.fold)
    judged = Predictions(material, every, material.dataset.classes, probabilities, folds)
    judged.write(table)
    chosen_by = parts.validation if len(parts.test) else parts.test
    known = np.concatenate([parts.train, chosen_by])
    twins = measure_leak(
        material.views.rows(every), judged.labels, material.views.rows(known), labels[known]
    )
    return {
        "temperature": temperature,
        "figures": {_NAMES[settings.kind]: compute_all_metrics(judged) | twins},
    }


def compute_all_metrics(judged: Predictions) -> dict[str, Any]:
    """Every figure of some predictions, those of each source too where there are several."""
    found = _figures(judged)
    if len(names := np.unique(judged.sources)) > 1:
        found["sources"] = {
            str(name) or "not known": shorten_metrics(_figures(judged.part(judged.sources == name)))
            for name in names
        }
    return found


def _figures(judged: Predictions) -> dict[str, Any]:
    return metrics.compute_metrics(
        judged.probabilities, judged.labels, judged.groups, judged.classes
    )


def shorten_metrics(figures: dict[str, Any]) -> dict[str, Any]:
    """The few of them that stand for a fold or a source."""
    names = ("accuracy", "macro_f1", "log_loss")
    return {
        **{name: figures[name] for name in ("n", "groups", *names)},
        "intervals": {name: figures["intervals"][name] for name in names},
    }


def measure_leak(
    asked: ThumbnailSet,
    labels_N: NDArray[np.int64],
    known: ThumbnailSet,
    known_labels: NDArray[np.int64],
) -> dict[str, float]:
    """The share of items with a twin in training, and a nearest-neighbour copyist's score."""
    nearest, is_twin = near_duplicates.find_nearest(asked, known)
    return {
        "twin_share": round(float(is_twin.mean()), 6),
        "copyist_accuracy": round(float((known_labels[nearest] == labels_N).mean()), 6),
    }


def evaluate_bundle(
    folder: Path,
    source: DataSource,
    parts: Sequence[str],
    device: str,
    progress: Progress,
    training: Sequence[Path] = (),
    predictions: Path | None = None,
) -> tuple[dict[str, Any], Predictions]:
    """Judge a bundle on labelled data, which may lack some of its classes.

    Parameters
    ----------
    parts
        Of the official split: ``""`` (none stated), ``train``, ``val``, ``test``.
    training
        The folders or tables that it was trained on, to count twins in.
    predictions
        Where to write the table ``path,label,group,fold,p_…``.

    Returns
    -------
    tuple
        What ``evaluate --json`` prints, and the predictions that it was made from.

    Raises
    ------
    InputError
        If the bundle is refused, or does not know a class of the data.
    """
    card = bundle.read_card(folder)
    material = prepare_data(source, card.preprocessing, progress, parts)
    judged = predict_with_bundle(folder, card, material, material.pictures, device, progress)
    if predictions is not None:
        judged.write(predictions)
    result: dict[str, Any] = {
        "model": {"name": card.name, "version": card.version, "sha256": card.weights.sha256},
        "data": {"name": material.dataset.root.name, "grouped_by": material.grouped_by},
    }
    result |= compute_all_metrics(judged)
    known = load_training_thumbnails(training, card.classes, source, progress) if training else None
    if known:
        result |= measure_leak(material.views, judged.labels, *known)
    result["overlap"] = overlap.find_overlap(
        folder, card, material, known[0] if known else None
    ).facts()
    given = judged.probabilities, judged.labels, judged.groups
    result["curves"] = performance_curves.compute_class_curves(*given, card.classes)
    result["reliability"] = performance_curves.compute_reliability(*given)
    return result, judged


def load_training_thumbnails(
    training: Sequence[Path], classes: tuple[str, ...], source: DataSource, progress: Progress
) -> tuple[ThumbnailSet, NDArray[np.int64]]:
    """Thumbnails and labels of what a model was trained on."""
    first, *also = training
    joined = replace(source, data=first, also=tuple(also)).read(progress)
    known = joined.part("", "train", "val")
    labels = find_class_indices(known, classes)[known.labels()]
    return near_duplicates.load_thumbnails(known, source.cache, progress), labels


def predict_with_bundle(
    folder: Path,
    card: ModelCard,
    material: PreparedData,
    pictures: PreparedImages,
    device: str,
    progress: Progress,
) -> Predictions:
    """All items of a material as a bundle judges them; ``pictures`` are prepared as it asks."""
    find_class_indices(material.dataset, card.classes)
    rows = np.arange(len(material.dataset.items))
    probabilities = predict_images(folder, pictures.array, device, progress)
    return Predictions(material, rows, card.classes, probabilities, np.full(len(rows), -1))


def predict_images(
    folder: Path, pictures_NSS: NDArray[np.uint8], device: str, progress: Progress
) -> NDArray[np.float64]:
    """Probabilities ``(N, K)`` by the very code that the window uses."""
    model = predict.load_model(folder, device)
    batches, parts = Batches(model), []
    for rows, logits in batches.run(
        list(range(len(pictures_NSS))), lambda rows: model.forward(pictures_NSS[rows])[1]
    ):
        parts.append(softmax_probabilities(logits, model.card))
        progress("judging", rows[-1] + 1, len(pictures_NSS))
    for flag in batches.flags:
        progress.say(flag)
    return np.concatenate(parts)
