"""Objects that the tests of the archives send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydicom.uid import generate_uid

from tests.study.dicom_files import instance, save

NAMES = {
    "ISO_IR 192": "Öztürk^Ayşe",
    "ISO_IR 148": "Yıldız^Şükrü",
    "ISO_IR 100": "Müller^Jörg",
    "\\ISO 2022 IR 87": "Yamada^Tarou=山田^太郎=やまだ^たろう",
}


def study(folder: Path, count: int = 3, **changes: Any) -> list[Path]:
    """A study of its own with so many slices."""
    uids = {
        "StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid(),
        "FrameOfReferenceUID": generate_uid(), "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": "Öztürk^Ayşe", "PatientID": f"P{generate_uid()[-8:]}",
        "AccessionNumber": "A1", "StudyID": "1", "StudyTime": "101500",
        "PatientBirthDate": "19630503", "PatientSex": "F", "ReferringPhysicianName": "",
    }  # fmt: skip
    return [
        save(
            instance(index, **uids | {"SOPInstanceUID": generate_uid()} | changes),
            folder / f"{index}.dcm",
        )
        for index in range(count)
    ]
