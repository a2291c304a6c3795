"""The most confident mistakes, and what the model looked at: the window's own saliency maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from trainer.evaluation.predictions import Predictions
from trainer.reports import html
from tumorviewer.analysis import explain, predict
from tumorviewer.analysis.engines.map_scaling import scale_maps
from tumorviewer.analysis.methods import DEFAULT_METHOD
from tumorviewer.analysis.predict import TorchModel
from tumorviewer.export.finding_files import OPACITY
from tumorviewer.imaging import colormap

SHOWN = 12


@dataclass(frozen=True)
class ShownMistake:
    """One item that the model is wrong about."""

    name: str
    label: str
    """Its class."""
    predicted: str
    probability: float
    """Of the predicted class."""
    of_label: float
    """Probability of its own class."""
    seen: Markup
    """What the network saw."""
    map: Markup
    """The same under the saliency map for the predicted class."""


def choose_worst_mistakes(
    judged: Predictions, folder_of: Callable[[int], Path], device: str, most: int = SHOWN
) -> list[ShownMistake]:
    """The wrong answers with the highest probability, the worst first.

    Parameters
    ----------
    folder_of
        The bundle of the fold whose model answered.
    """
    wrong = np.flatnonzero(judged.predicted != judged.labels)
    confidence = judged.probabilities.max(1)
    order = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    model_of = cache(lambda fold: predict.load_model(folder_of(fold), device))
    return [_mistake(judged, int(at), model_of(int(judged.folds[at]))) for at in order]


def _mistake(judged: Predictions, at: int, model: TorchModel) -> ShownMistake:
    picture = np.array(judged.material.pictures.array[judged.rows[at]])
    predicted, label = int(judged.predicted[at]), int(judged.labels[at])
    p = judged.probabilities[at]
    grey = picture if picture.ndim == 2 else picture[len(picture) // 2]
    rgb = np.repeat(grey[..., None], 3, axis=2)
    return ShownMistake(
        judged.names[at],
        judged.classes[label],
        judged.classes[predicted],
        float(p[predicted]),
        float(p[label]),
        html.embed_image(grey),
        html.embed_image(colormap.blend_map(rgb, _map(model, picture, predicted), OPACITY)),
    )


def _map(model: TorchModel, picture: NDArray[np.uint8], target: int) -> NDArray[np.float32]:
    features, _ = model.forward(picture[None])
    raw = explain.explain_features(DEFAULT_METHOD, model.network, features, target)
    scaled: NDArray[np.float32] = scale_maps(raw, picture.shape[-1])[0]
    return scaled
