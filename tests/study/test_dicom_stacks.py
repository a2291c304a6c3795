"""What belongs together: patients, series, and the stacks in one series."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dicom_files as files
import numpy as np
import pytest
from pydicom.uid import generate_uid

from tumorviewer.study import Opened, Series, VolumeReader, open_paths


def only_series(opened: Opened) -> Series:
    (study,) = opened.studies
    (series,) = study.series
    return series


def opened_twice(folder: Path, name: str, values: tuple[Any, Any], **fixed: Any) -> Series:
    """Four positions, each with both values of one attribute, in one series."""
    for turn, value in enumerate(values):
        for index in range(4):
            dataset = files.instance(index, pixels=files.pixels(index + 10 * turn), **fixed)
            dataset.InstanceNumber = 1 + 2 * index + turn
            setattr(dataset, name, value)
            files.save(dataset, folder / f"{turn}{index}.dcm")
    opened = open_paths([folder])
    assert not opened.refused
    return only_series(opened)


@pytest.mark.parametrize(
    ("name", "values", "labels", "repeats"),
    [
        ("EchoNumbers", (1, 2), ["echo 1", "echo 2"], False),
        ("EchoTime", (20, 90.5), ["TE 20 ms", "TE 90.5 ms"], False),
        ("DiffusionBValue", (0.0, 1000.0), ["b 0", "b 1000"], False),
        ("ImageType", (["O", "P", "M"], ["O", "P", "P"]), ["M", "P"], False),
        ("InversionTime", (700, 2500), ["TI 700 ms", "TI 2500 ms"], False),
        ("TemporalPositionIdentifier", (1, 2), ["time 1", "time 2"], True),
        (
            "DiffusionGradientOrientation",
            ([1, 0, 0], [0, 1, 0]),
            ["direction 1", "direction 2"],
            True,
        ),
        ("TriggerTime", (0, 120.5), ["phase 1", "phase 2"], True),
        ("AcquisitionNumber", (1, 2), ["acquisition 1", "acquisition 2"], True),
        ("AcquisitionTime", ("101500", "102000"), ["time 1", "time 2"], True),
    ],
)
def test_stacks_are_told_apart(
    tmp_path: Path, name: str, values: tuple[Any, Any], labels: list[str], repeats: bool
) -> None:
    series = opened_twice(tmp_path, name, values)
    assert [source.label for source in series.volumes] == labels
    assert [source.repeats for source in series.volumes] == [False, repeats]
    for turn, source in enumerate(series.volumes):
        volume = source.load()
        assert volume.label == labels[turn]
        assert volume.notes == ()
        expected = [files.pixels(index + 10 * turn) for index in range(4)]
        np.testing.assert_array_equal(volume.array, expected)


def test_what_nothing_tells_apart_is_split_and_said(tmp_path: Path) -> None:
    series = opened_twice(tmp_path, "PatientComments", ("", ""))
    assert [source.label for source in series.volumes] == ["repeat 1", "repeat 2"]
    assert all("same positions" in source.notes[0] for source in series.volumes)
    np.testing.assert_array_equal(series.volumes[1].load().array[2], files.pixels(12))


def test_acquisition_numbers_that_differ_by_slice_do_not_split(tmp_path: Path) -> None:
    folder = files.series(
        tmp_path, 4, lambda at: {"AcquisitionNumber": at, "AcquisitionTime": f"10150{at}"}
    )
    (source,) = only_series(open_paths([folder])).volumes
    assert source.shape[0] == 4


def test_two_echoes_at_three_times(tmp_path: Path) -> None:
    for number in range(12):
        time, echo, index = number // 4, number // 2 % 2, number % 2
        dataset = files.instance(
            index, EchoNumbers=echo + 1, TemporalPositionIdentifier=time + 1, InstanceNumber=number
        )
        files.save(dataset, tmp_path / f"{number}.dcm")
    volumes = only_series(open_paths([tmp_path])).volumes
    assert sorted(source.label for source in volumes) == [
        f"echo {echo}, time {time}" for echo in (1, 2) for time in (1, 2, 3)
    ]
    assert sum(not source.repeats for source in volumes) == 2


def test_localizer_becomes_a_volume_for_each_plane(tmp_path: Path) -> None:
    planes = {
        "axial": [1, 0, 0, 0, 1, 0],
        "coronal": [1, 0, 0, 0, 0, -1],
        "sagittal": [0, 1, 0, 0, 0, -1],
    }
    for number, orientation in enumerate(planes.values()):
        dataset = files.instance(number, ImageOrientationPatient=orientation)
        files.save(dataset, tmp_path / f"{number}.dcm")
    volumes = only_series(open_paths([tmp_path])).volumes
    assert [source.label for source in volumes] == list(planes)


def test_slices_that_are_parallel_but_for_rounding_stay_together(tmp_path: Path) -> None:
    noise = 1e-5

    def rounded(index: int) -> dict[str, Any]:
        cosines = np.array([*files.ROW, *files.COLUMN]) + noise * (-1) ** index
        return {"ImageOrientationPatient": list(cosines)}

    (source,) = only_series(open_paths([files.series(tmp_path, 6, rounded)])).volumes
    assert source.shape[0] == 6


def test_one_slice_of_another_size_is_a_volume_of_its_own(tmp_path: Path) -> None:
    folder = files.series(tmp_path, 4)
    odd = files.instance(4, pixels=files.pixels(4, (10, 12)))
    files.save(odd, folder / "odd.dcm")
    volumes = only_series(open_paths([folder])).volumes
    assert [(source.shape, source.label) for source in volumes] == [
        ((4, 20, 24), "24 × 20"),
        ((1, 10, 12), "12 × 10"),
    ]


def test_multi_frame_with_b_values_and_directions(tmp_path: Path) -> None:
    positions, groups = [], []
    for b, direction in ((0, None), (1000, [1, 0, 0]), (1000, [0, 1, 0])):
        for index in range(3):
            positions.append(files.ORIGIN + index * files.STEP * files.NORMAL)
            values: dict[str, Any] = {"DiffusionBValue": float(b)}
            if direction:
                values["DiffusionGradientDirectionSequence"] = files.item(
                    DiffusionGradientOrientation=[float(part) for part in direction]
                )
            groups.append({"MRDiffusionSequence": files.item(**values)})
    files.save(files.multi_frame(positions, groups), tmp_path / "dwi.dcm")
    volumes = only_series(open_paths([tmp_path])).volumes
    labels = [source.label for source in volumes]
    assert labels == ["b 0", "b 1000, direction 1", "b 1000, direction 2"]
    assert [source.repeats for source in volumes] == [False, False, True]


def test_two_patients_sharing_a_series_uid_are_kept_apart(tmp_path: Path) -> None:
    files.series(tmp_path / "a", 3)
    files.series(tmp_path / "b", 3, lambda _index: {"PatientID": "J2"})
    opened = open_paths([tmp_path])
    assert [study.patient_id for study in opened.studies] == ["J1", "J2"]
    assert all(study.series[0].volumes[0].shape[0] == 3 for study in opened.studies)


def test_the_same_image_twice_is_set_aside(tmp_path: Path) -> None:
    same = files.instance(0)
    files.save(same, tmp_path / "a" / "1.dcm")
    files.save(same, tmp_path / "b" / "1.dcm")
    opened = open_paths([tmp_path])
    (refused,) = opened.refused
    assert not refused.is_error
    assert "same image" in refused.reason
    assert only_series(opened).volumes[0].shape[0] == 1


def test_different_images_that_share_a_uid_are_all_shown(tmp_path: Path) -> None:
    uid = generate_uid()
    opened = open_paths([files.series(tmp_path, 4, lambda _index: {"SOPInstanceUID": uid})])
    assert not opened.refused
    assert only_series(opened).volumes[0].shape[0] == 4


def test_views_without_position_are_not_mixed(tmp_path: Path) -> None:
    for number, view in enumerate(("PA", "LL")):
        dataset = files.instance(
            number, ImagePositionPatient=None, ViewPosition=view, Modality="CR"
        )
        files.save(dataset, tmp_path / f"{number}.dcm")
    volumes: tuple[VolumeReader, ...] = only_series(open_paths([tmp_path])).volumes
    assert [source.label for source in volumes] == ["PA", "LL"]


def test_series_carries_its_tags_and_study_its_patient(tmp_path: Path) -> None:
    folder = files.series(
        tmp_path, 2, lambda _index: {"MagneticFieldStrength": 1.5, "EchoTime": 2.5, "KVP": ""}
    )
    opened = open_paths([folder])
    (study,) = opened.studies
    series = only_series(opened)
    assert (study.patient_name, study.patient_id, study.date) == ("Doe Jane", "J1", "2024-02-29")
    assert (study.title, series.title, series.number, series.modality) == ("Brain", "T1", 4, "MR")
    assert series.tags["MagneticFieldStrength"] == "1.5"
    assert series.tags["EchoTime"] == "2.5"
    assert "KVP" not in series.tags
    assert series.source == str(folder)
