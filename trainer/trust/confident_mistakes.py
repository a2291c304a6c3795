"""The held-out items that a model is most confidently wrong about, for its card."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation.metrics import apply_softmax
from trainer.trust import similar_index
from trainer.trust.model_outputs import ModelOutputs
from tumorviewer.models.trust_measures import ConfidentMistake

SHOWN = 12
Arrays = dict[str, NDArray[np.generic]]


def find_confident_mistakes(
    evidence: ModelOutputs, name: str, *, with_pictures: bool
) -> tuple[tuple[ConfidentMistake, ...], Arrays]:
    """One of each group, so that one patient does not fill the page.

    Parameters
    ----------
    name
        Of the data set, for items that say none of their own.
    with_pictures
        Whether small pictures of them go into the bundle.
    """
    held = evidence.held
    probabilities = apply_softmax(evidence.logits[held] / evidence.model.card.temperature)
    confidence, predicted = probabilities.max(1), probabilities.argmax(1)
    order = np.argsort(-confidence, kind="stable")
    wrong = order[predicted[order] != evidence.labels[held][order]]
    _, first = np.unique(evidence.groups[held][wrong], return_index=True)
    chosen = wrong[np.sort(first)][:SHOWN]
    mistakes = tuple(
        _mistake(evidence, int(held[at]), int(predicted[at]), float(confidence[at]), name)
        for at in chosen
    )
    if not with_pictures or not len(chosen):
        return mistakes, {}
    return mistakes, {"mistakes.pictures": similar_index.make_small_images(evidence, held[chosen])}


def _mistake(
    evidence: ModelOutputs, row: int, predicted: int, probability: float, name: str
) -> ConfidentMistake:
    item, classes = evidence.material.dataset.items[row], evidence.material.dataset.classes
    return ConfidentMistake(
        digest=similar_index.make_digest(evidence, row),
        slice=-1 if item.slice is None else item.slice,
        label=classes[item.label],
        predicted=classes[predicted],
        probability=probability,
        source=item.source or name,
    )
