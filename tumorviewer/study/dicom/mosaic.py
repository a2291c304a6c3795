"""Images that hold many slices side by side: Siemens mosaics and United Imaging grids."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from tumorviewer.language import later
from tumorviewer.study.dicom.elements import (
    PARSER_ERRORS,
    read_number,
    read_numbers,
    read_private,
)
from tumorviewer.study.dicom.frames import Frame, Tile
from tumorviewer.study.limits import MAX_SPACING_MM, MIN_SPACING_MM
from tumorviewer.study.notes import make_note

_SIEMENS, _SIEMENS_COUNT = "SIEMENS MR HEADER", 0x0019000A
_UNITED, _UNITED_COUNT, _UNITED_SLICES = "Image Private Header", 0x00650050, 0x00650051
_PARALLEL = 0.99
"""Least cosine between the slices' normal as Siemens states it and the orientation's."""


def split_mosaic(frame: Frame, dataset: Dataset) -> list[Frame]:
    """The slices of a mosaic, in the order of its tiles; any other image as it is.

    A mosaic of which the private data do not say where its slices are stays one image without a
    place, since one position cannot hold for all of its tiles.

    Parameters
    ----------
    frame
        The only one of its image.
    dataset
        The header of its image.
    """
    is_said = "MOSAIC" in (frame.attributes.get("image_type") or ())  # type: ignore[operator]
    siemens = _count(dataset, _SIEMENS, _SIEMENS_COUNT)
    united = _count(dataset, _UNITED, _UNITED_COUNT)
    if not is_said and max(siemens, united) < 2:
        return [frame]
    csa = _read_csa(dataset)
    count = united if united > 1 else siemens if siemens > 1 else _csa_count(csa)
    tiles = _tiles(frame, count)
    positions = (
        _united_positions(dataset, count)
        if united > 1
        else _siemens_positions(frame, dataset, csa, count)
    )
    if not tiles or positions is None:
        text = later("Each image is a mosaic of many slices, shown as it is stored.")
        note = make_note("mosaic", text)
        return [replace(frame, position=None, notes=(*frame.notes, note))]
    return [
        replace(frame, tile=tile, position=tuple(map(float, position)))
        for tile, position in zip(tiles, positions, strict=True)
    ]


def _count(dataset: Dataset, creator: str, tag: int) -> int:
    try:
        return int(read_private(dataset, creator, tag) or 0)
    except (TypeError, ValueError, OverflowError):
        return 0


def _tiles(frame: Frame, count: int) -> list[Tile]:
    """Row by row in a square; empty if the image cannot be parted so."""
    side = math.ceil(math.sqrt(count)) if count > 1 else 0
    if not side or frame.rows % side or frame.columns % side:
        return []
    rows, columns = frame.rows // side, frame.columns // side
    places = (divmod(at, side) for at in range(count))
    return [Tile(down * rows, right * columns, rows, columns) for down, right in places]


def _read_csa(dataset: Dataset) -> dict[str, Any]:
    """Siemens' image header (CSA); empty if there is none."""
    csareader = _import_csareader()
    try:
        return csareader.get_csa_header(dataset, "image") or {}
    except (csareader.CSAReadError, *PARSER_ERRORS):
        return {}


def _import_csareader() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the package is experimental
        from nibabel.nicom import csareader
    return csareader


def _csa_count(csa: dict[str, Any]) -> int:
    try:
        return int(_import_csareader().get_n_mosaic(csa) or 0)
    except PARSER_ERRORS:
        return 0


def _siemens_positions(
    frame: Frame, dataset: Dataset, csa: dict[str, Any], count: int
) -> NDArray[np.float64] | None:
    """``(count, 3)`` LPS+ mm of the first pixel of each slice.

    Image Position is that of the first pixel of an image as large as the mosaic around the centre
    of the first slice (https://nipy.org/nibabel/dicom/dicom_mosaic.html).
    """
    normal = _csa_normal(csa)
    step = read_number(dataset, "SpacingBetweenSlices")
    if (
        normal is None
        or step is None
        or not MIN_SPACING_MM < step < MAX_SPACING_MM
        or frame.position is None
        or frame.orientation is None
        or frame.spacing is None
    ):
        return None
    row, column = np.reshape(frame.orientation, (2, 3))
    if abs(normal @ np.cross(row, column)) < _PARALLEL:
        return None
    side = math.ceil(math.sqrt(count))
    inwards = 0.5 * (1 - 1 / side)
    first = (
        np.array(frame.position)
        + column * frame.spacing[0] * frame.rows * inwards
        + row * frame.spacing[1] * frame.columns * inwards
    )
    positions: NDArray[np.float64] = first + np.outer(np.arange(count) * step, normal)
    return positions


def _csa_normal(csa: dict[str, Any]) -> NDArray[np.float64] | None:
    try:
        normal = np.asarray(_import_csareader().get_slice_normal(csa), np.float64)
    except PARSER_ERRORS:
        return None
    is_unit = normal.shape == (3,) and abs(np.linalg.norm(normal) - 1) < 1 - _PARALLEL
    return normal if is_unit else None


def _united_positions(dataset: Dataset, count: int) -> NDArray[np.float64] | None:
    """``(count, 3)`` LPS+ mm, from the slices that United Imaging lists."""
    listed = read_private(dataset, _UNITED, _UNITED_SLICES)
    slices = listed if isinstance(listed, Sequence) and not isinstance(listed, str | bytes) else ()
    found = [
        read_numbers(each, "ImagePositionPatient") for each in slices if isinstance(each, Dataset)
    ]
    if len(found) != count or any(len(position) != 3 for position in found):
        return None
    return np.array(found)
