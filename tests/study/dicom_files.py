"""DICOM files that tests write for themselves: an oblique MR series and its variations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    UID,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

ROW = np.array([0.96, 0.28, 0.0])
COLUMN = np.array([-0.28 * 0.8, 0.96 * 0.8, -0.6])
NORMAL = np.cross(ROW, COLUMN)
ORIGIN = np.array([-101.5, -87.25, 33.125])
SPACING = (0.9, 0.7)
STEP = 2.5


def pixels(index: int, shape: tuple[int, int] = (20, 24)) -> np.ndarray:
    """Values that differ between all slices and positions."""
    rows, columns = np.indices(shape)
    return (index * 100 + rows * 3 + columns).astype(np.int16)


def instance(index: int = 0, **changes: Any) -> Dataset:
    """Slice `index` of an oblique MR series; `changes` by keyword, None deletes."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = MRImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.PatientName, dataset.PatientID = "Doe^Jane", "J1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    dataset.FrameOfReferenceUID = "1.2.3.5"
    dataset.StudyDate, dataset.StudyDescription = "20240229", "Brain"
    dataset.SeriesDescription, dataset.SeriesNumber, dataset.Modality = "T1", 4, "MR"
    dataset.InstanceNumber = index + 1
    dataset.ImageOrientationPatient = [*ROW, *COLUMN]
    dataset.ImagePositionPatient = list(ORIGIN + index * STEP * NORMAL)
    dataset.PixelSpacing, dataset.SliceThickness = list(SPACING), STEP
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation, dataset.SamplesPerPixel = 1, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    set_pixels(dataset, changes.pop("pixels", pixels(index)))
    for keyword, value in changes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def set_pixels(dataset: Dataset, array: np.ndarray) -> None:
    dataset.Rows, dataset.Columns = array.shape[:2]
    dataset.PixelData = array.tobytes() + b"\0" * (array.nbytes % 2)


def save(dataset: Dataset, path: Path, syntax: UID | None = None) -> Path:
    """Write a file with its meta information."""
    if syntax is not None:
        dataset.file_meta.TransferSyntaxUID = syntax
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def series(
    folder: Path, count: int = 5, change: Callable[[int], dict[str, Any]] = lambda _index: {}
) -> Path:
    """A folder of slices whose names are in no useful order."""
    for index in range(count):
        save(instance(index, **change(index)), folder / f"{(index * 7) % 100:02d}.dcm")
    return folder


def item(**values: Any) -> Items:
    """A sequence of one item."""
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return Items([dataset])


def multi_frame(positions: Sequence[np.ndarray], groups: Sequence[dict[str, Items]]) -> Dataset:
    """An enhanced MR object with a position and further functional groups for each frame."""
    dataset = instance(ImagePositionPatient=None, ImageOrientationPatient=None, PixelSpacing=None)
    dataset.SOPClassUID = EnhancedMRImageStorage
    dataset.NumberOfFrames = len(positions)
    dataset.PixelData = np.stack([pixels(at) for at in range(len(positions))]).tobytes()
    dataset.SharedFunctionalGroupsSequence = item(
        PlaneOrientationSequence=item(ImageOrientationPatient=[*ROW, *COLUMN]),
        PixelMeasuresSequence=item(PixelSpacing=list(SPACING), SliceThickness=STEP),
    )
    frames = []
    for position, extra in zip(positions, groups, strict=True):
        place = item(ImagePositionPatient=list(map(float, position)))
        frames += item(PlanePositionSequence=place, **extra)
    dataset.PerFrameFunctionalGroupsSequence = Items(frames)
    return dataset
