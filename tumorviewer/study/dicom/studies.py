"""Headers of many files to studies: sorted by patient, study and series."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    MediaStorageDirectoryStorage,
    SegmentationStorage,
)

from tumorviewer.errors import InputError
from tumorviewer.language import later, tr
from tumorviewer.study.dicom.elements import (
    is_stated,
    read_first_item,
    read_integer,
    read_text,
    silence_pydicom,
)
from tumorviewer.study.dicom.frames import Frame, read_frames
from tumorviewer.study.dicom.header import COPY_AGAIN, NOT_DICOM, Header, read_header
from tumorviewer.study.dicom.image import Image, read_image
from tumorviewer.study.dicom.mosaic import split_mosaic
from tumorviewer.study.dicom.pixels import is_same_image
from tumorviewer.study.dicom.placement import locate_stack
from tumorviewer.study.dicom.stack_labels import label_stacks
from tumorviewer.study.dicom.stacks import SliceStack, group_stacks
from tumorviewer.study.dicom.volume import DicomVolume
from tumorviewer.study.notes import Note, make_note
from tumorviewer.study.types import Refused, Series, Study

_NO_PICTURE = (SegmentationStorage, "1.2.840.10008.5.1.4.1.1.66.7")
"""Storage classes with pixels that are not a picture."""
TAGS = (
    "AcquisitionDate",
    "AcquisitionNumber",
    "AcquisitionTime",
    "AngioFlag",
    "BodyPartExamined",
    "BurnedInAnnotation",
    "ContrastBolusAgent",
    "ConvolutionKernel",
    "DiffusionBValue",
    "EchoTime",
    "EchoTrainLength",
    "EffectiveEchoTime",
    "FlipAngle",
    "FrameOfReferenceUID",
    "ImageComments",
    "ImageType",
    "ImagedNucleus",
    "InstitutionName",
    "InversionTime",
    "KVP",
    "Laterality",
    "MRAcquisitionType",
    "MagneticFieldStrength",
    "Manufacturer",
    "ManufacturerModelName",
    "Modality",
    "PatientAge",
    "PatientBirthDate",
    "PatientPosition",
    "PatientSex",
    "ProtocolName",
    "RepetitionTime",
    "SOPClassUID",
    "ScanOptions",
    "ScanningSequence",
    "SequenceName",
    "SequenceVariant",
    "SeriesDescription",
    "SeriesNumber",
    "SeriesTime",
    "SliceThickness",
    "SoftwareVersions",
    "SpacingBetweenSlices",
    "StudyDate",
    "StudyDescription",
    "StudyTime",
)
"""Keywords kept as text for a series: for its corner text and to recognise its sequence."""


@dataclass
class _Series:
    """The images of one series as they come in."""

    header: Dataset
    """Of the first of its images."""
    frames: list[Frame] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    seen: dict[Hashable, list[Frame]] = field(default_factory=dict)
    """First frames of its images by what identifies them."""
    conflicting: set[str] = field(default_factory=set)
    """SOP Instance UIDs under which there are different pixels."""


class Collector:
    """Takes DICOM files one by one and sorts them into studies."""

    def __init__(self) -> None:
        silence_pydicom()
        self._series: dict[tuple[str, ...], _Series] = {}

    def add(self, path: Path, source: str) -> Refused | Header | None:
        """Read one file.

        Returns
        -------
        Refused, Header or None
            Why it is not shown; the header, if it is a DICOMDIR; None if it was taken in.

        Raises
        ------
        InputError
            If it is damaged or not supported.
        """
        header = read_header(path, source)
        storage_class = _storage_class(header)
        if storage_class == MediaStorageDirectoryStorage:
            return header
        if storage_class in _NO_PICTURE or header.pixels is None:
            return _no_picture(header, storage_class)
        return self._take(header, read_image(header))

    def _take(self, header: Header, image: Image) -> Refused | None:
        key = _series_key(header)
        frames = read_frames(image, header.dataset)
        if len(frames) == 1:
            frames = split_mosaic(frames[0], header.dataset)
        series = self._series.setdefault(key, _Series(header.dataset))
        identity = (image.uid, image.number, image.frames, frames[0].position)
        alike = series.seen.setdefault(identity, []) if image.uid else []
        same = next((one for one in alike if is_same_image(one.image, image)), None)
        if same is not None:
            reason = tr("It is the same image as {seen}.", seen=same.image.source)
            return Refused(header.source, reason, is_error=False)
        if alike:
            series.conflicting.add(image.uid)
        alike.append(frames[0])
        series.sources.append(header.source)
        series.frames += frames
        return None

    def studies(self) -> list[Study]:
        """What was taken in, by patient and date."""
        groups: dict[tuple[str, ...], list[_Series]] = {}
        for key, series in self._series.items():
            groups.setdefault(key[:3], []).append(series)
        studies = [_study(members) for members in groups.values()]
        return sorted(studies, key=lambda study: (study.patient_name, study.patient_id, study.date))


def _storage_class(header: Header) -> UID:
    stated = read_text(header.dataset, "SOPClassUID") or read_text(
        header.meta, "MediaStorageSOPClassUID"
    )
    return UID(stated)


def _no_picture(header: Header, storage_class: UID) -> Refused:
    """Say what an object without pixels is."""
    name = storage_class.name.removesuffix(" Storage") if storage_class.is_valid else ""
    is_private = storage_class.is_private and is_stated(header.dataset, "SeriesInstanceUID")
    is_known = bool(name) and (name != str(storage_class) or is_private)
    is_image = name.endswith("Image") or is_stated(header.dataset, "BitsAllocated")
    if storage_class not in _NO_PICTURE and (is_image or not is_known):
        cut = tr("It ends before its pixels, or has none.")
        raise InputError(header.source, cut if is_image else tr(NOT_DICOM), tr(COPY_AGAIN))
    kind = name if is_known else "Segmentation"
    if is_private:
        kind = tr("a private object of its maker")
    reason = tr("It is DICOM, but not a picture: {kind}.", kind=kind)
    return Refused(header.source, reason, is_error=False)


def _series_key(header: Header) -> tuple[str, ...]:
    """Patient, study and series; by folder and number where a series has no UID."""
    dataset = header.dataset
    folder = str(header.path.parent)
    return (
        read_text(dataset, "PatientID"),
        read_text(dataset, "PatientName"),
        read_text(dataset, "StudyInstanceUID") or folder,
        read_text(dataset, "SeriesInstanceUID")
        or f"{folder}\n{read_text(dataset, 'SeriesNumber')}",
    )


def _study(members: list[_Series]) -> Study:
    header = members[0].header
    series = sorted((_finished(member) for member in members), key=_series_order)
    date = _date(read_text(header, "StudyDate"))
    description = read_text(header, "StudyDescription")
    modalities = "/".join(sorted({one.modality for one in series if one.modality}))
    return Study(
        title=description or " ".join(filter(None, (modalities, date))) or "Study",
        series=tuple(series),
        uid=read_text(header, "StudyInstanceUID") or None,
        patient_name=format_person_name(read_text(header, "PatientName")),
        patient_id=read_text(header, "PatientID"),
        date=date,
        description=description,
    )


def _series_order(series: Series) -> tuple[bool, int, str, str]:
    return (
        series.number is None,
        series.number or 0,
        series.tags.get("SeriesTime", ""),
        series.title,
    )


def _finished(member: _Series) -> Series:
    header = member.header
    source = _common_source(member.sources)
    uid = read_text(header, "SeriesInstanceUID") or None
    stacks = group_stacks(member.frames)
    number = read_integer(header, "SeriesNumber")
    tags = {keyword: found for keyword in TAGS if (found := find_text(header, keyword))}
    return Series(
        title=_title(header, number),
        volumes=tuple(_volumes(stacks, member.conflicting, source, uid, tags)),
        source=source,
        uid=uid,
        modality=read_text(header, "Modality"),
        number=number,
        tags=tags,
    )


def _title(header: Dataset, number: int | None) -> str:
    stated = read_text(header, "SeriesDescription") or read_text(header, "ProtocolName")
    if stated:
        return stated
    modality = read_text(header, "Modality") or "DICOM"
    if number is None:
        return tr("{modality} series", modality=modality)
    return tr("{modality} series {n}", modality=modality, n=number)


def _volumes(
    stacks: list[SliceStack],
    conflicting: set[str],
    source: str,
    uid: str | None,
    tags: Mapping[str, str],
) -> Iterable[DicomVolume]:
    most: dict[Hashable, int] = {}
    for stack, label in zip(stacks, label_stacks(stacks), strict=True):
        geometry = locate_stack(stack.frames)
        notes = (
            *stack.notes,
            *geometry.notes,
            *_stack_notes(stack, conflicting),
            *_image_notes(stack.frames),
        )
        repeats = len(stack.frames) <= most.get(stack.contrast, 0)
        yield DicomVolume(stack.frames, geometry, source, uid, label, repeats, notes, tags)
        most[stack.contrast] = max(len(stack.frames), most.get(stack.contrast, 0))


def _stack_notes(stack: SliceStack, conflicting: set[str]) -> Iterator[Note]:
    if not conflicting.isdisjoint(frame.image.uid for frame in stack.frames):
        text = later("Files of one SOP Instance UID hold different pixels: all of them are shown.")
        yield make_note("conflicting_copies", text)
    elif any(name == "repeat" for name, _ in stack.split):
        text = later(
            "The series has several images at the same positions, and nothing in the files tells "
            "them apart: they are shown as separate volumes by their instance numbers."
        )
        yield make_note("repeats_not_told_apart", text)


def _image_notes(frames: tuple[Frame, ...]) -> tuple[Note, ...]:
    notes = dict.fromkeys(note for frame in frames for note in (*frame.image.notes, *frame.notes))
    return tuple(notes)


def find_text(header: Dataset, keyword: str) -> str:
    """An element as text, from the header or from its shared functional groups."""
    found = read_text(header, keyword)
    shared = read_first_item(header, "SharedFunctionalGroupsSequence")
    if found or shared is None:
        return found
    macros = (read_first_item(shared, element.keyword) for element in shared if element.VR == "SQ")
    return next(filter(None, (read_text(macro, keyword) for macro in macros if macro)), "")


def format_person_name(name: str) -> str:
    """A person's name for people: ``Yamada^Tarou=山田^太郎`` is ``Yamada Tarou (山田 太郎)``."""
    groups = [" ".join(filter(None, group.split("^"))).strip() for group in name.split("=")]
    first, *others = list(filter(None, groups)) or [""]
    return f"{first} ({', '.join(others)})" if others else first


def _date(stated: str) -> str:
    """``YYYYMMDD`` or ``YYYY.MM.DD`` as ``YYYY-MM-DD``; empty if it is neither."""
    match = re.fullmatch(r"(\d{4})[.-]?(\d\d)[.-]?(\d\d)", stated)
    if match is None or not ("01" <= match[2] <= "12" and "01" <= match[3] <= "31"):
        return ""
    return "-".join(match.groups())


def _common_source(sources: list[str]) -> str:
    """The file, or the deepest folder that holds all of them."""
    if len(sources) == 1:
        return sources[0]
    folders = [str(Path(source).parent) for source in sources]
    try:
        return os.path.commonpath(folders) or folders[0]
    except ValueError:
        return folders[0]
