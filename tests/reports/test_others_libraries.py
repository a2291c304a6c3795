"""How other libraries really behave: the rows of docs/interoperability.md. A test that fails here
says that a library has changed, and that its row and what we do about it may go."""

from __future__ import annotations

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import SecondaryCaptureImageStorage

from tests.reports.made import clean_series, content
from tests.reports.test_dicom_objects import expected_spots, spots, written
from tests.reports.test_headers import NAMES
from tests.study.dicom_files import save
from tumorviewer.reports.dicom import codes
from tumorviewer.reports.dicom.frame_matching import match_frames
from tumorviewer.reports.pdf import write_pdf

COMMON = {
    "series_instance_uid": "2.25.1", "series_number": 1, "sop_instance_uid": "2.25.2",
    "instance_number": 1, "manufacturer": "M", "manufacturer_model_name": "N",
    "software_versions": "1", "device_serial_number": "1",
}  # fmt: skip


def segment() -> hd.seg.SegmentDescription:
    return hd.seg.SegmentDescription(
        1, "s", codes.ABNORMAL_STRUCTURE, codes.NEOPLASM, hd.seg.SegmentAlgorithmTypeValues.MANUAL
    )


def sitk_spots(path) -> set[tuple[float, ...]]:
    image = sitk.ReadImage(path)
    direction = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = direction[:, ::-1], image.GetOrigin()
    return spots(sitk.GetArrayFromImage(image), affine)


def test_simpleitk_places_a_lesion_with_a_gap_wrong_where_empty_frames_are_left_out(
    tmp_path,
) -> None:
    result = content(clean_series(tmp_path / "in", "upwards"))
    result.outline[2] = result.outline[1]
    dataset = hd.seg.Segmentation(
        list(result.source.headers), result.outline, "BINARY", [segment()], **COMMON
    )
    assert dataset.NumberOfFrames == 3
    assert sitk_spots(written(dataset, tmp_path / "seg.dcm")) != expected_spots(result)


def test_highdicom_orders_frames_by_position_and_not_as_they_were_given(tmp_path) -> None:
    orders = {}
    for order in ("upwards", "downwards"):
        result = content(clean_series(tmp_path / order, order))
        dataset = hd.seg.Segmentation(
            list(result.source.headers), result.outline, "BINARY", [segment()],
            omit_empty_frames=False, **COMMON,
        )  # fmt: skip
        orders[order] = list(match_frames(dataset, result.source).values())
    given = list(range(7))
    assert sorted(map(tuple, orders.values())) != [tuple(given)] * 2


def test_highdicoms_secondary_capture_lacks_annotation_and_source(tmp_path) -> None:
    result = content(clean_series(tmp_path / "in", "upwards"))
    dataset = hd.sc.SCImage.from_ref_dataset(
        ref_dataset=result.source.first, pixel_array=np.zeros((8, 8, 3), np.uint8),
        photometric_interpretation="RGB", bits_allocated=8, coordinate_system="PATIENT",
        series_instance_uid="2.25.1", series_number=1, sop_instance_uid="2.25.2",
        instance_number=1, manufacturer="M", patient_orientation=("L", "P"),
    )  # fmt: skip
    assert dataset.SOPClassUID == SecondaryCaptureImageStorage
    assert "BurnedInAnnotation" not in dataset
    assert "SourceImageSequence" not in dataset


@pytest.mark.parametrize("charset", ["\\ISO 2022 IR 87", "\\ISO 2022 IR 149"])
def test_highdicom_fails_with_japanese_and_korean_headers(tmp_path, charset) -> None:
    (path, *_) = sorted(clean_series(tmp_path, "upwards", 1).iterdir())
    dataset = pydicom.dcmread(path)
    dataset.SpecificCharacterSet = charset.split("\\")
    dataset.PatientName = NAMES[charset]
    header = pydicom.dcmread(save(dataset, path), stop_before_pixels=True)
    with pytest.raises((TypeError, ValueError, AttributeError)):
        hd.seg.Segmentation([header], np.ones((1, 20, 24), bool), "BINARY", [segment()], **COMMON)


def test_dcmtk_does_not_check_text_in_utf8(tmp_path, program) -> None:
    result = content(clean_series(tmp_path / "in", "upwards"))
    from tumorviewer.reports.dicom.structured_report import build_structured_report

    told = program("dsrdump", written(build_structured_report(result), tmp_path / "sr.dcm"))
    assert "does not support this Specific Character Set: ISO_IR 192" in told


def test_qt_writes_no_tags(qapp, tmp_path, program) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(write_pdf(content(clean_series(tmp_path / "in", "upwards"))))
    told = program("pdfinfo", path)
    assert "Tagged:          no" in told
