"""Where DICOM slices are, against SimpleITK and highdicom."""

from __future__ import annotations

from pathlib import Path

import dicom_files as files
import numpy as np
import pytest
from pydicom.dataset import Dataset

from tumorviewer.study import Placement, Volume, open_paths


def only_volume(path: Path) -> Volume:
    opened = open_paths([path])
    assert not opened.refused
    ((series,),) = (study.series for study in opened.studies)
    (source,) = series.volumes
    volume = source.load()
    assert volume.array.shape[:3] == source.shape
    return volume


def corners(shape: tuple[int, ...]) -> np.ndarray:
    ends = [(0, extent - 1) for extent in shape[:3]]
    return np.array([(k, r, c, 1) for k in ends[0] for r in ends[1] for c in ends[2]], float)


def assert_agrees_with_sitk(volume: Volume, image: object) -> None:
    """The same values at the same patient coordinates."""
    sitk = pytest.importorskip("SimpleITK")
    np.testing.assert_allclose(volume.array, sitk.GetArrayFromImage(image), rtol=1e-6)
    for index in corners(volume.array.shape):
        k, r, c, _ = map(int, index)
        expected = image.TransformIndexToPhysicalPoint((c, r, k))  # type: ignore[attr-defined]
        np.testing.assert_allclose((volume.affine @ index)[:3], expected, atol=1e-3)


def sitk_series(folder: Path) -> object:
    sitk = pytest.importorskip("SimpleITK")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def test_series_is_ordered_by_position_as_simpleitk_orders_it(tmp_path: Path) -> None:
    volume = only_volume(files.series(tmp_path / "s", 7))
    assert volume.placement is Placement.PATIENT
    assert volume.notes == ()
    assert volume.spacing() == pytest.approx((files.STEP, *files.SPACING))
    assert_agrees_with_sitk(volume, sitk_series(tmp_path / "s"))


def test_instance_numbers_do_not_matter_where_positions_are_known(tmp_path: Path) -> None:
    backwards = files.series(tmp_path, 5, lambda index: {"InstanceNumber": 5 - index})
    volume = only_volume(backwards)
    np.testing.assert_array_equal(volume.array[3], files.pixels(3))


@pytest.mark.shared
@pytest.mark.parametrize("case", ["d12_dwv_bbmri_6_sagittal", "d14_d2n_compressed_rle"])
def test_real_series_agree_with_simpleitk(shared_data: Path, case: str) -> None:
    folder = shared_data / "studies" / case
    assert_agrees_with_sitk(only_volume(folder), sitk_series(folder))


@pytest.mark.shared
@pytest.mark.parametrize("codec", ["d15_d2n_compressed_jpegls", "d17_d2n_compressed_j2k"])
def test_lossless_codecs_give_the_same_pixels(shared_data: Path, codec: str) -> None:
    studies = shared_data / "studies"
    plain = only_volume(studies / "d14_d2n_compressed_rle")
    np.testing.assert_array_equal(only_volume(studies / codec).array, plain.array)


@pytest.mark.shared
def test_real_enhanced_multi_frame_agrees_with_highdicom(shared_data: Path) -> None:
    (path,) = (shared_data / "studies" / "d13_XA30_enhanced_T1_b").iterdir()
    assert_agrees_with_highdicom(only_volume(path), path)


def assert_agrees_with_highdicom(volume: Volume, path: Path) -> None:
    highdicom = pytest.importorskip("highdicom")
    other = highdicom.imread(path).get_volume()
    to_ours = np.linalg.inv(volume.affine) @ other.affine
    for index in corners(other.spatial_shape):
        ours = np.rint(to_ours @ index)
        np.testing.assert_allclose(volume.affine @ ours, other.affine @ index, atol=1e-3)
        k, r, c = ours[:3].astype(int)
        assert volume.array[k, r, c] == other.array[tuple(index[:3].astype(int))]


def test_multi_frame_agrees_with_highdicom(tmp_path: Path) -> None:
    order = [3, 0, 4, 1, 2]
    positions = [files.ORIGIN + at * files.STEP * files.NORMAL for at in order]
    dataset = files.multi_frame(positions, [{}] * 5)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "T1", "NONE"]
    path = files.save(dataset, tmp_path / "multi.dcm")
    volume = only_volume(path)
    np.testing.assert_array_equal(volume.array[3], files.pixels(0))
    assert_agrees_with_highdicom(volume, path)


