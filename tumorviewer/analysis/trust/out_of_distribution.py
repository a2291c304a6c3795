"""Is this what the model was made for? From tags, image quality and feature space. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.finding import OodAssessment
from tumorviewer.analysis.preprocess import Box
from tumorviewer.analysis.slices import PreparedVolume
from tumorviewer.analysis.trust import quality
from tumorviewer.analysis.trust.origin import Origin, is_of_head
from tumorviewer.language import tr, trn
from tumorviewer.models.trust_measures import OodMeasures

# Shape suffixes: N slices.

Level = Literal["inside", "unusual", "outside"]
_LEVELS: tuple[Level, ...] = ("inside", "unusual", "outside")
_MODALITY = "MR"
_LOOKED_AT = 5
"""Deciding slices whose quality is measured."""
_SMALL, _TOO_SMALL = 96, 32
"""Side of what is shown of the head, pixels of the file."""


class _Reason(NamedTuple):
    level: Level
    text: str


def assess_distribution(
    prepared: PreparedVolume,
    known: OodMeasures,
    distances_N: NDArray[np.float64],
    key: Sequence[int],
) -> OodAssessment:
    """Whether a volume is of the kind that a model knows.

    A volume is as far from the training data as the median of its deciding slices: neck and vertex
    are far in every volume.

    Parameters
    ----------
    distances_N
        Of each prepared slice, in the unit of ``known``.
    key
        Positions of the deciding slices.
    """
    distance = float(np.median(distances_N[list(key)]))
    reasons = [
        *_of_origin(prepared.origin, known),
        *_of_size([prepared.boxes[position] for position in key]),
        *_of_distance(distance, distances_N, known),
        *_of_quality(prepared.pictures[list(key[:_LOOKED_AT])], known),
    ]
    levels: list[Level] = [reason.level for reason in reasons]
    level = max(levels, key=_LEVELS.index, default=_LEVELS[0])
    ordered = sorted(reasons, key=lambda reason: -_LEVELS.index(reason.level))
    return OodAssessment(level, distance, tuple(reason.text for reason in ordered))


def _of_origin(origin: Origin, known: OodMeasures) -> Iterator[_Reason]:
    if origin.modality and origin.modality != _MODALITY:
        text = tr("It is {modality}; the model knows MR only.", modality=origin.modality)
        yield _Reason("outside", text)
    if origin.body_part and not is_of_head(origin.body_part):
        text = tr("The file says {part}; the model knows heads only.", part=origin.body_part)
        yield _Reason("outside", text)
    for found, usual in ((origin.sequence, known.sequences), (origin.plane, known.planes)):
        if found and usual and found not in usual:
            text = tr(
                "It is {found}; the model was trained on {usual}.",
                found=found,
                usual=", ".join(usual),
            )
            yield _Reason("unusual", text)


def _of_size(boxes: Sequence[Box]) -> Iterator[_Reason]:
    side = int(np.median([box.side for box in boxes]))
    if side < _SMALL:
        text = trn(
            "What is judged is one pixel wide.",
            "What is judged is only {count} pixels wide.",
            side,
        )
        yield _Reason("outside" if side < _TOO_SMALL else "unusual", text)


def _of_distance(
    distance: float, distances_N: NDArray[np.float64], known: OodMeasures
) -> Iterator[_Reason]:
    if distance <= known.unusual:
        return
    is_outside = distance > known.outside
    text = (
        tr("To the model it looks unlike anything that it was trained on.")
        if is_outside
        else tr("To the model it looks unlike most of what it was trained on.")
    )
    if (count := len(distances_N)) > 1:
        far = int(np.count_nonzero(distances_N > (known.outside if is_outside else known.unusual)))
        text += " " + tr(
            "That is said of the deciding slices; of all {count} it holds for {far}.",
            count=count,
            far=far,
        )
    yield _Reason("outside" if is_outside else "unusual", text)


def _of_quality(pictures: NDArray[np.uint8], known: OodMeasures) -> Iterator[_Reason]:
    """Of single slices, or of those in the middle of their neighbours."""
    alone = pictures if pictures.ndim == 3 else pictures[:, pictures.shape[1] // 2]
    found = np.median([quality.measure_quality(picture) for picture in alone], axis=0)
    for fault in quality.find_faults(quality.Quality(*map(float, found)), known.quality):
        yield _Reason("unusual", tr(fault))
