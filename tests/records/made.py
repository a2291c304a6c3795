"""Studies and answers that the tests of the records make for themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from tumorviewer.analysis.finding import Finding, ModelIdentity
from tumorviewer.study import Study, open_paths

CLASSES = ("glioma", "meningioma", "notumor", "pituitary")


def opened(*paths: Path) -> Study:
    """The only study in some paths."""
    answer = open_paths(paths)
    assert not answer.refused
    (study,) = answer.studies
    return study


def slice_file(path: Path, index: int, **changes: Any) -> None:
    """An axial MR slice with a bright disc in it."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, generate_uid()
    dataset.PatientName, dataset.PatientID = "Doe^Jane", "J1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    dataset.StudyDate, dataset.StudyDescription = "20240229", "Brain"
    dataset.SeriesDescription, dataset.SeriesNumber, dataset.Modality = "T1", 4, "MR"
    dataset.InstanceNumber = index + 1
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.ImagePositionPatient = [-30, -30, 5.0 * index]
    dataset.PixelSpacing, dataset.SliceThickness = [1, 1], 5
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation, dataset.SamplesPerPixel = 0, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    y, x = np.indices((60, 60)) - 30
    pixels = (np.hypot(y, x) < 25) * (500 + 20 * index + 5 * x)
    dataset.Rows = dataset.Columns = 60
    dataset.PixelData = pixels.astype(np.uint16).tobytes()
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)


def finding(shares: tuple[float, ...] = (0.7, 0.1, 0.1, 0.1), **changes: Any) -> Finding:
    """An answer of a model without maps."""
    content: dict[str, Any] = {
        "source": "/somewhere/x.png",
        "series_instance_uid": None,
        "volume": "",
        "model": ModelIdentity("model", "1", "ab" * 32),
        "classes": CLASSES,
        "labels": {name: name.title() for name in CLASSES},
        "no_tumour": "notumor",
        "probabilities": np.array(shares),
        "slices": (0,),
        "slice_probabilities": np.array([shares]),
        "pooling": "A single slice.",
        "key_slices": (0,),
        "saliency": None,
        "flags": ("A flag.",),
        "device": "cpu",
    }
    return Finding(**content | changes)
