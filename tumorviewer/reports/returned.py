"""What comes back from an archive, ours or others': outlines, maps, graphics and verdicts on the
slices that they refer to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import (
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    ParametricMapStorage,
    SegmentationStorage,
)

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.reports.content import SourceSeries
from tumorviewer.reports.dicom.frame_matching import match_frames
from tumorviewer.study.dicom.elements import (
    PARSER_ERRORS,
    read_first_item,
    read_integer,
    read_items,
    read_numbers,
    read_text,
    silence_pydicom,
)

_REPORTS = (ComprehensiveSRStorage, EnhancedSRStorage)
_CENTRE_OF_FIRST_PIXEL = 1.0
"""PS3.3 C.10.5.1.2."""


@dataclass(frozen=True, eq=False)
class ReturnedOutline:
    """One segment."""

    label: str
    mask: NDArray[np.bool_]
    """``(slice, row, column)`` on the volume's grid."""


@dataclass(frozen=True)
class ReturnedVerdict:
    """What a structured report says, and who stands behind it."""

    verifier: str
    """The verifying observer; empty where nobody verified it."""
    time: str
    """Of the verification, as DICOM writes it."""
    statements: tuple[tuple[str, str], ...]
    """Coded findings: name and value, in the order of the report."""

    @property
    def is_verified(self) -> bool:
        """Whether a reader signed it."""
        return bool(self.verifier)


@dataclass(frozen=True, eq=False)
class Returned:
    """What one object holds for a volume."""

    outlines: tuple[ReturnedOutline, ...] = ()
    maps: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    """Values by slice, in the object's own unit."""
    polygons: tuple[tuple[int, NDArray[np.float64]], ...] = ()
    """Slice, and ``(points, 2)`` column and row, whole numbers at the centres of pixels."""
    verdict: ReturnedVerdict | None = None


def read_returned(path: Path, source: SourceSeries, shape: tuple[int, int, int]) -> Returned:
    """Lay an object over the series that it refers to.

    Parameters
    ----------
    source
        The series of the volume.
    shape
        Slices, rows and columns of the volume.

    Raises
    ------
    InputError
        If it is none of the kinds that are read, damaged, or refers to nothing in the series.
    """
    silence_pydicom()
    try:
        dataset = pydicom.dcmread(path)
        kind = read_text(dataset, "SOPClassUID")
        if kind == SegmentationStorage:
            return Returned(outlines=tuple(_outlines(dataset, source, shape)))
        if kind == ParametricMapStorage:
            return Returned(maps=_maps(dataset, source, shape))
        if kind == GrayscaleSoftcopyPresentationStateStorage:
            return Returned(polygons=tuple(_polygons(dataset, source)))
        if kind in _REPORTS:
            return Returned(verdict=_verdict(dataset))
    except (InvalidDicomError, *PARSER_ERRORS) as error:
        raise InputError(str(path), tr("It is damaged, or it is not a DICOM image.")) from error
    raise InputError(str(path), tr("It is no outline, map, presentation state or report."))


def _outlines(
    dataset: Dataset, source: SourceSeries, shape: tuple[int, int, int]
) -> Iterator[ReturnedOutline]:
    slices = _slices(dataset, source, shape)
    frames = dataset.pixel_array.reshape(-1, *shape[1:])
    groups = read_items(dataset, "PerFrameFunctionalGroupsSequence")
    for segment in read_items(dataset, "SegmentSequence"):
        number = read_integer(segment, "SegmentNumber")
        mask = np.zeros(shape, np.bool_)
        for frame, index in slices.items():
            if _segment_of(groups[frame], dataset) == number:
                mask[index] |= frames[frame] > 0
        yield ReturnedOutline(read_text(segment, "SegmentLabel"), mask)


def _segment_of(group: Dataset, dataset: Dataset) -> int | None:
    shared = read_first_item(dataset, "SharedFunctionalGroupsSequence")
    for place in (group, shared):
        found = None if place is None else read_first_item(place, "SegmentIdentificationSequence")
        if found is not None:
            return read_integer(found, "ReferencedSegmentNumber")
    return None


