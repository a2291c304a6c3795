"""The demonstration study: synthetic, small, made again to the same pixels, opened without a word;
and the demonstration itself where there is no screen."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pydicom
import pytest
from PIL import Image

from tumorviewer import cli, resources
from tumorviewer.resources import resource_path
from tumorviewer.study import Placement, open_paths

FOLDER = resource_path("demonstration")
MAKER = Path(__file__).resolve().parents[1] / "packaging" / "demonstration"


@pytest.fixture
def make(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(MAKER))
    import make

    yield make
    for name in ("make", "phantom"):
        sys.modules.pop(name, None)


def same(made: np.ndarray, kept: np.ndarray) -> bool:
    """Equal but for the last bit of arithmetic, which processors may round differently."""
    difference = np.abs(made.astype(int) - kept.astype(int))
    return bool(np.mean(difference > 0) < 1e-3 and difference.max() <= 1)


def test_made_again_it_is_the_same(make) -> None:
    kept = pydicom.dcmread(FOLDER / "study" / "IM0017.dcm")
    made = make.acquire(make.STUDY, float(make.heights()[16]))
    assert same(made, kept.pixel_array)
    with Image.open(FOLDER / "pictures" / "tumour-parietal.png") as picture:
        assert picture.text["Description"] == make.STATEMENT
        assert same(np.asarray(make.picture(make.RING, 40.0)), np.asarray(picture))


def test_it_opens_as_one_series_in_good_order() -> None:
    opened = open_paths([FOLDER])
    assert opened.refused == ()
    study, *pictures = opened.studies
    assert len(pictures) == 3
    (series,) = study.series
    (source,) = series.volumes
    volume = source.load()
    assert volume.array.shape == (28, 256, 256)
    assert volume.placement is Placement.PATIENT
    assert volume.notes == ()
    np.testing.assert_allclose(volume.spacing(), (5, 0.898, 0.898))


def test_it_says_that_it_is_synthetic() -> None:
    for path in sorted((FOLDER / "study").iterdir()):
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        assert str(dataset.PatientName) == "SYNTHETIC^DEMONSTRATION"
        assert dataset.PatientID == "SYNTHETIC-0001"
        assert "SYNTHETIC" in dataset.SeriesDescription
        assert dataset.BurnedInAnnotation == "NO"


def test_it_is_small() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert len(files) == 31
    assert sum(path.stat().st_size for path in files) < 3e6


def test_without_a_screen(random_bundle, tmp_path, monkeypatch, capsys) -> None:
    shutil.copytree(random_bundle, tmp_path / "models" / "random")
    (tmp_path / "models" / "DEFAULT").write_text("random")
    monkeypatch.setenv(resources.HOME_VARIABLE, str(tmp_path))
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    out = tmp_path / "out"
    assert cli.main(["demo", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert str(out) in said
    findings = [json.loads(path.read_text("ascii")) for path in out.glob("*.json")]
    assert len(findings) == 4
    assert len(list(out.glob("*-slice*.png"))) >= 4
    with Image.open(out / "window.png") as window:
        assert window.size == (1440, 900)
        assert len(window.convert("L").getcolors()) > 100
