"""Images that hold many slices: taken apart where the private data say enough, else said."""

from __future__ import annotations

from pathlib import Path

import dicom_files as files
import numpy as np
import oracles
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tumorviewer.study import Placement, Volume, open_paths

TILES = np.vstack(
    [np.hstack([files.pixels(0), files.pixels(1)]), np.hstack([files.pixels(2), files.pixels(3)])]
)


def loaded(path: Path) -> list[Volume]:
    opened = open_paths([path])
    assert not [refused for refused in opened.refused if refused.is_error]
    return [volume.load() for volume in opened.studies[0].series[0].volumes]


def test_a_real_mosaic_is_as_dcm2niix_has_it(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "studies" / "d19_fmri_mosaic_JPEGlossless"
    here = tmp_path / "mosaic"
    here.mkdir()
    for path in folder.rglob("*"):
        if path.is_file():
            (here / path.name).write_bytes(path.read_bytes())
    (image,) = oracles.volumes_by_dcm2niix(here)
    volumes = loaded(here)
    assert len(volumes) == image.shape[3]
    rng = np.random.default_rng(0)
    for at, volume in enumerate(volumes):
        index = np.column_stack([rng.integers(0, size, 2000) for size in volume.array.shape])
        points = np.c_[index, np.ones(2000)] @ volume.affine.T
        expected = oracles.values_at(image, points[:, :3], at)
        np.testing.assert_array_equal(volume.array[tuple(index.T)], expected)


def test_a_grid_of_united_imaging_has_the_positions_that_it_lists(tmp_path: Path) -> None:
    dataset = files.instance(pixels=TILES, Manufacturer="UIH")
    block = dataset.private_block(0x0065, "Image Private Header", create=True)
    block.add_new(0x50, "DS", "4")
    slices = []
    for index in range(4):
        item = Dataset()
        item.ImagePositionPatient = list(files.ORIGIN + index * files.STEP * files.NORMAL)
        slices.append(item)
    block.add_new(0x51, "SQ", Sequence(slices))
    (volume,) = loaded(files.save(dataset, tmp_path / "x.dcm"))
    np.testing.assert_array_equal(volume.array, [files.pixels(at) for at in range(4)])
    np.testing.assert_allclose(volume.affine[:3, 3], files.ORIGIN, atol=1e-6)
    np.testing.assert_allclose(volume.affine[:3, 0], files.STEP * files.NORMAL, atol=1e-6)
    assert volume.notes == ()


@pytest.mark.parametrize("said", ["siemens", "united", "image type"])
def test_a_mosaic_without_the_places_of_its_slices_has_none(tmp_path: Path, said: str) -> None:
    dataset = files.instance(pixels=TILES)
    if said == "siemens":
        dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0A, "US", 4)
    elif said == "united":
        dataset.private_block(0x0065, "Image Private Header", create=True).add_new(0x50, "DS", "4")
    else:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]
    (volume,) = loaded(files.save(dataset, tmp_path / "x.dcm"))
    assert volume.placement is Placement.SCALED
    assert [note.code for note in volume.notes] == ["mosaic"]
    np.testing.assert_array_equal(volume.array[0], TILES)
