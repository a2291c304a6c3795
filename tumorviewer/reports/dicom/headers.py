"""Source headers, repaired on a copy: what other systems write and what standards allow differ."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as Items
from pydicom.valuerep import DSfloat, PersonName

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.reports.content import FrameReference, SourceSeries
from tumorviewer.study.dicom.elements import (
    PARSER_ERRORS,
    read_first_item,
    read_numbers,
    silence_pydicom,
)
from tumorviewer.study.dicom.volume import DicomVolume

_FORMS = {
    "DA": re.compile(r"(?:\d{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))?"),
    "TM": re.compile(r"(?:[01]\d|2[0-3])?(?:[0-5]\d(?:[0-5]\d(?:\.\d{1,6})?)?)?"),
    "AS": re.compile(r"(?:\d{3}[DWMY])?"),
    "UI": re.compile(r"(?:[0-2](?:\.(?:0|[1-9]\d*))+)?"),
}
"""PS3.5 6.2; an empty value is always allowed here."""
_TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
_MACROS = (
    "PixelMeasuresSequence",
    "PlaneOrientationSequence",
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
)
_WINDOWS = ("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction")
_NUMBERS: dict[str, Callable[[Any], Any]] = {
    "DS": lambda one: DSfloat(float(one), auto_format=True),
    "IS": int,
    "FD": float,
    "FL": float,
}


def read_source(volume: DicomVolume) -> SourceSeries:
    """The headers of the series that a volume was read from.

    Raises
    ------
    InputError
        If a file has gone or cannot be read any more.
    """
    silence_pydicom()
    warnings.filterwarnings("ignore", module=r"highdicom\b")  # they quote names of patients
    paths = list(dict.fromkeys(frame.image.path for frame in volume.frames))
    repairs: dict[str, None] = {}
    headers = []
    for path in paths:
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            headers.append(repair_header(header, repairs.setdefault))
        except PARSER_ERRORS as error:
            raise InputError(str(path), tr("It has changed or gone.")) from error
    _state_thickness(headers, volume)
    frames = (FrameReference(paths.index(f.image.path), f.index + 1) for f in volume.frames)
    return SourceSeries(tuple(headers), tuple(frames), tuple(repairs))


def repair_header(header: Dataset, tell: Callable[[str], None]) -> Dataset:
    """A copy that highdicom and strict archives accept.

    Text becomes ISO_IR 192 (UTF-8); values that their VR does not allow become empty; elements
    that every study has are there, if only empty; windows without width go; pixel measures and
    orientations that are the same for all frames stand among the shared functional groups
    (Siemens XA writes them for each frame, PS3.3 C.7.6.16.1.1).

    Parameters
    ----------
    tell
        Told what was repaired, in words.
    """
    copy = _copy(header, tell)
    copy.SpecificCharacterSet = "ISO_IR 192"
    for keyword in _TYPE_2:
        if keyword not in copy:
            setattr(copy, keyword, None)
    if copy.PatientSex not in ("M", "F", "O", "", None):
        copy.PatientSex = ""
        tell(tr("Patient's sex was none of M, F and O; it is left empty."))
    _drop_bad_windows(copy, tell)
    for keyword in _MACROS:
        _share_macro(copy, keyword)
    if "file_meta" in header.__dict__:
        copy.file_meta = header.file_meta
    return copy


def _copy(header: Dataset, tell: Callable[[str], None]) -> Dataset:
    answer = Dataset()
    for tag in header.keys():  # noqa: SIM118 - iterating would decode each element
        try:
            element = header[tag]
        except PARSER_ERRORS:
            continue
        if not element.tag.is_private and element.VR != "UN":
            answer[tag] = _repaired(element, tell)
    return answer


def _repaired(element: DataElement, tell: Callable[[str], None]) -> DataElement:
    value, vr = element.value, element.VR
    if vr == "SQ":
        return DataElement(element.tag, vr, Items([_copy(item, tell) for item in value]))
    if vr == "PN" and value:
        many = isinstance(value, MultiValue)
        value = [PersonName(str(one)) for one in value] if many else PersonName(str(value))
    elif vr in _FORMS and value and not _fits(_FORMS[vr], value):
        tell(tr("{name} was not valid; it is left empty.", name=element.name))
        value = None
    elif vr in _NUMBERS and value is not None:
        value = _plain_numbers(value, _NUMBERS[vr])
    return DataElement(element.tag, vr, value)


def _fits(form: re.Pattern[str], value: Any) -> bool:
    values = value if isinstance(value, MultiValue | list) else [value]
    return all(form.fullmatch(str(one).strip()) for one in values)


def _plain_numbers(value: Any, kind: Callable[[Any], Any]) -> Any:
    """Numbers of Python's own, and as many digits as a DS holds: numpy's are written with their
    type's name in places, and 16 signs are the most (PS3.5 6.2)."""
    try:
        if isinstance(value, MultiValue | list):
            return [kind(one) for one in value]
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _drop_bad_windows(header: Dataset, tell: Callable[[str], None]) -> None:
    widths, centres = read_numbers(header, "WindowWidth"), read_numbers(header, "WindowCenter")
    if "WindowWidth" not in header and "WindowCenter" not in header:
        return
    if widths and len(widths) == len(centres) and min(widths) >= 1:
        return
    for keyword in _WINDOWS:
        if keyword in header:
            delattr(header, keyword)
    tell(tr("The window of the images has no width; it is left out."))


def _share_macro(header: Dataset, keyword: str) -> None:
    shared = read_first_item(header, "SharedFunctionalGroupsSequence")
    groups: Sequence[Dataset] = header.get("PerFrameFunctionalGroupsSequence") or ()
    if shared is None or keyword in shared or not groups:
        return
    stated = [read_first_item(group, keyword) for group in groups]
    if stated[0] is None or any(one != stated[0] for one in stated):
        return
    setattr(shared, keyword, [stated[0]])
    for group in groups:
        delattr(group, keyword)


def _state_thickness(headers: Sequence[Dataset], volume: DicomVolume) -> None:
    """Where no thickness is stated it is the distance between slices, if there are several."""
    step = float(np.linalg.norm(volume.geometry.affine[:3, 0]))
    for header in headers:
        if not read_numbers(header, "SliceThickness") and "NumberOfFrames" not in header:
            header.SliceThickness = DSfloat(step, auto_format=True) if len(headers) > 1 else None
