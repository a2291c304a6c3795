"""Files beside images: no images, pointers, other formats, and DICOM inside gzip."""

from __future__ import annotations

import gzip
from pathlib import Path

import dicom_files as files
import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from tumorviewer.study import Refused, open_paths

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
ANNEX = b"/annex/objects/MD5E-s12345--0123456789abcdef0123456789abcdef.nii.gz\n"


def refused(path: Path) -> Refused:
    opened = open_paths([path])
    assert not opened.studies
    (found,) = opened.refused
    return found


@pytest.mark.parametrize("name", ["a.nii.gz", "a.dcm", "a.png", "a"])
@pytest.mark.parametrize(("content", "command"), [(LFS, "git lfs pull"), (ANNEX, "git annex get")])
def test_pointers_say_that_their_content_was_not_fetched(
    tmp_path: Path, name: str, content: bytes, command: str
) -> None:
    (tmp_path / name).write_bytes(content)
    found = refused(tmp_path / name)
    assert "not fetched" in found.reason
    assert command in found.remedy


def test_a_link_of_git_annex_says_that_its_content_was_not_fetched(tmp_path: Path) -> None:
    link = tmp_path / "a.nii.gz"
    link.symlink_to(Path(".git") / "annex" / "objects" / "ab" / "cd" / "MD5E-s1")
    assert "not fetched" in refused(link).reason


def test_cifti_is_no_image(tmp_path: Path) -> None:
    axis = nib.cifti2.BrainModelAxis.from_mask(np.ones((4, 4, 3), bool), affine=np.eye(4))
    scalars = nib.cifti2.ScalarAxis(["a", "b"])
    image = nib.Cifti2Image(np.zeros((2, 48), np.float32), (scalars, axis))
    image.to_filename(tmp_path / "x.dscalar.nii")
    found = refused(tmp_path / "x.dscalar.nii")
    assert "CIFTI" in found.reason
    assert not found.is_error


@pytest.mark.parametrize("intent", ["triangle", "pointset", "displacement vector", "quaternion"])
def test_other_intents_that_are_no_image(tmp_path: Path, intent: str) -> None:
    image = nib.Nifti1Image(np.zeros((4, 4, 4, 1, 3), np.float32), np.eye(4))
    image.header.set_intent(intent)
    nib.save(image, tmp_path / "x.nii")
    assert not refused(tmp_path / "x.nii").is_error


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.mha", b"ObjectType = Image\nNDims = 3\n", "MetaImage"),
        ("a.nrrd", b"NRRD0004\ntype: short\n", "NRRD"),
        ("a.mnc", b"\x89HDF\r\n\x1a\n", "MINC"),
        ("a.mgz", gzip.compress(b"\0\0\0\1" * 200, mtime=0), "MGH"),
        ("a.gii", b"<?xml version='1.0'?>", "GIFTI"),
        ("a.tfm", b"#Insight Transform File V1.0\n", "transformation"),
        ("lh.pial", b"\xff\xff\xfecreated by", "FreeSurfer"),
    ],
)
def test_other_formats_are_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    found = refused(tmp_path / name)
    assert words in found.reason


@pytest.mark.parametrize("name", ["a.dcm.gz", "a.gz", "a.nii.gz"])
def test_dicom_in_gzip_is_read(tmp_path: Path, name: str) -> None:
    path = files.save(files.instance(), tmp_path / "plain.dcm")
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    (tmp_path / name).write_bytes(gzip.compress(path.read_bytes()))
    opened = open_paths([tmp_path / name])
    assert not opened.refused
    volume = opened.studies[0].series[0].volumes[0].load()
    np.testing.assert_array_equal(volume.array, expected)
    assert volume.source == str(tmp_path / name)


def test_damaged_gzip_of_dicom_is_refused(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(files.save(files.instance(), tmp_path / "a").read_bytes()))
    packed[-100] ^= 255
    (tmp_path / "a.dcm.gz").write_bytes(packed)
    assert refused(tmp_path / "a.dcm.gz").is_error


@pytest.mark.parametrize(
    ("storage_class", "rows"),
    [
        ("1.3.12.2.1107.5.9.1", None),
        ("1.2.840.10008.5.1.4.1.1.4.2", 16),
        ("1.2.840.10008.5.1.4.1.1.66", None),
        ("1.2.840.10008.5.1.4.1.1.88.11", None),
        ("1.2.840.10008.5.1.4.1.1.481.5", None),
    ],
    ids=["private", "spectroscopy", "raw data", "report", "plan"],
)
def test_objects_without_pixels_are_no_errors(
    tmp_path: Path, storage_class: str, rows: int | None
) -> None:
    """PS3.3 A.36.3, A.37 and PS3.4 B.3: such objects have no Pixel Data, and Rows may be there."""
    files.series(tmp_path, 3)
    absent = (
        "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel",
        "PhotometricInterpretation", "PixelData", "Columns",
    )  # fmt: skip
    changes = dict.fromkeys(absent)
    dataset = files.instance(SOPClassUID=storage_class, Rows=rows, **changes)
    files.save(dataset, tmp_path / "other.dcm")
    opened = open_paths([tmp_path])
    assert len(opened.studies) == 1
    (found,) = opened.refused
    assert not found.is_error
