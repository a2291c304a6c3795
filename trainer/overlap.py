"""Whether a model has seen what it is judged on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trainer import duplicates, publish
from trainer.duplicates import Views
from trainer.html import percent
from trainer.material import Material
from tumorviewer.models import ModelCard, bundle


@dataclass(frozen=True)
class Overlap:
    """What is known of the judged items' part in the training."""

    share: float | None
    """Of the items that its training saw, or that have a twin there; None if not known. Its own
    validation part counts as seen: it chose the epoch and the temperature."""
    is_validation: bool = False
    """Whether they are that very part, whose figures are only slightly too good."""
    is_leaky: bool = False
    """Whether that part was drawn at random, with twins of its items left in training."""
    words: str = "Whether the items were in the training data is not known."


def find(
    folder: Path, card: ModelCard, material: Material, training: Views | None = None
) -> Overlap:
    """Compare the judged items with what a bundle says of its training.

    Parameters
    ----------
    training
        The training data, if the user named them: only so are saved-anew copies found.
    """
    by_card = _by_card(folder, card, material)
    if training is None:
        return by_card
    share = float(duplicates.nearest(material.views, training)[1].mean())
    words = f"{percent(share)} of the items are in the training data named, or have a twin there."
    return Overlap(
        max(share, by_card.share or 0.0),
        by_card.is_validation,
        by_card.is_leaky,
        f"{by_card.words} {words}" if by_card.share is not None else words,
    )


def _by_card(folder: Path, card: ModelCard, material: Material) -> Overlap:
    data, split = card.training.get("data", {}), card.training.get("split", {})
    own = material.pictures.fingerprint(range(len(material.dataset.items)))
    if own == split.get("validation_sha256"):
        return _validation(str(split.get("validation", "")))
    if own == data.get("sha256"):
        return Overlap(1.0, words="The items are the very data that the model was made from.")
    if not (seen := bundle.training_items(folder)):
        return Overlap(None)
    share = publish.share_in(seen, material, range(len(material.dataset.items)))
    if share:
        words = f"{percent(share)} of the items were in the model's training or validation data."
    else:
        words = "No item's file was in the model's training data; copies saved anew may have been."
    return Overlap(share, words=words)


def _validation(settings: str) -> Overlap:
    words = (
        "The items are the model's own validation part, which chose the epoch and the temperature"
    )
    if settings.startswith("random"):
        words += "; a leaky random split: twins of its items were in training."
        return Overlap(1.0, is_validation=True, is_leaky=True, words=words)
    return Overlap(1.0, is_validation=True, words=f"{words}: the figures are slightly optimistic.")
