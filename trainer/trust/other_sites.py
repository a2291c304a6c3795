"""Pictures of the model's own kind from elsewhere, of which its data hold no near-duplicate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.data import dataset as datasets
from trainer.data import near_duplicates, prepared_images, thumbnails
from trainer.data.thumbnails import ThumbnailSet
from trainer.tools.progress import Progress
from tumorviewer.models.card import Preprocessing

LOOKED_AT = 1000
"""Items of a data set, evenly spread over its classes."""


def find_unseen(
    path: Path, known: ThumbnailSet, settings: Preprocessing, cache: Path, progress: Progress
) -> NDArray[np.uint8]:
    """Prepared pictures ``(N, S, S)`` without a twin, mirrored or turned ones included.

    Parameters
    ----------
    known
        Of the data that the model was made from, held-out items included.
    """
    whole = datasets.read_dataset(path, progress=progress)
    every = max(1, len(whole.items) // LOOKED_AT)
    some = whole.rows(np.arange(0, len(whole.items), every))
    seen = thumbnails.load_stored_thumbnails(some, cache, progress)
    some = some.without(seen.unreadable)
    progress(f"comparing {path.name}", 0, 1)
    has_twin = near_duplicates.find_nearest(
        thumbnails.load_thumbnails(some, cache, progress), known
    )[1]
    alone = some.rows(np.flatnonzero(~has_twin))
    if not alone.items:
        return np.zeros((0, settings.size, settings.size), np.uint8)
    return np.asarray(prepared_images.load_images(alone, settings, cache, progress).array)
