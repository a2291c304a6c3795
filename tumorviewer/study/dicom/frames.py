"""Frames: single-frame instances and the frames of multi-frame objects, alike."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from tumorviewer.language import later
from tumorviewer.study.dicom.elements import (
    PARSER_ERRORS,
    read_first_item,
    read_integer,
    read_items,
    read_number,
    read_numbers,
    read_private,
    read_text,
    read_value,
)
from tumorviewer.study.dicom.image import Image
from tumorviewer.study.dicom.values import (
    ModalityTransform,
    read_modality_transform,
    read_voi_lut,
    read_windows,
)
from tumorviewer.study.limits import MAX_SPACING_MM, MIN_SPACING_MM
from tumorviewer.study.notes import Note, make_note
from tumorviewer.study.types import Window

_UNIT_TOLERANCE = 0.01
_RAW_VALUES = later(
    "Its rescale slope or intercept cannot be used: values are shown as they are stored, without a "
    "unit."
)
_NOT_STATED: tuple[Hashable, ...] = (None, "", ())


class Tile(NamedTuple):
    """A slice of a mosaic: its first row and column, and its size."""

    row: int
    column: int
    rows: int
    columns: int


@dataclass(frozen=True, eq=False, slots=True)
class Frame:
    """Everything about one frame but its pixels."""

    image: Image
    index: int
    """In its image, from 0."""
    position: tuple[float, ...] | None
    """Of the centre of the first pixel, LPS+ mm (PS3.3 C.7.6.2.1.1)."""
    orientation: tuple[float, ...] | None
    """Cosines of the row, towards higher columns, then of the column, towards higher rows."""
    spacing: tuple[float, float] | None
    """Between rows, between columns, mm."""
    in_patient: bool
    """Whether `spacing` is in the patient, not at the detector or on a page."""
    thickness: float | None
    rescale: ModalityTransform
    windows: tuple[Window, ...]
    voi_lut: tuple[float, NDArray[np.float32]] | None
    attributes: Mapping[str, Hashable]
    """What tells stacks of one series apart, by name; absent where not stated."""
    location: float | None = None
    """Slice Location (PS3.3 C.7.6.2.1.2), mm from a point that is not stated."""
    aspect: float = 1.0
    """Height of a pixel over its width where no spacing is stated (PS3.3 C.7.6.3.1.7)."""
    tile: Tile | None = None
    """Where it lies in its image, if that is a mosaic."""
    notes: tuple[Note, ...] = ()

    @property
    def rows(self) -> int:
        """Its height in pixels."""
        return self.tile.rows if self.tile else self.image.format.rows

    @property
    def columns(self) -> int:
        """Its width in pixels."""
        return self.tile.columns if self.tile else self.image.format.columns

    @property
    def is_placed(self) -> bool:
        """Whether its place in the patient is known."""
        return self.position is not None and self.orientation is not None


_MACROS = (
    "CTImageFrameTypeSequence",
    "CardiacSynchronizationSequence",
    "FrameAnatomySequence",
    "FrameContentSequence",
    "FrameVOILUTSequence",
    "MRDiffusionSequence",
    "MREchoSequence",
    "MRImageFrameTypeSequence",
    "MRModifierSequence",
    "PETFrameTypeSequence",
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "PlaneOrientationSequence",
    "PlanePositionSequence",
    "TemporalPositionSequence",
)
_FRAME_TYPES = tuple(name for name in _MACROS if name.endswith("FrameTypeSequence"))


def read_frames(image: Image, dataset: Dataset) -> list[Frame]:
    """Describe every frame of an image, in the order in which they are stored.

    Parameters
    ----------
    image
        The image.
    dataset
        Its header.
    """
    per_frame = read_items(dataset, "PerFrameFunctionalGroupsSequence")
    shared = read_first_item(dataset, "SharedFunctionalGroupsSequence")
    common = _macros(shared) if shared is not None else {}
    if per_frame:
        frames = [
            _frame(image, index, dataset, {**common, **_macros(group)})
            for index, group in enumerate(per_frame[: image.frames])
        ]
    else:
        frames = [_frame(image, 0, dataset, common)]
    bare = replace(frames[0], position=None, orientation=None, attributes={})
    alike = bare if per_frame else frames[0]
    frames += [replace(alike, index=index) for index in range(len(frames), image.frames)]
    return _on_grid(frames, dataset)


def _macros(group: Dataset) -> dict[str, Dataset]:
    found = {keyword: read_first_item(group, keyword) for keyword in _MACROS if keyword in group}
    return {keyword: item for keyword, item in found.items() if item is not None}


def _frame(image: Image, index: int, dataset: Dataset, macros: dict[str, Dataset]) -> Frame:
    """Describe one frame.

    Parameters
    ----------
    macros
        Its functional group items (PS3.3 C.7.6.16.2) by the keyword of their sequence; what is
        not among them is looked for in the data set itself, where single-frame objects have it.
    """

    def of(keyword: str) -> Dataset:
        return macros.get(keyword, dataset)

    image_type = _image_type(dataset, macros)
    spacing, in_patient = _spacing(of("PixelMeasuresSequence"), dataset)
    pixels = image.format
    transform = read_modality_transform(
        of("PixelValueTransformationSequence"), _units(dataset, image_type), pixels.signed
    )
    attributes = _attributes(dataset, of) | {"image_type": image_type}
    return Frame(
        image=image,
        index=index,
        position=_triple(of("PlanePositionSequence")),
        orientation=_orientation(of("PlaneOrientationSequence")),
        spacing=spacing,
        in_patient=in_patient,
        thickness=read_number(of("PixelMeasuresSequence"), "SliceThickness"),
        rescale=transform,
        windows=read_windows(of("FrameVOILUTSequence")),
        voi_lut=read_voi_lut(of("FrameVOILUTSequence"), transform.can_be_negative(*pixels.span)),
        attributes={
            name: stated for name, stated in attributes.items() if stated not in _NOT_STATED
        },
        location=read_number(dataset, "SliceLocation"),
        aspect=_aspect(dataset),
        notes=() if transform.is_usable else (make_note("rescale_not_usable", _RAW_VALUES),),
    )


def _triple(dataset: Dataset) -> tuple[float, ...] | None:
    found = read_numbers(dataset, "ImagePositionPatient")
    return found if len(found) == 3 else None


def _orientation(dataset: Dataset) -> tuple[float, ...] | None:
    """Row and column cosines, if they are two perpendicular unit vectors."""
    found = read_numbers(dataset, "ImageOrientationPatient")
    if len(found) != 6:
        return None
    row, column = np.reshape(found, (2, 3))
    products = np.array([row @ row - 1, column @ column - 1, row @ column])
    return found if np.abs(products).max() < _UNIT_TOLERANCE else None


def _spacing(measures: Dataset, dataset: Dataset) -> tuple[tuple[float, float] | None, bool]:
    """Row and column spacing, and whether it holds in the patient (PS3.3 10.7.1)."""
    for source, keyword in (
        (measures, "PixelSpacing"),
        (dataset, "ImagerPixelSpacing"),
        (dataset, "NominalScannedPixelSpacing"),
    ):
        found = read_numbers(source, keyword)
        if len(found) == 2 and MIN_SPACING_MM < min(found) <= max(found) < MAX_SPACING_MM:
            return (found[0], found[1]), keyword == "PixelSpacing"
    return None, False


def _aspect(dataset: Dataset) -> float:
    """Height of a pixel over its width by Pixel Aspect Ratio (PS3.3 C.7.6.3.1.7)."""
    found = read_numbers(dataset, "PixelAspectRatio")
    return found[0] / found[1] if len(found) == 2 and min(found) > 0 else 1.0


def _image_type(dataset: Dataset, macros: dict[str, Dataset]) -> tuple[str, ...]:
    """Value 3 onwards of Frame Type or Image Type, and the complex component if stated."""
    for keyword in _FRAME_TYPES:
        item = macros.get(keyword)
        if item is not None and read_value(item, "FrameType") is not None:
            parts = read_text(item, "FrameType").split("\\")[2:]
            return tuple(filter(None, (*parts, read_text(item, "ComplexImageComponent"))))
    return tuple(filter(None, read_text(dataset, "ImageType").split("\\")[2:]))


def _units(dataset: Dataset, image_type: tuple[str, ...]) -> str:
    """Units where no Rescale Type is stated (PS3.3 C.8.2.1.1.2 for CT)."""
    if read_text(dataset, "Modality") == "CT" and "LOCALIZER" not in image_type:
        return "HU" if read_value(dataset, "RescaleIntercept") is not None else ""
    return read_text(dataset, "Units") or read_text(dataset, "DoseUnits")


def _attributes(dataset: Dataset, of: Callable[[str], Dataset]) -> dict[str, Hashable]:
    echo, content = of("MREchoSequence"), of("FrameContentSequence")
    diffusion, cardiac = of("MRDiffusionSequence"), of("CardiacSynchronizationSequence")
    modifier, temporal = of("MRModifierSequence"), of("TemporalPositionSequence")
    views = read_text(dataset, "ViewPosition"), _laterality(dataset, of("FrameAnatomySequence"))
    found: dict[str, Hashable] = {
        "frame_of_reference": read_text(dataset, "FrameOfReferenceUID"),
        "stack": read_text(content, "StackID"),
        "view": " ".join(filter(None, views)),
        "echo_time": _first(read_number(echo, "EffectiveEchoTime"), read_number(echo, "EchoTime")),
        "echo_number": read_integer(dataset, "EchoNumbers"),
        "b_value": _b_value(dataset, diffusion),
        "gradient": _gradient(diffusion),
        "inversion_time": _first(
            read_number(modifier, "InversionTimes"), read_number(modifier, "InversionTime")
        ),
        "temporal_position": _first(
            read_integer(temporal, "TemporalPositionIdentifier"),
            read_integer(content, "TemporalPositionIndex"),
        ),
        "contrast_phase": read_text(dataset, "ContrastBolusAgentPhase"),
        "trigger": _first(
            read_number(cardiac, "NominalCardiacTriggerDelayTime"),
            read_number(dataset, "TriggerTime"),
        ),
        "time_offset": _first(
            read_number(temporal, "TemporalPositionTimeOffset"),
            read_number(dataset, "FrameReferenceTime"),
        ),
        "acquisition": _first(
            read_integer(content, "FrameAcquisitionNumber"),
            read_integer(dataset, "AcquisitionNumber"),
        ),
        "sequence": read_text(dataset, "SequenceName"),
        "acquisition_time": read_text(content, "FrameAcquisitionDateTime")
        or read_text(dataset, "AcquisitionDateTime")
        or read_text(dataset, "AcquisitionTime"),
        "content_time": read_text(dataset, "ContentTime"),
    }
    dimensions = read_numbers(content, "DimensionIndexValues")
    return found | {f"dimension_{at}": int(index) for at, index in enumerate(dimensions, 1)}


def _first(*values: float | None) -> float | None:
    return next((found for found in values if found is not None), None)


def _laterality(dataset: Dataset, anatomy: Dataset) -> str:
    return (
        read_text(anatomy, "FrameLaterality")
        or read_text(dataset, "ImageLaterality")
        or read_text(dataset, "Laterality")
    )


def _gradient(diffusion: Dataset) -> tuple[float, ...]:
    direction = read_first_item(diffusion, "DiffusionGradientDirectionSequence")
    found = read_numbers(
        diffusion if direction is None else direction, "DiffusionGradientOrientation"
    )
    return tuple(round(part, 4) for part in found)


def _b_value(dataset: Dataset, diffusion: Dataset) -> float | None:
    """The standard's b-value, else the vendors' (s/mm²); GE adds multiples of 1e9."""
    stated = read_number(diffusion, "DiffusionBValue")
    if stated is not None:
        return stated
    for creator, tag in _PRIVATE_B_VALUES:
        found = read_private(dataset, creator, tag)
        try:
            first = found if isinstance(found, int | float | str) else found[0]
            return float(first) % 1e9
        except PARSER_ERRORS:
            continue
    return None


_PRIVATE_B_VALUES = (
    ("SIEMENS MR HEADER", 0x0019000C),
    ("GEMS_PARM_01", 0x00430039),
    ("Philips Imaging DD 001", 0x20010003),
)


def _on_grid(frames: list[Frame], dataset: Dataset) -> list[Frame]:
    """Give the frames of a dose grid their own positions (PS3.3 C.8.8.3.2)."""
    offsets = read_numbers(dataset, "GridFrameOffsetVector")
    first = frames[0]
    if len(offsets) != len(frames) or first.position is None or first.orientation is None:
        return frames
    normal = np.cross(first.orientation[:3], first.orientation[3:])
    positions = np.add(first.position, np.outer(np.subtract(offsets, offsets[0]), normal))
    return [
        replace(frame, position=tuple(map(float, position)))
        for frame, position in zip(frames, positions, strict=True)
    ]
