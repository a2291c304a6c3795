"""Files that change, or go, between opening and loading: never shown as what was opened."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
from PIL import Image

from tests.records.made import opened, slice_file
from tumorviewer.errors import InputError


def source(path):
    (series,) = opened(path).series
    return series.volumes[0]


def test_a_slice_of_another_patient_in_its_place_is_left_blank(tmp_path) -> None:
    for index in range(3):
        slice_file(tmp_path / f"{index}.dcm", index)
    volume = source(tmp_path)
    slice_file(tmp_path / "1.dcm", 7, PatientName="Roe^Jane", PatientID="R1")  # as many bytes
    loaded = volume.load()
    assert loaded.missing == (1,)
    assert not loaded.array[1].any()
    assert "The file has changed since it was opened." in loaded.notes[0]
    volume = source(tmp_path / "0.dcm")
    (tmp_path / "0.dcm").unlink()
    with pytest.raises(InputError, match="gone since it was opened"):
        volume.load()


@pytest.mark.parametrize("name", ["head.nii", "head.nii.gz", "head.png"])
def test_another_file_of_the_same_shape_is_not_shown(tmp_path, name) -> None:
    path = tmp_path / name

    def write(value: int) -> None:
        if name.endswith("png"):
            Image.fromarray(np.full((20, 20), value, np.uint8)).save(path)
        else:
            array = np.full((20, 20, 5), value, np.int16)
            nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)

    write(10)
    volume = source(path)
    assert volume.load().array.max() == 10
    write(99)
    with pytest.raises(InputError, match="changed since it was opened"):
        volume.load()
    assert source(path).load().array.max() == 99
    path.unlink()
    with pytest.raises(InputError, match="gone"):
        volume.load()
