"""Series that hold one place more than once, or whose files differ where they should not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dicom_files as files
import numpy as np
import oracles
import pytest
import SimpleITK as sitk

from tumorviewer.study import Placement, Series, Volume, open_paths


def only_series(folder: Path) -> Series:
    opened = open_paths([folder])
    assert not [refused for refused in opened.refused if refused.is_error]
    (study,) = opened.studies
    (series,) = study.series
    return series


def loaded(folder: Path) -> list[Volume]:
    return [volume.load() for volume in only_series(folder).volumes]


def codes(volume: Volume) -> list[str]:
    return [note.code for note in volume.notes]


def moving(folder: Path, repeats: int, change: Callable[[int, int], dict[str, Any]]) -> Path:
    """Repeats over five positions that move by hundredths of a millimetre between them."""
    for turn in range(repeats):
        for index in range(5):
            place = files.ORIGIN + index * files.STEP * files.NORMAL + 0.037 * turn * files.NORMAL
            dataset = files.instance(
                index,
                pixels=files.pixels(index + 10 * turn),
                ImagePositionPatient=[round(float(x), 4) for x in place],
                InstanceNumber=1 + 5 * turn + index,
                **change(turn, index),
            )
            files.save(dataset, folder / f"{turn}{index}.dcm")
    return folder


@pytest.mark.parametrize(
    ("change", "labels"),
    [
        (lambda turn, _: {"TemporalPositionIdentifier": turn + 1}, "time"),
        (lambda turn, _: {"AcquisitionNumber": turn + 1}, "acquisition"),
        (lambda turn, _: {"TriggerTime": 100.5 * turn}, "phase"),
        (lambda turn, _: {"DiffusionGradientOrientation": [float(turn), 0, 1]}, "direction"),
        (lambda _turn, _index: {}, "repeat"),
    ],
)
def test_positions_that_move_between_repeats_are_not_interleaved(
    tmp_path: Path, change: Callable[[int, int], dict[str, Any]], labels: str
) -> None:
    volumes = loaded(moving(tmp_path, 3, change))
    assert [volume.label for volume in volumes] == [f"{labels} {n}" for n in (1, 2, 3)]
    for turn, volume in enumerate(volumes):
        expected = [files.pixels(index + 10 * turn) for index in range(5)]
        np.testing.assert_array_equal(volume.array, expected)
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames([str(tmp_path / f"{turn}{index}.dcm") for index in range(5)])
        np.testing.assert_allclose(volume.affine[:3, 3], reader.Execute().GetOrigin(), atol=1e-3)


def test_two_attributes_together_tell_moving_repeats_apart(tmp_path: Path) -> None:
    directions = ([1.0, 0, 0], [0, 1.0, 0])
    moving(
        tmp_path,
        4,
        lambda turn, _: {
            "TemporalPositionIdentifier": 1 + turn // 2,
            "DiffusionGradientOrientation": directions[turn % 2],
        },
    )
    volumes = loaded(tmp_path)
    assert sorted(int(volume.array[0, 0, 0]) for volume in volumes) == [0, 1000, 2000, 3000]
    assert {volume.array.shape for volume in volumes} == {(5, 20, 24)}


def test_frames_of_an_enhanced_object_that_move_between_repeats(tmp_path: Path) -> None:
    places, groups = [], []
    for turn in range(2):
        for index in range(4):
            places.append(files.ORIGIN + (index * files.STEP + 0.05 * turn) * files.NORMAL)
            content = files.item(TemporalPositionIndex=turn + 1)
            groups.append({"FrameContentSequence": content})
    files.save(files.multi_frame(places, groups), tmp_path / "x.dcm")
    volumes = loaded(tmp_path)
    assert [volume.array.shape[0] for volume in volumes] == [4, 4]
    np.testing.assert_array_equal(volumes[1].array, [files.pixels(at) for at in range(4, 8)])


def test_overlapping_slabs_are_told_apart_by_acquisition(tmp_path: Path) -> None:
    for slab in range(3):
        for index in range(4):
            place = files.ORIGIN + (2.0 * index + 5.0 * slab) * files.NORMAL
            dataset = files.instance(
                index,
                pixels=files.pixels(index + 10 * slab),
                ImagePositionPatient=list(map(float, place)),
                InstanceNumber=1 + 4 * slab + index,
                AcquisitionNumber=slab + 1,
            )
            files.save(dataset, tmp_path / f"{slab}{index}.dcm")
    volumes = loaded(tmp_path)
    assert [volume.array.shape[0] for volume in volumes] == [4, 4, 4]
    assert [volume.spacing()[0] for volume in volumes] == pytest.approx([2, 2, 2])


def test_a_gap_between_blocks_does_not_part_them(tmp_path: Path) -> None:
    for at, index in enumerate((0, 1, 2, 5, 6, 7)):
        files.save(files.instance(index, AcquisitionNumber=1 + at // 3), tmp_path / f"{index}.dcm")
    (volume,) = loaded(tmp_path)
    assert codes(volume) == ["missing_slices"]
    assert volume.notes[0].values == {"count": 2, "after": "3"}


@pytest.mark.parametrize("lacks", [(0, 0), (0, 2), (0, 4), (1, 0), (1, 3)])
def test_a_pass_that_lacks_a_slice_keeps_its_gap(tmp_path: Path, lacks: tuple[int, int]) -> None:
    number = 0
    for turn in range(2):
        for index in range(5):
            if (turn, index) != lacks:
                number += 1
                pixels = files.pixels(index + 10 * turn)
                dataset = files.instance(index, pixels=pixels, InstanceNumber=number)
                files.save(dataset, tmp_path / f"{number}.dcm")
    volumes = loaded(tmp_path)
    for turn, volume in enumerate(volumes):
        indices = [index for index in range(5) if (turn, index) != lacks]
        expected = [files.pixels(index + 10 * turn) for index in indices]
        np.testing.assert_array_equal(volume.array, expected)
        assert "repeats_not_told_apart" in codes(volume)
    assert ("missing_slices" in codes(volumes[lacks[0]])) is (0 < lacks[1] < 4)


def test_what_is_numbered_slice_by_slice_is_dealt_by_number(tmp_path: Path) -> None:
    for index in range(4):
        for turn in range(2):
            if (index, turn) != (2, 0):
                pixels = files.pixels(index + 10 * turn)
                dataset = files.instance(index, pixels=pixels, InstanceNumber=1 + 2 * index + turn)
                files.save(dataset, tmp_path / f"{turn}{index}.dcm")
    first, second = loaded(tmp_path)
    np.testing.assert_array_equal(first.array, [files.pixels(at) for at in (0, 1, 3)])
    np.testing.assert_array_equal(second.array, [files.pixels(at + 10) for at in range(4)])


@pytest.mark.parametrize(
    "change",
    [
        lambda at: {"PixelSpacing": ["0.468750", "0.46875"] if at % 2 else ["0.468749"] * 2},
        lambda at: {"EchoTime": "2.46" if at % 2 else "2.460000038147"},
        lambda at: {"DiffusionBValue": 1000.0 if at % 2 else 995.0},
        lambda at: {"InversionTime": "900" if at % 2 else "900.0001"},
    ],
)
def test_settings_that_are_rounded_make_one_volume(
    tmp_path: Path, change: Callable[[int], dict[str, Any]]
) -> None:
    """As dcm2niix reads it: one volume."""
    folder = files.series(tmp_path / "series", 6, change)
    (volume,) = loaded(folder)
    assert volume.notes == ()
    (other,) = oracles.volumes_by_dcm2niix(folder)
    at = np.array([(s, r, c, 1) for s in range(6) for r in (0, 19) for c in (0, 23)])
    points = (at @ volume.affine.T)[:, :3]
    np.testing.assert_array_equal(oracles.values_at(other, points), volume.array[tuple(at.T[:3])])


@pytest.mark.parametrize("apart", [0.02, 0.5])
def test_settings_that_differ_are_two_volumes(tmp_path: Path, apart: float) -> None:
    files.series(tmp_path, 6, lambda at: {"EchoTime": 20 * (1 + apart * (at % 2))})
    assert len(loaded(tmp_path)) == 2


def test_a_frame_of_reference_in_each_file_is_one_volume_and_said(tmp_path: Path) -> None:
    files.series(tmp_path, 6, lambda at: {"FrameOfReferenceUID": f"1.2.3.5.{at + 1}"})
    (volume,) = loaded(tmp_path)
    assert codes(volume) == ["frame_of_reference_each"]
    assert volume.frame_of_reference is None
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(reader.Execute()))


def test_frames_of_reference_of_uneven_slices_stay_apart(tmp_path: Path) -> None:
    for index in (0, 1, 5, 6):
        dataset = files.instance(index, FrameOfReferenceUID=f"1.2.3.5.{index + 1}")
        files.save(dataset, tmp_path / f"{index}.dcm")
    assert len(loaded(tmp_path)) == 4


def rotated(angle: float) -> list[float]:
    turn = np.radians(angle)
    return [float(np.cos(turn)), float(np.sin(turn)), 0.0, 0.0, 0.0, -1.0]


def test_projections_that_turn_are_one_thing_to_scroll(tmp_path: Path) -> None:
    for at in range(12):
        dataset = files.instance(at, ImageOrientationPatient=rotated(15 * at))
        files.save(dataset, tmp_path / f"{(at * 5) % 12:02}.dcm")
    (volume,) = loaded(tmp_path)
    assert volume.placement is Placement.SCALED
    assert codes(volume) == ["rotation"]
    np.testing.assert_array_equal(volume.array, [files.pixels(at) for at in range(12)])


def test_localizers_of_three_planes_are_not_a_rotation(tmp_path: Path) -> None:
    planes = ([1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1])
    for at, plane in enumerate(planes):
        files.save(files.instance(at, ImageOrientationPatient=plane), tmp_path / f"{at}.dcm")
    assert [volume.label for volume in loaded(tmp_path)] == ["axial", "coronal", "sagittal"]


def test_one_uid_with_other_pixels_is_shown_and_said(tmp_path: Path) -> None:
    for at in range(3):
        dataset = files.instance(0, pixels=files.pixels(at), SOPInstanceUID="1.2.3.4.7")
        files.save(dataset, tmp_path / f"{at}.dcm")
        files.save(dataset, tmp_path / f"copy{at}.dcm")
    volumes = loaded(tmp_path)
    for at, volume in enumerate(volumes):
        np.testing.assert_array_equal(volume.array, [files.pixels(at)])
        assert codes(volume) == ["conflicting_copies"]
    reasons = [refused.reason for refused in open_paths([tmp_path]).refused]
    assert len(reasons) == 3
    assert all("same image" in reason for reason in reasons)


def test_captures_under_one_uid_are_all_shown(tmp_path: Path) -> None:
    for at in range(4):
        bare = dict.fromkeys(
            ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "InstanceNumber")
        )
        dataset = files.instance(at, SOPInstanceUID="1.2.3.4.8", **bare)
        files.save(dataset, tmp_path / f"{at}.dcm")
    (volume,) = loaded(tmp_path)
    np.testing.assert_array_equal(volume.array, [files.pixels(at) for at in range(4)])
    assert "conflicting_copies" in codes(volume)


def test_a_copy_in_another_coding_is_the_same_image(tmp_path: Path) -> None:
    dataset = files.instance(0)
    files.save(dataset, tmp_path / "plain.dcm")
    dataset.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    files.save(dataset, tmp_path / "rle.dcm")
    assert len(loaded(tmp_path)) == 1


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ("SliceLocation", "Slice Location"),
        ("InstanceNumber", "instance numbers"),
        ("", "order of their files"),
    ],
)
def test_slices_without_a_place_say_their_order(tmp_path: Path, stated: str, words: str) -> None:
    order = [2, 0, 3, 1]
    for name, index in enumerate(order):
        changes = dict.fromkeys(
            ("ImagePositionPatient", "ImageOrientationPatient", "InstanceNumber")
        )
        if stated:
            changes[stated] = index + 1
        files.save(files.instance(index, **changes), tmp_path / f"{name}.dcm")
    (volume,) = loaded(tmp_path)
    expected = order if not stated else range(4)
    np.testing.assert_array_equal(volume.array, [files.pixels(index) for index in expected])
    assert words in volume.notes[0]
