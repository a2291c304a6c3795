"""Checks of the saliency map of one slice: is it faithful, shared, stable, and inside the head?

Shapes: T slices that the network sees, S side, H W feature map, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (  # type: ignore[import-untyped]
    binary_closing,
    binary_fill_holes,
    gaussian_filter,
)
from scipy.stats import spearmanr  # type: ignore[import-untyped]

from tumorviewer.analysis.engines.batches import softmax_probabilities
from tumorviewer.analysis.engines.contrast import ContrastiveTarget
from tumorviewer.analysis.engines.map_scaling import resize_maps, scale_maps
from tumorviewer.analysis.engines.model import Model, to_images
from tumorviewer.analysis.examination import Examination
from tumorviewer.analysis.methods import METHODS
from tumorviewer.analysis.preprocess import find_bright
from tumorviewer.analysis.slices import ReportProgress
from tumorviewer.analysis.trust.imputation import impute
from tumorviewer.analysis.trust.map_verdict import NO_EVIDENCE, NO_TUMOUR, MapCheck
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.models.card import ModelCard

REMOVED = (10, 30, 50)
"""Shares of the pixels that ROAD imputes, per cent."""
NOISE = 0.02
"""Standard deviation of the noise that a map must stand, of a range of 1."""
OTHERS = ("layercam", "hirescam", "attention-class", "gradcam")
"""The first two of them that the model allows, the method itself apart, are compared with it."""
_GRID = 32
"""Rank correlations are of maps resized to so many places along a side."""


@dataclass(frozen=True)
class CheckedMap:
    """Which map to check."""

    method: str
    target: str
    against: str
    index: int
    """Of the slice in the volume."""


def check_map(
    examination: Examination, asked: CheckedMap, progress: ReportProgress | None = None
) -> MapCheck:
    """Check the map of one slice.

    Parameters
    ----------
    progress
        Called between the steps; it may raise to stop.

    Raises
    ------
    InputError
        If the slice was not judged.
    """
    model, prepared = examination.model, examination.prepared
    card = model.card
    if asked.index not in prepared.slices:
        slice_ = tr("Slice {n}", n=asked.index + 1)
        raise InputError(slice_, tr("It was not judged, so it has no map."))
    position = prepared.slices.index(asked.index)
    found = MapCheck(asked.index, asked.method, asked.target, asked.against)
    says_K = examination.probabilities(progress)[position]
    if card.no_tumour in (asked.target, card.classes[int(says_K.argmax())]):
        return replace(found, nothing=NO_TUMOUR)
    question = ContrastiveTarget(
        card.classes.index(asked.target),
        card.classes.index(asked.against) if asked.against else None,
    )
    return _checked(model, prepared.pictures[position], question, found, progress)


def _checked(
    model: Model,
    picture: NDArray[np.uint8],
    question: ContrastiveTarget,
    found: MapCheck,
    progress: ReportProgress | None,
) -> MapCheck:
    def tick(done: int) -> None:
        if progress:
            progress(done, 4, tr("Checking the map"))

    tick(0)
    is_slow = METHODS[found.method].is_slow
    variants = picture[None] if is_slow else variants_of(picture)
    raw_NHW = maps_of(model, found.method, variants, question)
    if raw_NHW[0].max() <= 0:
        return replace(found, nothing=NO_EVIDENCE)
    tick(1)
    others = [name for name in OTHERS if name != found.method and METHODS[name].suits(model.card)][
        :2
    ]
    agreements = [
        rank_correlation(raw_NHW[0], maps_of(model, name, picture[None], question)[0])
        for name in others
    ]
    tick(2)
    map_SS = scale_maps(raw_NHW[:1], picture.shape[-1])[0]
    deletion, insertion = measure_road(model, picture, map_SS, question)
    tick(3)
    return replace(
        found,
        deletion=deletion,
        insertion=insertion,
        agreement=float(np.mean(agreements)),
        others=tuple(others),
        stability=None if is_slow else measure_stability(raw_NHW),
        inside=inside_head(picture, map_SS),
    )


def maps_of(
    model: Model, method: str, pictures: NDArray[np.uint8], question: ContrastiveTarget
) -> NDArray[np.float32]:
    """Raw maps ``(N, H, W)`` of prepared pictures, ``(N, S, S)`` or ``(N, T, S, S)``."""
    target, against = question.target, question.against
    if METHODS[method].needs_picture:
        return model.explain_pictures(method, pictures, target, against)
    return model.explain_features(method, model.ask(pictures).features, target, against)


def variants_of(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture as it is, with a little noise, and mirrored left to right."""
    noise = np.random.default_rng(0).normal(0, 255 * NOISE, picture.shape)
    noisy = np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)
    return np.stack([picture, noisy, picture[..., ::-1]])


def measure_stability(raw_3HW: NDArray[np.float32]) -> float:
    """Lower rank correlation of a map with those of the other two :func:`variants_of`."""
    plain, noisy, mirrored = raw_3HW
    return min(rank_correlation(plain, noisy), rank_correlation(plain, mirrored[:, ::-1]))


def rank_correlation(first_HW: NDArray[np.float32], second_HW: NDArray[np.float32]) -> float:
    """Spearman's, of what is shown of two maps: negative evidence counts as none. 0 if one of them
    is the same everywhere."""
    shown = [np.maximum(one, 0) for one in (first_HW, second_HW)]
    if shown[0].shape != shown[1].shape:
        shown = [resize_maps(one[None], _GRID)[0] for one in shown]
    if any(np.ptp(one) == 0 for one in shown):
        return 0.0
    return float(spearmanr(shown[0].ravel(), shown[1].ravel()).statistic)


def measure_road(
    model: Model,
    picture: NDArray[np.uint8],
    map_SS: NDArray[np.float32],
    question: ContrastiveTarget,
) -> tuple[float, float]:
    """Deletion and insertion: how far the probability falls, mean over :data:`REMOVED`, when the
    most and when the least relevant pixels are imputed from their neighbours (Rong et al., ICML
    2022). For a contrastive question it is the probability of one class among the two.

    Where the map is the same, what is farther from its marks is less relevant.
    """
    order_SS = map_SS + 1e-3 * gaussian_filter(map_SS, map_SS.shape[-1] / 8)
    image_TSS = to_images(picture[None])[0]
    random = np.random.default_rng(0)
    imputed = [
        impute(image_TSS, relevance_SS >= np.percentile(relevance_SS, 100 - share), random)
        for relevance_SS in (order_SS, 1 - order_SS)
        for share in REMOVED
    ]
    logits_NK = model.logits_of(np.stack([image_TSS, *imputed]))
    said_N = _probability(logits_NK, model.card, question)
    falls = (said_N[0] - said_N[1:]).reshape(2, len(REMOVED)).mean(1)
    return float(falls[0]), float(falls[1])


def _probability(
    logits_NK: NDArray[np.float32], card: ModelCard, question: ContrastiveTarget
) -> NDArray[np.float64]:
    if question.against is None:
        return softmax_probabilities(logits_NK, card)[:, question.target]
    pair = logits_NK[:, [question.target, question.against]]
    return softmax_probabilities(pair, card)[:, 0]


def inside_head(picture: NDArray[np.uint8], map_SS: NDArray[np.float32]) -> float:
    """Share of a map inside what is brighter than the background, its holes filled."""
    seen_SS = picture if picture.ndim == 2 else picture[len(picture) // 2]
    head_SS = binary_fill_holes(binary_closing(find_bright(seen_SS), iterations=2))
    return float(map_SS[head_SS].sum() / map_SS.sum())
