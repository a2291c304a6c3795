"""Display ranges of files: kept where they show something, ignored and said where not."""

from __future__ import annotations

from pathlib import Path

import dicom_files as files
import nibabel as nib
import numpy as np
import pytest

from tumorviewer.imaging.display import choose_default_window, grey, list_windows
from tumorviewer.study import Volume, open_paths

HEAD = (1000 + 60 * np.indices((48, 48, 5))[0]).astype(np.int16)
HEAD[:4] = 0


def loaded(path: Path) -> Volume:
    opened = open_paths([path])
    assert not opened.refused
    return opened.studies[0].series[0].volumes[0].load()


def head_file(folder: Path, low: float, high: float) -> Path:
    image = nib.Nifti1Image(HEAD.astype(np.float32), np.diag([2, 2, 4, 1]))
    image.header["cal_min"], image.header["cal_max"] = low, high
    nib.save(image, folder / "head.nii.gz")
    return folder / "head.nii.gz"


@pytest.mark.parametrize(("low", "high"), [(0, 255), (0, 1), (5000, 9000)])
def test_a_range_that_hides_the_head_is_ignored_and_said(
    tmp_path: Path, low: float, high: float
) -> None:
    volume = loaded(head_file(tmp_path, low, high))
    assert [note.code for note in volume.notes] == ["display_range_ignored"]
    window = choose_default_window(volume)
    np.testing.assert_allclose(
        [window.centre - window.width / 2, window.centre + window.width / 2],
        np.percentile(HEAD[HEAD > 0], (0.5, 99.5)),
    )
    assert len(np.unique(grey(volume, 2))) > 40
    assert volume.windows[0] in list_windows(volume)


@pytest.mark.parametrize(("low", "high"), [(0, 4000), (0, 3000), (1500, 3000)])
def test_a_range_that_shows_the_head_is_kept(tmp_path: Path, low: float, high: float) -> None:
    volume = loaded(head_file(tmp_path, low, high))
    assert volume.notes == ()
    assert choose_default_window(volume).width == high - low


def test_a_window_of_dicom_that_hides_the_head_is_ignored(tmp_path: Path) -> None:
    dataset = files.instance(pixels=HEAD[:, :, 0], WindowCenter=40, WindowWidth=80)
    volume = loaded(files.save(dataset, tmp_path / "x.dcm"))
    assert [note.code for note in volume.notes] == ["display_range_ignored"]
    assert choose_default_window(volume).width > 2000


def test_a_narrow_window_in_hounsfield_units_is_meant(tmp_path: Path) -> None:
    dataset = files.instance(
        pixels=(HEAD[:, :, 0] - 1000), WindowCenter=32, WindowWidth=8,
        Modality="CT", RescaleSlope=1, RescaleIntercept=0,
    )  # fmt: skip
    volume = loaded(files.save(dataset, tmp_path / "x.dcm"))
    assert volume.units == "HU"
    assert volume.notes == ()
    assert choose_default_window(volume).width == 8
