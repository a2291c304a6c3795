"""Objects that other programs accept, place where we do, and read as we mean."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import highdicom as hd
import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset

from tests.reports.made import LABELS, answer, clean_series, content, multi_frame_file, verdict
from tumorviewer.errors import InputError
from tumorviewer.reports.content import ReportContent
from tumorviewer.reports.dicom.common import encode_file
from tumorviewer.reports.dicom.frame_matching import match_frames
from tumorviewer.reports.dicom.key_objects import build_key_objects
from tumorviewer.reports.dicom.objects import NAMES, build_objects
from tumorviewer.reports.dicom.saliency_map import build_saliency_map
from tumorviewer.reports.dicom.secondary_capture import build_secondary_captures
from tumorviewer.reports.dicom.segmentation import build_segmentation
from tumorviewer.reports.dicom.structured_report import build_structured_report
from tumorviewer.reports.dicom.versions import build_next_report


def first_object(kind: str, result: ReportContent, pdf: bytes = b"%PDF-1.4 made") -> Dataset:
    return build_objects(kind, result, pdf)[0]


KINDS = {kind: partial(first_object, kind) for kind in NAMES}
ORDERS = ("upwards", "downwards", "oblique")


def source_folder(folder: Path, order: str) -> Path:
    if order == "multi-frame":
        multi_frame_file(folder / "a.dcm")
        return folder
    return clean_series(folder, order)


def written(dataset: pydicom.Dataset, path: Path) -> Path:
    path.write_bytes(encode_file(dataset))
    return path


def spots(volume: np.ndarray, affine: np.ndarray) -> set[tuple[float, ...]]:
    """Where non-zero voxels lie, in LPS+ mm to a tenth."""
    indices = np.argwhere(volume)
    homogeneous = np.column_stack([indices, np.ones(len(indices))])
    return set(map(tuple, np.round(homogeneous @ affine.T, 1)[:, :3] + 0.0))


def expected_spots(result) -> set[tuple[float, ...]]:
    return spots(result.outline, result.volume.affine)


@pytest.mark.parametrize("order", [*ORDERS, "multi-frame"])
def test_the_validator_of_dicom3tools_finds_no_error(tmp_path, program, order) -> None:
    result = content(source_folder(tmp_path / "in", order))
    signed = replace(result, verdict=verdict())
    objects = {name: build(result) for name, build in KINDS.items()}
    objects["signed"] = build_structured_report(signed)
    paths = [written(each, tmp_path / f"{name}.dcm") for name, each in objects.items()]
    for path in paths:
        told = program("dciodvfy", "-new", path)
        assert not [line for line in told.splitlines() if line.startswith("Error")], path.name
    sources = sorted((tmp_path / "in").iterdir())
    assert "Error" not in program("dcentvfy", *sources, *paths)


def test_dcmtk_reads_the_report_and_the_objects(tmp_path, program) -> None:
    result = content(source_folder(tmp_path / "in", "upwards"))
    path = written(build_structured_report(replace(result, verdict=verdict())), tmp_path / "sr.dcm")
    told = program("dsrdump", path)
    assert "\nE: " not in told
    for line in (
        "Patient             : Öztürk^Ayşe (F, 1963-05-03, #J1)",
        "Verification Flag   : VERIFIED",
        "Verifying Observers : 2026-11-30 12:30:15, Reader^, unknown",
        '<contains CODE:(,,"Presence")=(52101004,SCT,"Present")>',
        '<contains NUM:(,,"Probability")="91.0" (%,UCUM,"Percent")>',
        '<has concept mod CODE:(,,"Finding Site")=(12738006,SCT,"Brain")>',
        '<has obs context TEXT:(,,"Tracking Identifier")="verdict of Reader">',
    ):
        assert line in told
    for name, build in KINDS.items():
        dumped = program("dcmdump", "-q", written(build(result), tmp_path / f"{name}.dcm"))
        assert not dumped.startswith(("E:", "W:")), name


@pytest.mark.parametrize("order", ORDERS)
def test_simpleitk_and_highdicom_place_a_lesion_with_a_gap_where_it_is(tmp_path, order) -> None:
    result = content(source_folder(tmp_path / "in", order))
    before = result.outline.copy()
    path = written(build_segmentation(result), tmp_path / "seg.dcm")
    assert np.array_equal(result.outline, before)
    image = sitk.ReadImage(path)
    direction = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = direction[:, ::-1], image.GetOrigin()
    assert spots(sitk.GetArrayFromImage(image), affine) == expected_spots(result)
    volume = hd.seg.segread(path).get_volume(combine_segments=True)
    assert spots(volume.array, volume.affine) == expected_spots(result)


@pytest.mark.parametrize("order", ORDERS)
def test_dcm2niix_places_it_there_too(tmp_path, program, order) -> None:
    result = content(source_folder(tmp_path / "in", order))
    written(build_segmentation(result), tmp_path / "seg.dcm")
    program("dcm2niix", "-o", tmp_path, "-f", "seg", tmp_path / "seg.dcm")
    image = nibabel.load(next(tmp_path.glob("seg*.nii")))
    to_lps = np.diag([-1.0, -1, 1, 1]) @ image.affine
    assert spots(np.asarray(image.dataobj), to_lps) == expected_spots(result)


@pytest.mark.parametrize("order", [*ORDERS, "multi-frame"])
def test_frames_are_matched_by_reference(tmp_path, order) -> None:
    result = content(source_folder(tmp_path / "in", order))
    mask = build_segmentation(result)
    matched = match_frames(mask, result.source)
    assert sorted(matched.values()) == list(range(len(result.outline)))
    frames = mask.pixel_array
    for frame, index in matched.items():
        assert np.array_equal(frames[frame].astype(bool), result.outline[index])
    saliency = build_saliency_map(result)
    frames = saliency.pixel_array
    for frame, index in match_frames(saliency, result.source).items():
        expected = result.maps.get(index, np.zeros_like(frames[0]))
        assert np.array_equal(frames[frame], expected), index


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_result_is_the_same_object_and_another_one_is_not(tmp_path, kind) -> None:
    folder = source_folder(tmp_path / "in", "upwards")
    result = content(folder)
    first, again = KINDS[kind](result), KINDS[kind](content(folder))
    assert encode_file(first) == encode_file(again)
    other = replace(
        result,
        answer=answer(key_slices=(3,), model=replace(result.answer.model, version="1.3")),
        outline=np.roll(result.outline, 1, axis=2),
        maps={3: result.maps[2]},
    )
    if kind == "pdf":
        changed = first_object("pdf", other, b"%PDF-1.4 another")
    else:
        changed = KINDS[kind](other)
    assert changed.SOPInstanceUID != first.SOPInstanceUID
    assert changed.SeriesInstanceUID == first.SeriesInstanceUID


@pytest.mark.parametrize("kind", KINDS)
def test_patient_and_study_are_the_sources_and_the_use_is_said(tmp_path, kind) -> None:
    result = content(source_folder(tmp_path / "in", "upwards"))
    dataset, source = KINDS[kind](result), result.source.first
    for keyword in (
        "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID",
        "StudyDate", "StudyTime", "StudyDescription", "AccessionNumber", "StudyID",
    ):  # fmt: skip
        assert dataset[keyword].value == source[keyword].value, keyword
    assert "research use only" in dataset.SeriesDescription
    assert dataset.SpecificCharacterSet == "ISO_IR 192"
    assert not dataset.file_meta.TransferSyntaxUID.is_implicit_VR
    assert dataset.SeriesInstanceUID != source.SeriesInstanceUID


def evaluations(report: pydicom.Dataset, group: str) -> dict[str, str]:
    """Names and values of the codes in the group with a tracking identifier."""
    found: dict[str, str] = {}

    def walk(item: pydicom.Dataset) -> None:
        children = item.get("ContentSequence", ())
        named = [each for each in children if each.get("TextValue") == group]
        for each in children if named else ():
            if each.ValueType == "CODE":
                name = each.ConceptNameCodeSequence[0].CodeMeaning
                found[name] = each.ConceptCodeSequence[0].CodeMeaning
        for each in children:
            walk(each)

    walk(report)
    return found


def test_no_tumour_is_absent_an_abstention_names_no_class_and_a_class_is_named(tmp_path) -> None:
    result = content(source_folder(tmp_path / "in", "upwards"))
    found = evaluations(build_structured_report(result), "answer")
    assert found["Presence"] == "Present"
    assert "Glioma" in found.values()
    absent = replace(result, answer=answer("notumor"))
    found = evaluations(build_structured_report(absent), "answer")
    assert found["Presence"] == "Absent"
    assert "Neoplasm of brain" in found.values()
    abstains = evaluations(build_structured_report(replace(result, answer=answer(None))), "answer")
    assert abstains["Presence"] == "Indeterminate"
    assert not set(LABELS.values()) & set(abstains.values())


def test_a_report_is_verified_only_by_a_signature(tmp_path) -> None:
    result = content(source_folder(tmp_path / "in", "upwards"))
    assert build_structured_report(result).VerificationFlag == "UNVERIFIED"
    unsigned = build_structured_report(replace(result, verdict=verdict(signed=False)))
    assert unsigned.VerificationFlag == "UNVERIFIED"
    signed = build_structured_report(replace(result, verdict=verdict()))
    assert signed.VerificationFlag == "VERIFIED"
    assert signed.VerifyingObserverSequence[0].VerifyingObserverName == "Reader^"
    later = build_structured_report(replace(result, verdict=verdict()), [unsigned])
    study = later.PredecessorDocumentsSequence[0]
    series = study.ReferencedSeriesSequence[0]
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == unsigned.SOPInstanceUID


def test_a_changed_report_names_the_one_before_and_the_same_one_stays(tmp_path) -> None:
    result = content(source_folder(tmp_path / "in", "upwards"))
    path = tmp_path / "sr.dcm"
    drafts = (
        result,
        result,
        replace(result, verdict=verdict()),
        replace(result, verdict=verdict()),
    )
    objects = []
    for each in drafts:
        objects.append(build_next_report(each, path))
        written(objects[-1], path)
    first, again, signed, signed_again = (each.SOPInstanceUID for each in objects)
    assert first == again
    assert signed == signed_again != first
    assert "PredecessorDocumentsSequence" not in objects[1]
    (study,) = objects[3].PredecessorDocumentsSequence
    before = study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert before.ReferencedSOPInstanceUID == first


def test_what_has_no_place_in_the_patient_is_refused_in_words(tmp_path) -> None:
    result = content(source_folder(tmp_path / "in", "upwards"))
    for header in result.source.headers:
        del header.FrameOfReferenceUID
    for build in (build_segmentation, build_saliency_map):
        with pytest.raises(InputError, match="where in the patient"):
            build(result)
    assert build_secondary_captures(result)
    for build, change in (
        (build_segmentation, {"outline": None}),
        (build_saliency_map, {"maps": {}}),
        (build_key_objects, {"answer": answer(key_slices=())}),
    ):
        with pytest.raises(InputError):
            build(replace(result, **change))
