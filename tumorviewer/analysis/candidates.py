"""Find and outline: what in a volume could be a tumour, slice by slice, joined in three dimensions.

Each slice passes the segmenter, cropped as one square for the whole volume. Where the probability
of tumour exceeds an upper threshold somewhere in a connected part of what exceeds a lower one
(hysteresis, Canny 1986), there is a candidate, unless it lies outside the brain, is too small, or
is in one slice only of a volume. Its kind comes from the features under its outline.

Shapes: D H W slices, rows, columns of the volume; S side of the network's input; N slices shown to
the network; K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]

from tumorviewer.analysis.confirmation import look_across
from tumorviewer.analysis.engines.finder_engine import FinderEngine
from tumorviewer.analysis.preprocess import (
    Box,
    cut_square,
    find_bright,
    find_head_square,
    restore_map,
)
from tumorviewer.imaging.display import grey
from tumorviewer.language import tr
from tumorviewer.models.card import ModelCard, SegmentationRules
from tumorviewer.study.types import Placement, Volume

_BATCH = 16
_LEAST_BRIGHT = 0.005
"""Share of a slice's pixels that are brighter than the background, for there to be a head."""
_ENOUGH_BRAIN = 0.02
"""Share of the square that is brain in a slice that can tell anything."""
_THIN_MM = 4.0
"""Slices closer than this make a picture in the planes across them."""
_TALL_MM = 60.0
"""Less of a head is a strip along the other axes, which the network never saw."""
_THICK_MM = 10.0
"""Slices farther apart than this may show a lesion once only."""
_EVERYWHERE = np.ones((3, 3, 3), np.bool_)
"""Voxels that touch by a corner are connected."""

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class CandidateOutline:
    """One thing that could be a tumour."""

    mask: NDArray[np.bool_]
    """``(D, H, W)``."""
    probability: float
    """0–1, that it is a tumour. Ranks candidates; it is not calibrated on studies."""
    classes: dict[str, float]
    """Probabilities of the kinds of tumour, which sum to 1; empty from a network that only
    outlines."""
    slices: tuple[int, ...]
    """That it appears in, ascending, from 0."""
    key_slice: int
    """Of its largest area."""
    volume_ml: float | None
    """None where there are no millimetres."""
    peak: float
    """Highest probability of tumour of its voxels."""
    share: float
    """Of the head's square, its largest area."""


@dataclass(frozen=True, eq=False)
class Outlines:
    """All that a segmenter finds in a volume."""

    candidates: tuple[CandidateOutline, ...]
    """The most probable first."""
    brain: NDArray[np.bool_]
    """``(D, H, W)`` brain, tumour included."""
    brain_slices: tuple[int, ...]
    """Slices with enough brain to tell anything from."""


@dataclass(frozen=True, eq=False)
class _Seen:
    """What the network says of the slices, on its own grid."""

    tumour: NDArray[np.float32]
    """``(D, S, S)`` probabilities; 0 in slices that were not shown to it."""
    brain: NDArray[np.float32]
    """``(D, S, S)`` probabilities."""
    maps: dict[int, NDArray[np.float32]]
    """Deepest feature map ``(C, h, w)`` of each slice that was shown to it."""
    squares: NDArray[np.uint8]
    """``(D, S, S)`` what it saw."""
    box: Box
    """The square of each slice that it saw."""


@dataclass(frozen=True, eq=False)
class Finder:
    """A segmenter with its card, ready to be asked."""

    card: ModelCard
    engine: FinderEngine
    rules: SegmentationRules


def find_candidates(volume: Volume, finder: Finder, progress: Progress | None = None) -> Outlines:
    """Outline what could be a tumour, and the brain.

    Parameters
    ----------
    progress
        Told after each batch of slices; it may raise to stop.
    """
    seen = _look(volume, finder, progress)
    rules = finder.rules
    parts, count = _hysteresis(seen.tumour, rules)
    found = [
        _candidate(volume, seen, parts, number, finder)
        for number in range(1, count + 1)
        if _is_in_brain(seen, parts == number)
    ]
    kept = [one for one in found if follows_rules(one, volume, rules)]
    brain = _on_volume(seen.brain, 0.5, seen.box, volume)
    enough = np.flatnonzero((seen.brain > 0.5).mean((1, 2)) >= _ENOUGH_BRAIN)
    return Outlines(
        tuple(sorted(kept, key=lambda one: -one.probability)), brain, tuple(map(int, enough))
    )


def _look(volume: Volume, finder: Finder, progress: Progress | None) -> _Seen:
    images = np.stack([grey(volume, index) for index in range(len(volume.array))])
    box, side = find_head_square(images.max(0)), finder.card.preprocessing.size
    shown = [index for index, one in enumerate(images) if find_bright(one).mean() > _LEAST_BRIGHT]
    squares = np.stack([cut_square(one, box, side) for one in images])
    answers = np.zeros((2, len(images), side, side), np.float32)
    maps: dict[int, NDArray[np.float32]] = {}
    for start in range(0, len(shown), _BATCH):
        part = shown[start : start + _BATCH]
        outlined, deepest = finder.engine.outline(squares[part])
        answers[:, part] = outlined
        if deepest is not None:
            maps.update(zip(part, deepest, strict=True))
        if progress:
            progress(min(start + _BATCH, len(shown)), len(shown), tr("Looking for a tumour"))
    return _Seen(answers[0], answers[1], maps, squares, box)


