"""Data sets of pictures, folders of DICOM and NIfTI files: slices, patients, what never parts."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from drawn import draw, texture
from PIL import Image
from pydicom.uid import JPEG2000Lossless

from tests.study import dicom_files
from trainer.data import dataset, prepared_images
from trainer.data.material import DataSource, prepare_data
from trainer.tools.atomic_files import read_secret
from trainer.tools.progress import Progress
from tumorviewer.errors import InputError
from tumorviewer.models.card import Preprocessing

QUIET = Progress("none")
SMALL = Preprocessing(size=32)


def heads(count: int, seed: int = 0) -> np.ndarray:
    """``(count, 96, 96)`` slices that differ."""
    generator = np.random.default_rng(seed)
    return np.stack([np.asarray(texture(generator, 96)) for _ in range(count)])


def save_nifti(path: Path, slices: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(slices.T.astype(np.int16), np.diag([-1.0, -1.0, 2.0, 1.0]))
    nibabel.save(image, path)


def save_series(folder: Path, slices: np.ndarray, **changes: str) -> None:
    for index, pixels in enumerate(slices):
        one = dicom_files.instance(index, pixels=pixels.astype(np.int16), **changes)
        dicom_files.save(one, folder / f"{(7 * index) % 10:02d}.dcm")


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder per class with a picture, a DICOM series of 5 and a NIfTI file of 6 slices."""
    root = tmp_path / "mixed"
    generator = np.random.default_rng(3)
    for number, kind in enumerate(("sick", "well")):
        (root / kind).mkdir(parents=True)
        draw("disc", generator).save(root / kind / "picture.png")
        uids = {"SeriesInstanceUID": f"1.2.{number}", "PatientID": "Doe-17"}
        save_series(root / kind / "visit" / "t1", heads(5, number), **uids)
        save_nifti(root / kind / "scan.nii.gz", heads(6, 10 + number))
    return root


def test_volumes_are_refused_unless_a_rule_is_chosen(mixed):
    with pytest.raises(InputError, match=r"slices, and which of them .* not stated.*middle N"):
        dataset.read_dataset(mixed)


@pytest.mark.parametrize(
    ("rule", "series", "scan"),
    [("all", [1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]), ("middle 3", [2, 3, 4], [2, 3, 4])],
)
def test_a_rule_says_which_slices_carry_the_label(mixed, rule, series, scan):
    read = dataset.read_dataset(mixed, slices=rule)
    names = [item.name for item in read.items if item.label == 0]
    assert names == [
        "sick/picture.png",
        *(f"sick/scan.nii.gz#{number}" for number in scan),
        *(f"sick/visit/t1#{number}" for number in series),
    ]
    assert read.slices == rule
    assert read.volumes() == 4


def test_there_is_no_other_rule(mixed):
    with pytest.raises(InputError, match=r'no such rule.*"middle N"'):
        dataset.read_dataset(mixed, slices="some")


def test_slices_are_read_in_the_order_of_the_anatomy_not_of_the_names(mixed, tmp_path):
    read = dataset.read_dataset(mixed, slices="all")
    stored = prepared_images.load_images(
        read, Preprocessing(size=96, crop=False), tmp_path / "c", QUIET
    )
    rows = [row for row, item in enumerate(read.items) if item.file == "sick/visit/t1"]
    found = stored.array[rows]
    likeness = [
        [np.corrcoef(one.ravel(), other.ravel())[0, 1] for other in heads(5)] for one in found
    ]
    assert np.argmax(likeness, axis=1).tolist() == [0, 1, 2, 3, 4]
    assert len(set(stored.sha256)) == len(read.items)


def test_slices_of_a_volume_and_of_a_patient_never_part(mixed, tmp_path):
    source = DataSource(mixed, tmp_path / "cache", slices="all")
    material = prepare_data(source, SMALL, QUIET)
    groups = {}
    for item, group in zip(material.dataset.items, material.groups, strict=True):
        groups.setdefault(item.file, set()).add(group)
    assert {len(found) for found in groups.values()} == {1}
    assert groups["sick/visit/t1"] == groups["well/visit/t1"]
    assert groups["sick/scan.nii.gz"] != groups["well/scan.nii.gz"]
    assert "patients, and volumes" in material.grouped_by