def _maps(
    dataset: Dataset, source: SourceSeries, shape: tuple[int, int, int]
) -> dict[int, NDArray[np.float32]]:
    slices = _slices(dataset, source, shape)
    frames = dataset.pixel_array.reshape(-1, *shape[1:])
    return {index: frames[frame].astype(np.float32) for frame, index in slices.items()}


def _slices(dataset: Dataset, source: SourceSeries, shape: tuple[int, int, int]) -> dict[int, int]:
    """The slice of each frame: by reference, else by position."""
    if (read_integer(dataset, "Rows"), read_integer(dataset, "Columns")) != shape[1:]:
        reason = tr("It has other rows and columns than the series.")
        raise InputError(read_text(dataset, "SeriesDescription"), reason)
    slices = match_frames(dataset, source) or _by_position(dataset, source)
    if not slices:
        reason = tr("It refers to nothing in this series.")
        raise InputError(read_text(dataset, "SeriesDescription"), reason)
    return slices


def _by_position(dataset: Dataset, source: SourceSeries) -> dict[int, int]:
    if read_text(dataset, "FrameOfReferenceUID") != read_text(source.first, "FrameOfReferenceUID"):
        return {}
    places = {}
    for index, reference in enumerate(source.frames):
        header = source.headers[reference.header]
        group = read_items(header, "PerFrameFunctionalGroupsSequence")
        places[_position(group[reference.frame - 1] if group else header)] = index
    groups = read_items(dataset, "PerFrameFunctionalGroupsSequence")
    found = ((frame, places.get(_position(group))) for frame, group in enumerate(groups))
    return {frame: index for frame, index in found if index is not None}


def _position(group: Dataset) -> tuple[float, ...]:
    """Of the first pixel, to a tenth of a millimetre."""
    plane = read_first_item(group, "PlanePositionSequence") or group
    return tuple(round(one, 1) + 0.0 for one in read_numbers(plane, "ImagePositionPatient"))


def _polygons(dataset: Dataset, source: SourceSeries) -> Iterator[tuple[int, NDArray[np.float64]]]:
    for annotation in read_items(dataset, "GraphicAnnotationSequence"):
        slices = list(_referenced_slices(annotation, source))
        for graphic in read_items(annotation, "GraphicObjectSequence"):
            if read_text(graphic, "GraphicAnnotationUnits") != "PIXEL":
                continue
            points = np.array(read_numbers(graphic, "GraphicData")).reshape(-1, 2)
            for index in slices:
                yield index, points - _CENTRE_OF_FIRST_PIXEL


def _referenced_slices(annotation: Dataset, source: SourceSeries) -> Iterator[int]:
    for image in read_items(annotation, "ReferencedImageSequence"):
        uid = read_text(image, "ReferencedSOPInstanceUID")
        frames = read_numbers(image, "ReferencedFrameNumber")
        for index, reference in enumerate(source.frames):
            is_of = str(source.headers[reference.header].SOPInstanceUID) == uid
            if is_of and (not frames or reference.frame in frames):
                yield index


def _verdict(dataset: Dataset) -> ReturnedVerdict:
    observer = read_first_item(dataset, "VerifyingObserverSequence")
    is_verified = read_text(dataset, "VerificationFlag") == "VERIFIED" and observer is not None
    return ReturnedVerdict(
        verifier=read_text(observer, "VerifyingObserverName") if is_verified and observer else "",
        time=read_text(observer, "VerificationDateTime") if is_verified and observer else "",
        statements=tuple(_statements(dataset)),
    )


def _statements(item: Dataset) -> Iterator[tuple[str, str]]:
    for child in read_items(item, "ContentSequence"):
        name = read_first_item(child, "ConceptNameCodeSequence")
        value = read_first_item(child, "ConceptCodeSequence")
        if name is not None and value is not None:
            yield read_text(name, "CodeMeaning"), read_text(value, "CodeMeaning")
        yield from _statements(child)
