"""Thumbnails and measures of items, by which copies and shortcuts are found.

No torch here: the decoding processes start quickly.

Shapes: N items, M measures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainer.data import prepared_images, volumes
from trainer.data.dataset import Dataset, LabelledItem
from trainer.data.image_measures import MEASURES, measure_image
from trainer.data.prepared_images import PreparedImages
from trainer.tools.progress import Progress
from tumorviewer.analysis.preprocess import find_foreground
from tumorviewer.imaging.display import grey

SIDE, DETAIL = 64, 128
_SIDES = (SIDE, SIDE, DETAIL, DETAIL)
_ENDS = np.cumsum([side * side for side in _SIDES])
METHOD = "thumbnails 3"
"""Tells the cache apart from what other sides would give."""


@dataclass(frozen=True, eq=False)
class ThumbnailSet:
    """Thumbnails of each item, uint8: whole frame and foreground box, small and in detail."""

    frame: NDArray[np.uint8]
    """``(N, 64, 64)``; the details are ``(N, 128, 128)``."""
    box: NDArray[np.uint8]
    frame_detail: NDArray[np.uint8]
    box_detail: NDArray[np.uint8]
    measures: NDArray[np.float32] | None = None
    """``(N, M)``, as :data:`.image_measures.MEASURES`; None of generated images."""

    def __len__(self) -> int:
        return len(self.frame)

    def rows(self, rows: NDArray[np.int64]) -> ThumbnailSet:
        """Some of them."""
        return ThumbnailSet(
            self.frame[rows],
            self.box[rows],
            self.frame_detail[rows],
            self.box_detail[rows],
            None if self.measures is None else self.measures[rows],
        )


def load_thumbnails(dataset: Dataset, folder: Path, progress: Progress) -> ThumbnailSet:
    """Thumbnails and measures of every item, from the cache if it holds them."""
    return split_stored_thumbnails(load_stored_thumbnails(dataset, folder, progress))


def load_stored_thumbnails(dataset: Dataset, folder: Path, progress: Progress) -> PreparedImages:
    """Thumbnails and measures as stored, a row an item; see :func:`split_stored_thumbnails`."""
    length = int(_ENDS[-1]) + 4 * len(MEASURES)
    return prepared_images.decode_once(
        dataset, compute_thumbnails, (length,), METHOD, folder, progress
    )


def split_stored_thumbnails(stored: PreparedImages) -> ThumbnailSet:
    """The parts of what :func:`load_stored_thumbnails` stored."""
    end = int(_ENDS[-1])
    measures = np.ascontiguousarray(stored.array[:, end:]).view(np.float32)
    return replace(_views(stored.array), measures=measures)


def make_thumbnails(pictures_NSS: NDArray[np.uint8]) -> ThumbnailSet:
    """Thumbnails of pictures that were made or prepared, not read."""
    return _views(np.stack([_thumbnails(picture) for picture in pictures_NSS]))


def _views(stored: NDArray[np.uint8]) -> ThumbnailSet:
    frame, box, frame_detail, box_detail = (
        stored[:, end - side * side : end].reshape(-1, side, side)
        for side, end in zip(_SIDES, _ENDS, strict=True)
    )
    return ThumbnailSet(frame, box, frame_detail, box_detail)


def compute_thumbnails(item: LabelledItem) -> NDArray[np.uint8]:
    """Frame and box of one item, small and in detail, and its measures, one after the other."""
    volume, index = volumes.read_item_volume(item.path, item.slice), item.slice or 0
    picture = grey(volume, index)
    measures = measure_image(item.path, volume, index, picture)
    return np.concatenate((_thumbnails(picture), measures.view(np.uint8)))


def _thumbnails(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    top, left, bottom, right = find_foreground(picture, 0.0)
    whole = Image.fromarray(picture)
    box = whole.crop((left, top, right, bottom))
    made = [
        source.resize((side, side), Image.Resampling.BILINEAR)
        for side in (SIDE, DETAIL)
        for source in (whole, box)
    ]
    return np.concatenate([np.asarray(one).ravel() for one in made])