def test_dicom_files_beside_each_other_are_items_of_one_series(tmp_path):
    for number, kind in enumerate("ab"):
        folder = tmp_path / "set" / kind
        save_series(folder, heads(3, number), SeriesInstanceUID=f"1.{number}", PatientID="")
    material = prepare_data(DataSource(tmp_path / "set", tmp_path / "cache"), SMALL, QUIET)
    assert len(material.dataset.items) == 6
    assert material.groups.tolist() == [0, 0, 0, 1, 1, 1]


def test_patients_go_by_pseudonyms_in_everything_that_is_written(mixed, tmp_path):
    source = DataSource(mixed, tmp_path / "cache", slices="all")
    material = prepare_data(source, SMALL, QUIET)
    material.write_groups(tmp_path / "groups.csv")
    patients = {item.patient for item in material.dataset.items} - {""}
    assert len(patients) == 1
    assert "Doe" not in repr(material.dataset)
    assert patients == {item.patient for item in source.read(QUIET).items} - {""}
    elsewhere = DataSource(mixed, tmp_path / "other", slices="all").read(QUIET)
    assert not patients & {item.patient for item in elsewhere.items}
    written = [path for path in tmp_path.rglob("*") if path.is_file() and mixed not in path.parents]
    assert not [path for path in written if b"Doe-17" in path.read_bytes()]
    assert len(read_secret(tmp_path / "cache" / "pseudonyms.key")) == 32


@pytest.fixture
def table(tmp_path: Path) -> Path:
    save_nifti(tmp_path / "scan.nii.gz", heads(8))
    save_nifti(tmp_path / "outline.nii.gz", heads(8) > 120)
    save_series(tmp_path / "t1", heads(5, 1))
    Image.fromarray(heads(1, 2)[0]).save(tmp_path / "picture.png")
    return tmp_path / "labels.csv"


def test_a_table_states_slices_masks_boxes_and_sources(table):
    table.write_text(
        "path,label,slice,mask,box,source\n"
        "scan.nii.gz,sick,3-5;7,outline.nii.gz,,here\n"
        "scan.nii.gz,well,1,,,here\n"
        "t1,well,2,,0.1;0.2;0.5;0.9,\n"
        "picture.png,sick,,,0.1 0.2 0.5 0.9,\n"
    )
    read = dataset.read_dataset(table)
    assert [(item.name, item.slice, item.label, item.source) for item in read.items] == [
        ("picture.png", None, 0, ""),
        ("scan.nii.gz#1", 0, 1, "here"),
        ("scan.nii.gz#3", 2, 0, "here"),
        ("scan.nii.gz#4", 3, 0, "here"),
        ("scan.nii.gz#5", 4, 0, "here"),
        ("scan.nii.gz#7", 6, 0, "here"),
        ("t1#2", 1, 1, ""),
    ]
    assert read.items[2].mask == table.parent / "outline.nii.gz"
    assert read.items[0].box == read.items[6].box == (0.1, 0.2, 0.5, 0.9)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("scan.nii.gz,sick,9,,", "no slice 9: it has slices 1 to 8"),
        ("scan.nii.gz,sick,0,,", "no slice 0"),
        ("scan.nii.gz,sick,5-3,,", "no slice 5-3"),
        ("scan.nii.gz,sick,middle,,", "not understood"),
        ("scan.nii.gz,sick,1,,", "scan.nii.gz#1 is listed more than once"),
        ("t1,sick,,,", "which of them carry the label is not stated"),
        ("picture.png,sick,,../mask.png,", "outside"),
        ("picture.png,sick,,,0.1;0.2;0.3", "four numbers"),
        ("picture.png,sick,,,10;20;30;40", "shares from 0 to 1"),
    ],
)
def test_slices_masks_and_boxes_that_make_no_sense_are_refused(table, row, reason):
    table.write_text(f"path,label,slice,mask,box\nscan.nii.gz,well,1;2,,\n{row}\n")
    with pytest.raises(InputError, match=reason):
        dataset.read_dataset(table)


