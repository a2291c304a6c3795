"""Which series of a study is read, and which files are one study."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tumorviewer.analysis.whole_study.series_choice import (
    describe_present,
    find_source,
    join_cases,
    rank_series,
)
from tumorviewer.study.types import Series, Study


def series(title: str, slices: int = 100, modality: str = "MR", **tags: str) -> Series:
    volume = SimpleNamespace(shape=(slices, 256, 256), repeats=False, label="")
    return Series(title, (volume,), f"/data/case/{title}", modality=modality, tags=tags)


def read(*found: Series) -> list[str]:
    return [one.read.title for one in rank_series(Study("s", found))]


def test_contrast_comes_before_plain_t1_and_other_sequences_are_not_read() -> None:
    found = read(series("t2 tse"), series("t1 mprage"), series("flair"), series("t1 mprage gd"))
    assert found == ["t1 mprage gd", "t1 mprage"]


def test_of_two_with_contrast_the_one_with_more_slices_is_read() -> None:
    assert read(series("t1 gd cor", 25), series("t1 gd 3d", 160))[0] == "t1 gd 3d"


@pytest.mark.parametrize("name", ["localizer", "3-plane loc", "Survey t1 gd", "scout"])
def test_localisers_are_not_read(name) -> None:
    assert read(series(name)) == []


def test_few_slices_are_read_only_for_want_of_more() -> None:
    assert read(series("t1 gd", 3), series("t1", 120)) == ["t1", "t1 gd"]


def test_computed_tomography_is_not_read_and_what_says_nothing_is_read_last() -> None:
    assert read(series("head", modality="CT"), series("abc", modality=""), series("t1")) == [
        "t1",
        "abc",
    ]


def test_what_is_there_is_said() -> None:
    study = Study("s", (series("t2"), series("flair"), series("t2 cor"), series("x", 5, "CT")))
    assert describe_present(study) == ("T2", "FLAIR", "CT x")


def nifti(name: str, folder: str = "/data/case") -> Study:
    one = SimpleNamespace(shape=(90, 128, 128), repeats=False, label="")
    return Study(name, (Series(name, (one,), f"{folder}/{name}"),))


def test_files_of_one_case_are_one_study() -> None:
    files = [nifti(f"p1_{name}.nii.gz") for name in ("flair", "t1", "t1ce", "t2")]
    (joined,) = join_cases(files)
    assert [one.title for one in joined.series] == [one.title for one in files]
    assert rank_series(joined)[0].read.title == "p1_t1ce.nii.gz"
    assert find_source(joined) == "/data/case"
    assert find_source(files[0]) == "/data/case/p1_flair.nii.gz"


@pytest.mark.parametrize(
    "files",
    [
        [nifti("visit1_t1c.nii.gz"), nifti("visit2_t1c.nii.gz")],
        [nifti("t1.nii.gz", "/data/a"), nifti("flair.nii.gz", "/data/b")],
        [nifti("t1.nii.gz"), nifti("anatomical.nii.gz"), nifti("low_res.nii.gz")],
        [nifti("t1_a.nii.gz"), nifti("t1_b.nii.gz")],
    ],
)
def test_other_files_are_studies_of_their_own(files) -> None:
    assert join_cases(files) == tuple(files)
