"""A volume to what a network sees of it: its judgeable slices, prepared. No torch.

This is what travels to the worker process: 155 slices are 8 MB, whatever the volume weighs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.preprocess import (
    Box,
    find_bright,
    list_neighbours,
    prepare_image,
    prepare_series,
)
from tumorviewer.analysis.trust.origin import Origin, find_origin
from tumorviewer.errors import InputError
from tumorviewer.imaging.display import IDENTITY, grey
from tumorviewer.language import tr, trn
from tumorviewer.models.card import Preprocessing
from tumorviewer.study.notes import Note
from tumorviewer.study.types import Placement, Volume

ReportProgress = Callable[[int, int, str], None]
"""Told how much of how much is done, and of what. The callback may raise
:class:`tumorviewer.errors.Cancelled`."""

_LABELS = 12
"""A volume with no more different values than this is taken for a segmentation."""
_CONTRAST = 8
"""Grey levels that all but 1 % of a slice must span for there to be anything to judge."""


@dataclass(frozen=True, eq=False)
class PreparedVolume:
    """The slices of a volume that can be judged, as the network sees them."""

    source: str
    series_instance_uid: str | None
    label: str
    count: int
    """Slices of the volume, those that cannot be judged included."""
    shape: tuple[int, int]
    """Rows and columns of a slice."""
    ordered: bool
    """Whether neighbours in the stack are neighbours in the patient."""
    settings: Preprocessing
    slices: tuple[int, ...]
    """Index in the volume of each prepared slice, ascending."""
    pictures: NDArray[np.uint8]
    """``(len(slices), S, S)``, or ``(len(slices), 2k + 1, S, S)`` of slices with their k neighbours
    on each side."""
    boxes: tuple[Box, ...]
    areas: NDArray[np.float64]
    """``(len(slices),)`` pixels of each slice that are brighter than the background."""
    flags: tuple[str, ...]
    """What was left out or changed, in words."""
    origin: Origin = field(default_factory=Origin)
    """What tags and geometry say that it is."""
    notes: tuple[Note, ...] = ()
    """As :attr:`tumorviewer.study.types.Volume.notes`."""


def prepare_volume(
    volume: Volume, settings: Preprocessing, progress: ReportProgress | None = None
) -> PreparedVolume:
    """Prepare every slice that shows something.

    A slice is left out if it has no finite value, or if its finite pixels look the same at the
    volume's default window: if all but 1 % of them lie within 8 grey levels. A model of series is
    given the neighbours of each, the blank ones too; a slice whose neighbours in the stack are not
    known to be neighbours in the patient is repeated in their place.

    Raises
    ------
    InputError
        If no slice is left.
    """
    count, rows, columns = volume.array.shape[:3]
    judged: list[int] = []
    prepared: list[tuple[NDArray[np.uint8], Box]] = []
    areas: list[float] = []
    for index, picture in _pictures(volume, progress):
        judged.append(index)
        prepared.append(prepare_slice(volume, index, picture, settings))
        areas.append(float(np.count_nonzero(find_bright(picture))))
    if not judged:
        raise _nothing_to_judge(volume)
    return PreparedVolume(
        source=volume.source,
        series_instance_uid=volume.series_instance_uid,
        label=volume.label,
        count=count,
        shape=(rows, columns),
        ordered=volume.placement is not Placement.NONE,
        settings=settings,
        slices=tuple(judged),
        pictures=np.stack([picture for picture, _ in prepared]),
        boxes=tuple(box for _, box in prepared),
        areas=np.array(areas),
        flags=_flags(volume, len(judged)),
        origin=find_origin(volume),
        notes=volume.notes,
    )


def to_grey_volume(volume: Volume) -> Volume:
    """A volume as it is on the screen at its default window: 8-bit grey levels in the same place,
    which is what travels to another process."""
    levels = np.stack([grey(volume, index) for index in range(len(volume.array))])
    return replace(
        volume, array=levels, windows=(IDENTITY,), voi_lut=None, inverted=False, padding=None
    )


def prepare_slice(
    volume: Volume, index: int, picture: NDArray[np.uint8], settings: Preprocessing
) -> tuple[NDArray[np.uint8], Box]:
    """What a network sees of one slice, whose grey levels are ``picture``: alone, or in a series.

    Returns
    -------
    tuple
        ``(S, S)``, or ``(2k + 1, S, S)`` with k neighbours, uint8, and the square that it shows.
    """
    if not settings.neighbours:
        return prepare_image(picture, settings)
    around = (index,) * (2 * settings.neighbours + 1)
    if volume.placement is not Placement.NONE:
        around = list_neighbours(index, len(volume.array), settings.neighbours)
    shown = [picture if one == index else grey(volume, one) for one in around]
    return prepare_series(np.stack(shown), settings)


def _pictures(
    volume: Volume, progress: ReportProgress | None
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    count = len(volume.array)
    for index in range(count):
        if progress:
            progress(index, count, tr("Preparing slices"))
        picture = grey(volume, index)
        if not _is_blank(picture[_finite(volume, index)]):
            yield index, picture


def _finite(volume: Volume, index: int) -> NDArray[np.bool_]:
    if volume.is_colour:
        return np.ones(volume.array.shape[1:3], np.bool_)
    finite: NDArray[np.bool_] = np.isfinite(volume.array[index])
    return finite


def _is_blank(levels: NDArray[np.uint8]) -> bool:
    """Whether all but the darkest and the brightest 0.5 % lie within 8 grey levels."""
    cumulated = np.bincount(levels.ravel(), minlength=256).cumsum()
    low, high = np.searchsorted(cumulated, np.array([0.005, 0.995]) * cumulated[-1], side="right")
    return bool(not levels.size or high - low < _CONTRAST)


def _nothing_to_judge(volume: Volume) -> InputError:
    if not volume.array.size:
        return InputError(volume.source, tr("It holds no pixels."))
    reason = trn(
        "The picture is blank, of one value, or not finite: there is nothing to judge.",
        "All slices are blank, of one value, or not finite: there is nothing to judge.",
        len(volume.array),
    )
    return InputError(volume.source, reason, tr("Check that the right file was opened."))


def _flags(volume: Volume, judged: int) -> tuple[str, ...]:
    count = len(volume.array)
    flags = []
    if left_out := count - judged:
        flags.append(
            tr(
                "Not judged, as blank, of one value or not finite: {left_out} of {count} slices.",
                left_out=left_out,
                count=count,
            )
        )
    if volume.array.dtype.kind == "f" and not np.isfinite(volume.array).all():
        flags.append(tr("Some pixels have no finite value; the model sees them as they are shown."))
    if is_label_map(volume):
        flags.append(
            tr("It holds few different values: it looks like a segmentation, not an image.")
        )
    if volume.is_colour:
        flags.append(tr("The colour picture was reduced to its brightness for the model."))
    return tuple(flags)


def is_label_map(volume: Volume) -> bool:
    """Whether some hundred thousand voxels of a volume, evenly spread, hold a few values only."""
    if volume.placement is Placement.NONE or len(volume.array) < 2:
        return False
    voxels = volume.array.reshape(-1)
    return len(np.unique(voxels[:: max(1, voxels.size // 200_000)])) <= _LABELS