def _hysteresis(
    tumour_DSS: NDArray[np.float32], rules: SegmentationRules
) -> tuple[NDArray[np.int32], int]:
    """Numbered parts of what exceeds ``edge`` that exceed ``seed`` somewhere."""
    parts, count = ndimage.label(tumour_DSS > rules.edge, _EVERYWHERE)
    highest, above = np.zeros(count + 1, np.float32), parts > 0
    np.maximum.at(highest, parts[above], tumour_DSS[above])
    numbers = np.zeros(count + 1, np.int32)
    seeded = np.flatnonzero(highest > rules.seed)
    numbers[seeded] = np.arange(1, len(seeded) + 1)
    return numbers[parts], len(seeded)


def _is_in_brain(seen: _Seen, inside_DSS: NDArray[np.bool_]) -> bool:
    return bool(seen.brain[inside_DSS].mean() > 0.5)


def _candidate(
    volume: Volume, seen: _Seen, parts: NDArray[np.int32], number: int, finder: Finder
) -> CandidateOutline:
    inside = parts == number
    kinds = _name(seen, inside, finder) if seen.maps else {}
    is_tumour = sum(kinds.values()) if kinds else 1.0
    sureness = [float(seen.tumour[inside].mean()), *_across(volume, seen, inside, finder)]
    mask = _on_volume(np.where(inside, seen.tumour, 0), finder.rules.edge, seen.box, volume)
    areas = mask.sum((1, 2))
    return CandidateOutline(
        mask,
        float(np.mean(sureness)) * is_tumour,
        {name: value / is_tumour for name, value in kinds.items()},
        tuple(map(int, np.flatnonzero(areas))),
        int(areas.argmax()),
        None if volume.placement is Placement.NONE else _voxel_ml(volume) * int(areas.sum()),
        float(seen.tumour[inside].max()),
        float(areas.max()) / seen.box.side**2,
    )


def _across(
    volume: Volume, seen: _Seen, inside_DSS: NDArray[np.bool_], finder: Finder
) -> list[float]:
    """What the planes along the other two axes say, where slices are thin enough for that."""
    if volume.placement is not Placement.PATIENT or not _is_thin(volume):
        return []
    directions = volume.affine[:3, :3].copy()
    directions[:, 1:] *= seen.box.side / seen.squares.shape[-1]
    return look_across(
        seen.squares, inside_DSS, directions, lambda squares: finder.engine.outline(squares)[0][0]
    )


def _is_thin(volume: Volume) -> bool:
    spacing = volume.spacing()[0]
    return spacing < _THIN_MM and len(volume.array) * spacing >= _TALL_MM


def _name(seen: _Seen, inside_DSS: NDArray[np.bool_], finder: Finder) -> dict[str, float]:
    """Probabilities of the kinds of tumour, whose sum is that of being one, from the mean of the
    slices' logits, weighted by area."""
    areas = inside_DSS.sum((1, 2))
    slices = [int(index) for index in np.flatnonzero(areas)]
    maps_NCHW = np.stack([seen.maps[index] for index in slices])
    outlines_NSS = np.where(inside_DSS, seen.tumour, np.float32(0))[slices]
    logits_NK = finder.engine.classify(maps_NCHW, outlines_NSS)
    mean_K = (areas[slices] / areas.sum()) @ logits_NK.astype(np.float64)
    powers_K = np.exp(mean_K - mean_K.max())
    probabilities_K = powers_K / powers_K.sum()
    return {
        name: float(value)
        for name, value in zip(finder.card.classes, probabilities_K, strict=True)
        if name != finder.card.no_tumour
    }


def follows_rules(one: CandidateOutline, volume: Volume, rules: SegmentationRules) -> bool:
    """Whether something outlined is sure and large enough, and in more than one slice, unless these
    are thick enough to hold it alone."""
    is_stack = len(volume.array) > 1
    least = rules.least_in_volume if is_stack else rules.least_probability
    is_sure = one.peak > rules.seed and one.probability >= least
    if not one.slices or not is_sure or one.share < rules.least_share:
        return False
    if one.volume_ml is None:
        return True
    largest = int(np.count_nonzero(one.mask[one.key_slice]))
    _, row, column = volume.spacing()
    return (
        one.volume_ml >= rules.least_ml
        and largest * row * column >= rules.least_mm2
        and not (is_stack and len(one.slices) < 2 and volume.spacing()[0] < _THICK_MM)
    )


def _voxel_ml(volume: Volume) -> float:
    return float(np.prod(volume.spacing())) / 1000


def _on_volume(
    map_DSS: NDArray[np.float32], threshold: float, box: Box, volume: Volume
) -> NDArray[np.bool_]:
    shape = (int(volume.array.shape[1]), int(volume.array.shape[2]))
    mask = np.zeros((len(map_DSS), *shape), np.bool_)
    for index, one in enumerate(map_DSS):
        if one.max() > threshold:
            mask[index] = restore_map(np.asarray(one, np.float32), box, shape) > threshold
    return mask