def test_a_folder_of_two_series_is_listed_as_unreadable(tmp_path, capsys):
    for kind in "ab":
        save_nifti(tmp_path / "set" / kind / "scan.nii", heads(1))
    for number in range(2):
        folder = tmp_path / "set" / "a" / "visit" / str(number)
        save_series(folder, heads(3, number), SeriesInstanceUID=f"1.{number}")
    dicom_files.save(dicom_files.instance(0), tmp_path / "set" / "a" / "visit" / "x.dcm")
    with pytest.raises(InputError, match="1 items cannot be read"):
        prepare_data(DataSource(tmp_path / "set", tmp_path / "cache"), SMALL, Progress("human"))
    assert "a folder for each series" in capsys.readouterr().err


def test_a_slice_that_cannot_be_decoded_is_listed_and_the_others_are_read(tmp_path):
    for number, kind in enumerate("ab"):
        for index, pixels in enumerate(heads(4, number).astype(np.int16)):
            one = dicom_files.instance(index, pixels=pixels, SeriesInstanceUID=f"1.{number}")
            one.compress(JPEG2000Lossless)
            if (kind, index) == ("a", 1):
                stream = bytearray(one.PixelData)
                stream[-60:-20] = bytes(40)
                stream[120:200] = b"\xff" * 80
                one.PixelData = bytes(stream)
            dicom_files.save(one, tmp_path / "set" / kind / "t1" / f"{index}.dcm")
    read = dataset.read_dataset(tmp_path / "set", slices="all")
    stored = prepared_images.load_images(read, SMALL, tmp_path / "cache", QUIET)
    assert list(stored.unreadable) == ["a/t1#2"]
    assert len(read.items) == 8


def test_an_incomplete_series_is_refused_as_a_whole(tmp_path):
    for number, kind in enumerate("ab"):
        folder = tmp_path / "set" / kind / "t1"
        save_series(folder, heads(4, number), SeriesInstanceUID=f"1.{number}")
    cut = tmp_path / "set" / "a" / "t1" / "07.dcm"
    cut.write_bytes(cut.read_bytes()[:-500])
    read = dataset.read_dataset(tmp_path / "set", slices="all")
    stored = prepared_images.load_images(read, SMALL, tmp_path / "cache", QUIET)
    assert "cut short" in stored.unreadable["a/t1"]


def test_neighbours_come_with_a_slice_and_a_picture_stands_for_its_own(mixed, tmp_path):
    read = dataset.read_dataset(mixed, slices="all")
    settings = Preprocessing(size=96, crop=False, neighbours=1)
    stored = prepared_images.load_images(read, settings, tmp_path / "cache", QUIET).array
    assert stored.shape == (len(read.items), 3, 96, 96)
    row = {item.name: number for number, item in enumerate(read.items)}
    picture = stored[row["sick/picture.png"]]
    assert (picture == picture[0]).all()
    first, second = stored[row["sick/scan.nii.gz#1"]], stored[row["sick/scan.nii.gz#2"]]
    assert (first[0] == first[1]).all()
    assert (first[1] == second[0]).all()
    assert (first[2] == second[1]).all()
    assert (second[1] != second[2]).any()


def test_a_table_of_groups_may_name_a_volume_or_its_slices(mixed, tmp_path):
    groups = tmp_path / "groups.csv"
    lines = ["path,group", "sick/picture.png,p", "well/picture.png,p"]
    lines += [f"{kind}/scan.nii.gz,s" for kind in ("sick", "well")]
    lines += [f"sick/visit/t1#{number},{number}" for number in range(1, 6)]
    groups.write_text("\n".join([*lines, "well/visit/t1,t"]))
    source = DataSource(mixed, tmp_path / "cache", str(groups), slices="all")
    material = prepare_data(source, SMALL, QUIET)
    items = material.dataset.items
    of = {item.file: group for item, group in zip(items, material.groups, strict=True)}
    assert of["sick/picture.png"] == of["well/picture.png"]
    assert of["sick/scan.nii.gz"] == of["well/scan.nii.gz"]
    assert len(set(of.values())) == 3
