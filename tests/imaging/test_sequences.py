"""Which sequence a series is, by tags that scanners write and names that people give."""

from __future__ import annotations

import pytest

from tumorviewer.imaging.sequences import (
    Sequence,
    find_case_name,
    find_modality,
    recognise_sequence,
)
from tumorviewer.study.types import Series


def series(title="", modality="MR", **tags) -> Series:
    return Series(title, (), "folder", "1.2", modality, tags=tags)


T1_SE = {"RepetitionTime": "550", "EchoTime": "12", "ScanningSequence": "SE"}
MPRAGE = {"RepetitionTime": "1900", "EchoTime": "2.5", "InversionTime": "900",
          "ScanningSequence": "GR\\IR", "FlipAngle": "9"}  # fmt: skip
SPGR = {"RepetitionTime": "8.2", "EchoTime": "3.2", "ScanningSequence": "GR", "FlipAngle": "12"}
T2_TSE = {"RepetitionTime": "5000", "EchoTime": "98", "ScanningSequence": "SE"}
FLAIR = {"RepetitionTime": "9000", "EchoTime": "120", "InversionTime": "2500",
         "ScanningSequence": "SE\\IR"}  # fmt: skip
PD = {"RepetitionTime": "2300", "EchoTime": "22", "ScanningSequence": "SE"}
DWI = {"RepetitionTime": "6000", "EchoTime": "85", "DiffusionBValue": "1000"}
ADC = {"RepetitionTime": "6000", "EchoTime": "85", "ImageType": "DERIVED\\PRIMARY\\ADC"}


@pytest.mark.parametrize(
    ("tags", "sequence"),
    [
        (T1_SE, Sequence.T1),
        (MPRAGE, Sequence.T1),
        (SPGR, Sequence.T1),
        (T1_SE | {"ContrastBolusAgent": "Gadovist"}, Sequence.T1_CONTRAST),
        (MPRAGE | {"ContrastBolusAgent": "10 ml"}, Sequence.T1_CONTRAST),
        (T1_SE | {"ContrastBolusAgent": "NONE"}, Sequence.T1),
        (T2_TSE, Sequence.T2),
        (T2_TSE | {"ContrastBolusAgent": "Gadovist"}, Sequence.T2),
        (FLAIR, Sequence.FLAIR),
        (PD, Sequence.OTHER),
        (SPGR | {"AngioFlag": "Y"}, Sequence.OTHER),
        (SPGR | {"ImageType": "DERIVED\\SECONDARY\\PROJECTION IMAGE"}, Sequence.OTHER),
        (SPGR | {"ProtocolName": "TOF_3D_multi-slab"}, Sequence.OTHER),
        (DWI, Sequence.DIFFUSION),
        (ADC, Sequence.DIFFUSION),
        ({"SequenceName": "*ep_b1000t", "RepetitionTime": "6000"}, Sequence.DIFFUSION),
    ],
)
def test_tags_tell(tags, sequence) -> None:
    found = recognise_sequence(series("Series 4", **tags))
    assert (found.sequence, found.doubt) == (sequence, "")


@pytest.mark.parametrize(
    ("name", "sequence"),
    [
        ("t1_mpr_sag_p2", Sequence.T1),
        ("T1w post Gd", Sequence.T1_CONTRAST),
        ("BraTS-MET-00110-000-t1c.nii.gz", Sequence.T1_CONTRAST),
        ("case_t1ce.nii.gz", Sequence.T1_CONTRAST),
        ("T1 +C 3D", Sequence.T1_CONTRAST),
        ("T1 ax without contrast", Sequence.T1),
        ("t1_native", Sequence.T1),
        ("MPRAGE nativ", Sequence.T1),
        ("t2_tse_tra", Sequence.T2),
        ("T2 FLAIR ax", Sequence.FLAIR),
        ("t2_tirm_tra_dark-fluid", Sequence.FLAIR),
        ("ep2d_diff_b1000", Sequence.DIFFUSION),
        ("ADC map", Sequence.DIFFUSION),
        ("localizer", Sequence.OTHER),
        ("T2* GRE", Sequence.OTHER),
        ("x_t1.nii.gz", Sequence.T1),
        ("BraTS-GLI-00000-000-t1n.nii.gz", Sequence.T1),
        ("BraTS-GLI-00000-000-t2w.nii.gz", Sequence.T2),
        ("BraTS-GLI-00000-000-t2f.nii.gz", Sequence.FLAIR),
        ("sub-01_ce-gd_T1w.nii.gz", Sequence.T1_CONTRAST),
        ("sub-01_FLAIR.nii.gz", Sequence.FLAIR),
        ("sub-01_T2starw.nii.gz", Sequence.OTHER),
        ("patient-T12.nii.gz", Sequence.OTHER),
        ("subject12_scan", Sequence.OTHER),
    ],
)
def test_names_tell_with_a_doubt(name, sequence) -> None:
    found = recognise_sequence(series(name))
    assert found.sequence is sequence
    assert bool(found.doubt) == (sequence is not Sequence.OTHER)
    assert ("?" in str(found)) == (sequence is not Sequence.OTHER)


def test_a_contradiction_is_said() -> None:
    found = recognise_sequence(series("T1 ax", **T2_TSE))
    assert (found.sequence, found.doubt) == (Sequence.T2, "name: T1")
    assert str(found) == "T2? (name: T1)"


def test_contrast_that_only_the_name_knows_is_in_doubt() -> None:
    found = recognise_sequence(series("T1 ax post contrast", **T1_SE))
    assert (found.sequence, found.doubt) == (Sequence.T1_CONTRAST, "contrast by name")


def test_only_mr_is_recognised() -> None:
    assert recognise_sequence(series("T1", modality="CT")).sequence is Sequence.OTHER
    assert recognise_sequence(series("t1.nii", modality="")).sequence is Sequence.T1


def test_a_file_named_after_a_sequence_is_mr() -> None:
    assert find_modality(series("x_t2.nii.gz", modality="")) == "MR"
    assert find_modality(series("x_t2_seg.nii.gz", modality="")) == "", "an outline drawn on it"
    assert find_modality(series("scan.nii.gz", modality="")) == ""
    assert find_modality(series("T2", modality="CT")) == "CT"


@pytest.mark.parametrize(
    ("names", "case"),
    [
        (("x_t1.nii.gz", "x_t1ce.nii.gz", "x_flair.nii.gz", "x_seg.nii.gz"), "x_"),
        (("BraTS-GLI-1-000-t1n.nii", "BraTS-GLI-1-000-t2f.nii"), "BraTS-GLI-1-000-"),
        (("sub-01_ce-gd_T1w.nii", "sub-01_acq-3d_FLAIR.nii", "sub-01_dwi.nii"), "sub-01"),
        (("sub-01_ses-2_T1w.nii",), "sub-01_ses-2"),
        (("T1w.nii", "FLAIR.nii", "lesion.nii"), ""),
    ],
)
def test_files_of_one_case_begin_alike(names, case) -> None:
    assert {find_case_name(name) for name in names} == {case}


@pytest.mark.parametrize("value", ["", "abc", "nan\\2", "\\"])
def test_broken_tags_do_no_harm(value) -> None:
    tags = dict.fromkeys(("EchoTime", "RepetitionTime", "InversionTime", "DiffusionBValue"), value)
    assert recognise_sequence(series("x", **tags)).sequence is Sequence.OTHER
