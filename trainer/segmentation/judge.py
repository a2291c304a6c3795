"""What a finder answers to each item of a table that it was not trained on, beside the expert's
outline: one record an item, from which everything that is said of it is counted.

Shapes: D H W slices, rows and columns; N found boxes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]

from trainer.data import volumes
from trainer.segmentation.measures import count_lesions, dice, surface_distances
from trainer.segmentation.slices import expert_mask
from trainer.segmentation.table import Outlined
from tumorviewer.analysis.candidates import (
    CandidateOutline,
    Finder,
    find_candidates,
    follows_rules,
)
from tumorviewer.analysis.engines.batches import softmax_probabilities
from tumorviewer.analysis.preprocess import cut_square, find_head_square
from tumorviewer.imaging.display import grey
from tumorviewer.study.types import Volume

IMAGE_MM = 0.784
"""Between pixels of the 233-patient set at 320 px: 0.49 mm at 512 px, as its authors state."""


@dataclass(frozen=True)
class Found:
    """One candidate, whether or not the rules keep it."""

    probability: float
    classes: dict[str, float]
    box: tuple[float, ...]
    """Left, top, right, bottom in its key slice, pixels."""
    voxels: int
    slices: int
    overlap: int
    """Voxels shared with the expert's mask."""
    volume_ml: float | None
    peak: float
    share: float
    """Of the head's square, its largest area."""
    kept: bool
    """Whether the finder's rules keep it."""


@dataclass(frozen=True)
class Record:
    """One image or volume."""

    name: str
    group: str
    collection: str
    sequence: str
    label: str
    slices: int
    expert_voxels: int
    expert_boxes: tuple[tuple[float, ...], ...]
    """Of an image's connected parts; none for a volume."""
    dice: float | None
    """Of all that is kept; None where the expert outlined nothing."""
    hd95: float | None
    assd: float | None
    lesions: int
    hit: int
    false: int
    found: tuple[Found, ...]
    classes: dict[str, float]
    """Of an image: kinds of tumour, forced, from the soft outline."""


def judge_items(finder: Finder, items: Sequence[Outlined]) -> Iterator[Record]:
    """A record for each item."""
    for item in items:
        yield judge_item(finder, item)


def judge_item(finder: Finder, item: Outlined) -> Record:
    """Run the finder as the product does, and see what its rules keep of what it outlines."""
    volume = volumes.open_only_volume(item.path)[1].load()
    shape = tuple(int(side) for side in volume.array.shape[:3])
    expert = boxed_mask(item, shape) if item.boxes else expert_mask(item.mask, shape)
    open_rules = replace(
        finder.rules,
        seed=finder.rules.edge,
        least_ml=0.0,
        least_mm2=0.0,
        least_share=0.0,
        least_probability=0.0,
        least_in_volume=0.0,
    )
    every = find_candidates(volume, replace(finder, rules=open_rules)).candidates
    kept = [one for one in every if follows_rules(one, volume, finder.rules)]
    union = np.zeros(shape, np.bool_)
    for one in kept:
        union |= one.mask
    is_image = shape[0] == 1
    spacing = (IMAGE_MM,) * 2 if is_image else volume.spacing()
    ours, theirs = (union[0], expert[0]) if is_image else (union, expert)
    is_outlined = bool(theirs.any()) and not item.boxes
    distances = surface_distances(ours, theirs, spacing) if is_outlined else None
    lesions = count_lesions(ours, theirs)
    return Record(
        item.name,
        item.group,
        item.collection,
        item.sequence,
        item.label,
        shape[0],
        int(expert.sum()),
        tuple(_expert_boxes(item, expert)) if is_image else (),
        dice(ours, theirs) if is_outlined else None,
        None if distances is None or np.isnan(distances.hd95) else distances.hd95,
        None if distances is None or np.isnan(distances.assd) else distances.assd,
        *lesions,
        tuple(_found(one, expert, one in kept) for one in every),
        forced_classes(finder, volume) if is_image else {},
    )


def boxed_mask(item: Outlined, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """``(D, H, W)`` what lies in an item's boxes."""
    inside = np.zeros(shape, np.bool_)
    for left, top, right, bottom in _in_pixels(item, shape):
        inside[:, round(top) : max(round(bottom), round(top) + 1)][
            :, :, round(left) : max(round(right), round(left) + 1)
        ] = True
    return inside


def _in_pixels(item: Outlined, shape: tuple[int, ...]) -> list[tuple[float, ...]]:
    size = shape[2], shape[1], shape[2], shape[1]
    return [tuple(edge * side for edge, side in zip(box, size, strict=True)) for box in item.boxes]


def _expert_boxes(item: Outlined, expert: NDArray[np.bool_]) -> list[tuple[float, ...]]:
    return _in_pixels(item, expert.shape) if item.boxes else boxes_of(expert[0])


def _found(one: CandidateOutline, expert: NDArray[np.bool_], kept: bool) -> Found:
    (box,) = boxes_of(one.mask[one.key_slice], joined=True)
    return Found(
        one.probability,
        one.classes,
        box,
        int(one.mask.sum()),
        len(one.slices),
        int((one.mask & expert).sum()),
        one.volume_ml,
        one.peak,
        one.share,
        kept,
    )


def boxes_of(mask_HW: NDArray[np.bool_], joined: bool = False) -> list[tuple[float, ...]]:
    """Left, top, right, bottom of each connected part, or of all together; edges of pixels."""
    parts = mask_HW.astype(int) if joined else ndimage.label(mask_HW, np.ones((3, 3)))[0]
    return [
        (float(c.start), float(r.start), float(c.stop), float(r.stop))
        for r, c in ndimage.find_objects(parts)
        if r is not None
    ]


def forced_classes(finder: Finder, volume: Volume) -> dict[str, float]:
    """Kinds of tumour of a single image, whether or not anything is outlined on it."""
    image = grey(volume, 0)
    square = cut_square(image, find_head_square(image), finder.card.preprocessing.size)
    outlined, maps = finder.engine.outline(square[None])
    assert maps is not None
    (chances_K,) = softmax_probabilities(finder.engine.classify(maps, outlined[0]), finder.card)
    kinds = {
        name: float(value)
        for name, value in zip(finder.card.classes, chances_K, strict=True)
        if name != finder.card.no_tumour
    }
    return {name: value / sum(kinds.values()) for name, value in kinds.items()}


def as_json(record: Record) -> dict[str, Any]:
    """A record as one JSON object."""
    return asdict(record)
