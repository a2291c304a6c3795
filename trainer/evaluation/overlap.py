"""Whether a model has seen what it is judged on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from trainer.data import near_duplicates
from trainer.data.material import PreparedData
from trainer.data.near_duplicates import ThumbnailSet
from tumorviewer.models import ModelCard, bundle, evidence
from tumorviewer.models.evidence import OverlapBasis


@dataclass(frozen=True)
class Overlap:
    """What is known of the judged items' part in the training."""

    share: float | None
    """Of the items that its training saw, or that have a twin there; None if not known. Its own
    validation part counts as seen: it chose the epoch and the temperature."""
    known: OverlapBasis = OverlapBasis.NOTHING
    is_leaky: bool = False
    """Whether its validation part was drawn at random, with twins of its items left in training."""
    in_files: float | None = None
    """Share of the items whose files its training saw, where that is known."""
    twins: float | None = None
    """Share of the items with a twin in the training data that the user named, if any."""

    @property
    def is_validation(self) -> bool:
        """Whether they are that very part, whose figures are only slightly too good."""
        return self.known is OverlapBasis.VALIDATION

    def facts(self) -> dict[str, Any]:
        """As :func:`tumorviewer.models.evidence.describe_overlap` reads them, with what it says."""
        found = asdict(self)
        return found | {"words": evidence.describe_overlap(found)}


def find_overlap(
    folder: Path, card: ModelCard, material: PreparedData, training: ThumbnailSet | None = None
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
    twins = float(near_duplicates.find_nearest(material.views, training)[1].mean())
    return replace(by_card, share=max(twins, by_card.share or 0.0), twins=twins)


def _by_card(folder: Path, card: ModelCard, material: PreparedData) -> Overlap:
    data, split = card.training.get("data", {}), card.training.get("split", {})
    own = material.pictures.fingerprint(range(len(material.dataset.items)))
    if own == split.get("validation_sha256"):
        is_leaky = str(split.get("validation", "")).startswith("random")
        return Overlap(1.0, OverlapBasis.VALIDATION, is_leaky)
    if own == data.get("sha256"):
        return Overlap(1.0, OverlapBasis.SAME_DATA)
    if not (seen := bundle.read_training_items(folder)):
        return Overlap(None)
    share = material.share_in(seen, range(len(material.dataset.items)))
    return Overlap(share, OverlapBasis.FILES, in_files=share)
