"""Results that the tests of the reports make for themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tests.study.dicom_files import (
    NORMAL,
    ORIGIN,
    STEP,
    item,
    multi_frame,
    save,
    series,
)
from tumorviewer.reports.content import (
    AnswerContent,
    ClassProbability,
    ModelContent,
    ReportContent,
    VerdictContent,
)
from tumorviewer.reports.dicom.headers import read_source
from tumorviewer.study import open_paths

TIME = datetime(2026, 11, 30, 12, 30, 15, tzinfo=UTC)
LABELS = {
    "glioma": "Glioma",
    "meningioma": "Meningioma",
    "notumor": "No tumour",
    "pituitary": "Pituitary tumour",
}
MODEL = ModelContent("tests", "1.2", "ab" * 32, ("Knows nothing.",))
CLEAN = {
    "SpecificCharacterSet": "ISO_IR 192",
    "PatientName": "Öztürk^Ayşe",
    "PatientBirthDate": "19630503",
    "PatientSex": "F",
    "StudyTime": "101500",
    "StudyID": "1",
    "AccessionNumber": "A1",
    "ReferringPhysicianName": "Dr^Who",
    "ImageType": ["ORIGINAL", "PRIMARY", "M"],
    "ScanningSequence": "SE",
    "SequenceVariant": "NONE",
    "ScanOptions": "",
    "MRAcquisitionType": "2D",
    "EchoTime": 10,
    "EchoTrainLength": 1,
    "RepetitionTime": 500,
    "Manufacturer": "Nobody",
    "PositionReferenceIndicator": "",
    "Laterality": "",
    "PatientPosition": "HFS",
    "StudyInstanceUID": "1.2.826.0.1.3680043.8.498.1",
    "SeriesInstanceUID": "1.2.826.0.1.3680043.8.498.2",
    "FrameOfReferenceUID": "1.2.826.0.1.3680043.8.498.3",
}
AXIAL = [1.0, 0, 0, 0, 1, 0]


def answer(named: str | None = "glioma", **changes: Any) -> AnswerContent:
    shares = {"glioma": 0.91, "meningioma": 0.05, "pituitary": 0.03, "notumor": 0.01}
    if named == "notumor":
        shares["glioma"], shares["notumor"] = 0.01, 0.91
    ranked = sorted(shares.items(), key=lambda pair: -pair[1])
    values: dict[str, Any] = {
        "classes": tuple(ClassProbability(name, LABELS[name], share) for name, share in ranked),
        "named": named,
        "no_tumour": "notumor",
        "sentences": "A glioma is most probable.",
        "model": MODEL,
        "time": TIME,
        "sets": ((0.9, ("glioma",)), (0.99, ("glioma", "meningioma"))),
        "notes": ("One slice could not be read.",),
        "key_slices": (2, 1),
        "judged": 5,
    }
    return AnswerContent(**values | changes)


def verdict(signed: bool = True, name: str = "glioma") -> VerdictContent:
    return VerdictContent(name, LABELS[name], "Reader", TIME, signed, "Ring enhancement.", 0.8)


def clean_series(folder: Path, order: str, count: int = 7) -> Path:
    """A valid MR series: head to foot, foot to head, or oblique, by instance number."""

    def change(index: int) -> dict[str, Any]:
        values = dict(CLEAN)
        if order != "oblique":
            step = STEP if order == "upwards" else -STEP
            values["ImageOrientationPatient"] = AXIAL
            values["ImagePositionPatient"] = [-10.0, -20.0, 5 + index * step]
        return values | {"SOPInstanceUID": f"1.2.826.0.1.3680043.8.498.9.{index + 1}"}

    return series(folder, count, change)


def multi_frame_file(path: Path, count: int = 6) -> Path:
    positions = [ORIGIN + at * STEP * NORMAL for at in range(count)]
    groups = [
        {"FrameContentSequence": item(DimensionIndexValues=[1, at + 1])} for at in range(count)
    ]
    dataset = multi_frame(positions, groups)
    for keyword, value in CLEAN.items():
        setattr(dataset, keyword, value)
    dataset.SOPInstanceUID = "1.2.826.0.1.3680043.8.498.7"
    return save(dataset, path)


def content(folder: Path, **changes: Any) -> ReportContent:
    """A result on the one volume in a folder, with an outline that has a gap, and maps."""
    opened = open_paths([folder])
    assert not opened.refused
    (study,) = opened.studies
    reader = study.series[0].volumes[0]
    volume = reader.load()
    outline = np.zeros(volume.array.shape, bool)
    outline[1, 5:9, 6:12] = True
    outline[4, 8:14, 10:16] = True
    ramp = np.linspace(0, 1, 20 * 24, dtype=np.float32).reshape(20, 24)
    values: dict[str, Any] = {
        "volume": volume,
        "answer": answer(),
        "source": read_source(reader),
        "outline": outline,
        "outline_model": MODEL,
        "maps": {1: ramp, 2: ramp / 2},
        "map_method": "HiResCAM",
        "patient_name": study.patient_name,
        "patient_id": study.patient_id,
        "study_date": study.date,
        "study_description": study.description,
        "series_title": study.series[0].title,
        "labels": LABELS,
    }
    return ReportContent(**values | changes)
