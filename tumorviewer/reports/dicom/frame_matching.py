"""Frames of segmentations and maps: to and from slices, by reference and never by index.

highdicom orders frames by position, which for a series from foot to head is the reverse of its
slices; other writers leave frames out. What a frame shows is what it refers to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from tumorviewer.reports.content import SourceSeries
from tumorviewer.study.dicom.elements import read_first_item, read_integer, read_items, read_text


def arrange_frames(
    source: SourceSeries, shape: tuple[int, int], dtype: Any, slice_at: Callable[[int], Any]
) -> NDArray[Any]:
    """``(frames, rows, columns)``, a frame for each of the source's in its stored order.

    Parameters
    ----------
    shape
        Rows and columns.
    slice_at
        What stands on a slice of the volume, or None for nothing.
    """
    count = sum(int(header.get("NumberOfFrames") or 1) for header in source.headers)
    frames = np.zeros((count, *shape), dtype)
    for index, reference in enumerate(source.frames):
        content = slice_at(index)
        if content is not None:
            at = reference.frame - 1 if source.is_multi_frame else reference.header
            frames[at] = content
    return frames


def match_frames(dataset: Dataset, source: SourceSeries) -> dict[int, int]:
    """The slice of the volume that each frame of an object refers to.

    Frames that refer to nothing in the series are not among them.
    """
    by_reference = {}
    for index, reference in enumerate(source.frames):
        uid = str(source.headers[reference.header].SOPInstanceUID)
        by_reference[uid, reference.frame if source.is_multi_frame else 1] = index
    found = {}
    for number, group in enumerate(read_items(dataset, "PerFrameFunctionalGroupsSequence")):
        index = by_reference.get(_reference(group))  # type: ignore[assignment]
        if index is not None:
            found[number] = index
    return found


def _reference(group: Dataset) -> tuple[str, int]:
    derivation = read_first_item(group, "DerivationImageSequence")
    source = read_first_item(derivation, "SourceImageSequence") if derivation is not None else None
    if source is None:
        return "", 0
    return read_text(source, "ReferencedSOPInstanceUID"), read_integer(
        source, "ReferencedFrameNumber"
    ) or 1