def test_gantry_tilt_is_carried_by_the_affine_and_said(tmp_path: Path) -> None:
    shift = np.array([0.0, 0.4, 0.0])

    def tilted(index: int) -> dict[str, object]:
        place = files.ORIGIN + index * (files.STEP * files.NORMAL + shift)
        return {"ImagePositionPatient": list(place)}

    volume = only_volume(files.series(tmp_path, 6, tilted))
    last = volume.affine @ (5, 0, 0, 1)
    expected = files.ORIGIN + 5 * (files.STEP * files.NORMAL + shift)
    np.testing.assert_allclose(last[:3], expected, atol=1e-3)
    assert volume.positions is None
    assert "tilt" in volume.notes[0]


def test_a_missing_slice_is_said_and_positions_stay_true(tmp_path: Path) -> None:
    folder = files.series(tmp_path, 6)
    (folder / "21.dcm").unlink()  # slice 3
    volume = only_volume(folder)
    assert volume.notes == ("1 slice is missing, at a spacing of 2.5 mm: after slice 3.",)
    assert volume.positions is not None
    np.testing.assert_allclose(volume.positions[3], files.ORIGIN + 10 * files.NORMAL, atol=1e-3)


def test_uneven_spacing_is_said(tmp_path: Path) -> None:
    along = [0.0, 2.0, 4.5, 9.0, 10.0]
    folder = files.series(
        tmp_path,
        5,
        lambda at: {"ImagePositionPatient": list(files.ORIGIN + along[at] * files.NORMAL)},
    )
    volume = only_volume(folder)
    assert volume.notes == ("The slices are not evenly spaced: 1 to 4.5 mm.",)
    assert volume.positions is not None


@pytest.mark.parametrize("lost", ["ImagePositionPatient", "ImageOrientationPatient"])
def test_without_position_nothing_spatial_is_claimed(tmp_path: Path, lost: str) -> None:
    volume = only_volume(files.series(tmp_path, 3, lambda _index: {lost: None}))
    assert volume.placement is Placement.SCALED
    assert volume.spacing() == pytest.approx((1.0, *files.SPACING))
    assert "instance numbers" in volume.notes[0]
    np.testing.assert_array_equal(volume.array[2], files.pixels(2))


@pytest.mark.parametrize(
    "orientation", [[0.0] * 6, [1, 0, 0, 1, 0, 0], [1, 0, 0], [2, 0, 0, 0, 1, 0]]
)
def test_impossible_orientations_are_not_used(tmp_path: Path, orientation: list[float]) -> None:
    folder = files.series(tmp_path, 2, lambda _index: {"ImageOrientationPatient": orientation})
    assert only_volume(folder).placement is Placement.SCALED


@pytest.mark.parametrize("keyword", ["ImagerPixelSpacing", "NominalScannedPixelSpacing"])
def test_spacing_at_the_detector_is_not_in_the_patient(tmp_path: Path, keyword: str) -> None:
    dataset = files.instance(PixelSpacing=None, **{keyword: [0.2, 0.1]})
    volume = only_volume(files.save(dataset, tmp_path / "x.dcm"))
    assert volume.placement is Placement.SCALED
    assert volume.spacing() == pytest.approx((1, 0.2, 0.1))
    assert "not in the patient" in volume.notes[0]


def test_no_spacing_at_all(tmp_path: Path) -> None:
    volume = only_volume(files.save(files.instance(PixelSpacing=[0, 0]), tmp_path / "x.dcm"))
    assert volume.placement is Placement.NONE
    assert volume.spacing() == (1, 1, 1)


def test_mosaic_is_shown_as_it_is_and_said(tmp_path: Path) -> None:
    dataset = files.instance(ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])
    volume = only_volume(files.save(dataset, tmp_path / "x.dcm"))
    assert volume.placement is Placement.SCALED
    assert "mosaic" in volume.notes[0]


def test_dose_grid_has_the_positions_of_its_offsets(tmp_path: Path) -> None:
    dataset: Dataset = files.instance(
        Modality="RTDOSE", NumberOfFrames=3, GridFrameOffsetVector=[0, 4, 8], DoseGridScaling=0.5
    )
    dataset.PixelData = np.stack([files.pixels(at) for at in range(3)]).tobytes()
    volume = only_volume(files.save(dataset, tmp_path / "dose.dcm"))
    assert volume.spacing()[0] == pytest.approx(4)
    assert volume.array[2, 1, 1] == files.pixels(2)[1, 1] * 0.5
