"""Headers that others' systems write are repaired on a copy; what cannot be is said."""

from __future__ import annotations

import warnings

import numpy as np
import pydicom
import pytest

from tests.reports.made import clean_series, content, multi_frame_file
from tests.reports.test_dicom_objects import KINDS, written
from tests.study.dicom_files import STEP, instance, item, save
from tumorviewer.errors import InputError
from tumorviewer.reports.dicom.headers import repair_header
from tumorviewer.reports.dicom.segmentation import build_segmentation
from tumorviewer.reports.dicom.structured_report import build_structured_report
from tumorviewer.study import open_paths

NAMES = {
    "ISO_IR 100": "Müller^Jörg",
    "ISO_IR 148": "Öztürk^Ayşe",
    "ISO_IR 192": "Þórsdóttir^Æsa",
    "\\ISO 2022 IR 87": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "\\ISO 2022 IR 149": "Hong^Gildong=洪^吉洞=홍^길동",
}


def repaired(dataset: pydicom.Dataset, tmp_path) -> tuple[pydicom.Dataset, list[str]]:
    told: list[str] = []
    header = pydicom.dcmread(save(dataset, tmp_path / "a.dcm"), stop_before_pixels=True)
    return repair_header(header, told.append), told


@pytest.mark.parametrize("charset", NAMES)
def test_names_in_every_character_set_reach_the_objects(tmp_path, charset) -> None:
    folder = tmp_path / "in"
    clean_series(folder, "upwards", 5)
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.SpecificCharacterSet = charset.split("\\")
        dataset.PatientName = NAMES[charset]
        save(dataset, path)
    result = content(folder)
    for name, build in KINDS.items():
        path = written(build(result), tmp_path / f"{name}.dcm")
        read = pydicom.dcmread(path)
        assert str(read.PatientName) == NAMES[charset]
        assert read.SpecificCharacterSet == "ISO_IR 192"


def test_the_original_is_not_changed_and_repairs_are_told(tmp_path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pydicom's, unless it was told not to look
        dataset = instance(
            StudyDate="29.02.2024", StudyTime="99", PatientSex="W", WindowCenter=0, WindowWidth=0,
        )  # fmt: skip
    del dataset.PatientName
    header, told = repaired(dataset, tmp_path)
    assert not header.StudyDate
    assert not header.StudyTime
    assert header.PatientSex == ""
    assert "WindowWidth" not in header
    assert not header.PatientName
    assert len(told) == 4
    assert dataset.PatientSex == "W"


def test_private_elements_and_numpy_numbers_do_not_pass(tmp_path) -> None:
    dataset = instance()
    dataset.add_new(0x00091001, "LO", "private")
    dataset.ImageOrientationPatient = list(np.array([1.0, 0, 0, 0, 1 / 3, 0]))
    header, _ = repaired(dataset, tmp_path)
    assert 0x00091001 not in header
    assert all(len(str(one)) <= 16 for one in header.ImageOrientationPatient)


def test_a_missing_thickness_is_the_distance_between_slices(tmp_path) -> None:
    for path in clean_series(tmp_path / "in", "downwards", 5).iterdir():
        dataset = pydicom.dcmread(path)
        del dataset.SliceThickness
        save(dataset, path)
    result = content(tmp_path / "in")
    assert {float(header.SliceThickness) for header in result.source.headers} == {STEP}


def test_pixel_measures_of_each_frame_are_shared(tmp_path) -> None:
    path = multi_frame_file(tmp_path / "in" / "a.dcm")
    dataset = pydicom.dcmread(path)
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    del dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    for group in dataset.PerFrameFunctionalGroupsSequence:
        group.PixelMeasuresSequence = item(
            PixelSpacing=measures.PixelSpacing, SliceThickness=measures.SliceThickness
        )
    save(dataset, path)
    result = content(tmp_path / "in")
    read = pydicom.dcmread(written(build_segmentation(result), tmp_path / "seg.dcm"))
    assert read.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize(
    "study", ["d11_papaya_axial_PD_20", "d12_dwv_bbmri_6_sagittal", "d13_XA30_enhanced_T1_b",
              "d17_d2n_compressed_j2k", "d20_brain_MIP_J2K_empty_tag"],
)  # fmt: skip
def test_real_studies_are_written_without_an_error_or_refused_in_words(
    shared_data, tmp_path, program, study
) -> None:
    checked = refused = 0
    for number, (reader, result) in enumerate(real_results(shared_data / "studies" / study)):
        sources = {file.path for file in reader.files}
        known = errors_of(program, *sources)
        for kind, build in KINDS.items():
            try:
                dataset = build(result)
            except InputError:
                refused += 1
                continue
            path = written(dataset, tmp_path / f"{number}-{kind}.dcm")
            checked += 1
            assert not errors_of(program, path) - known, (kind, reader.source)
        assert build_structured_report(result)
    assert checked > refused


def real_results(folder):
    for study in open_paths([folder]).studies:
        for series in study.series:
            for reader in series.volumes:
                yield reader, made_result(reader)


def made_result(reader):
    from tests.reports.made import LABELS, MODEL, answer
    from tumorviewer.reports.content import ReportContent
    from tumorviewer.reports.dicom.headers import read_source

    volume = reader.load()
    count, rows, columns = volume.array.shape[:3]
    outline = np.zeros((count, rows, columns), bool)
    outline[0, rows // 3 : rows // 2, columns // 3 : columns // 2] = True
    outline[-1, rows // 2 : rows // 2 + 9, columns // 2 : columns // 2 + 9] = True
    return ReportContent(
        volume=volume,
        answer=answer(key_slices=(count // 2,)),
        source=read_source(reader),
        outline=outline,
        outline_model=MODEL,
        maps={0: np.full((rows, columns), 0.5, np.float32)},
        map_method="HiResCAM",
        labels=LABELS,
    )


def errors_of(program, *paths) -> set[str]:
    """What is wrong, without where and with which value; what the source has is inherited."""
    lines = [line for path in paths for line in program("dciodvfy", "-new", path).splitlines()]
    found = (line.split(" - ")[1].split("/")[-1] for line in lines if line.startswith("Error"))
    return {name.removeprefix("Referenced").split("(")[0] for name in found}
