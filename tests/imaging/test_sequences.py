"""Which sequence a series is, by tags that scanners write and names that people give."""

from __future__ import annotations

import pytest

from tumorviewer.imaging.sequences import Sequence, recognise
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
    found = recognise(series("Series 4", **tags))
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
        ("subject12_scan", Sequence.OTHER),
    ],
)
def test_names_tell_with_a_doubt(name, sequence) -> None:
    found = recognise(series(name))
    assert found.sequence is sequence
    assert bool(found.doubt) == (sequence is not Sequence.OTHER)
    assert ("?" in str(found)) == (sequence is not Sequence.OTHER)


def test_a_contradiction_is_said() -> None:
    found = recognise(series("T1 ax", **T2_TSE))
    assert (found.sequence, found.doubt) == (Sequence.T2, "name: T1")
    assert str(found) == "T2? (name: T1)"


def test_contrast_that_only_the_name_knows_is_in_doubt() -> None:
    found = recognise(series("T1 ax post contrast", **T1_SE))
    assert (found.sequence, found.doubt) == (Sequence.T1_CONTRAST, "contrast by name")


def test_only_mr_is_recognised() -> None:
    assert recognise(series("T1", modality="CT")).sequence is Sequence.OTHER
    assert recognise(series("t1.nii", modality="")).sequence is Sequence.T1


@pytest.mark.parametrize("value", ["", "abc", "nan\\2", "\\"])
def test_broken_tags_do_no_harm(value) -> None:
    tags = dict.fromkeys(("EchoTime", "RepetitionTime", "InversionTime", "DiffusionBValue"), value)
    assert recognise(series("x", **tags)).sequence is Sequence.OTHER
