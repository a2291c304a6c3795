"""Records in a folder of their own, and studies for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import opened, slice_file
from PIL import Image

from tumorviewer.records import Records
from tumorviewer.study import Study


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "records"


@pytest.fixture
def records(folder: Path) -> Iterator[Records]:
    with Records(folder=folder, reader="dr. test") as opened_records:
        yield opened_records


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., Study]:
    """Makes a study of one picture."""

    def make(seed: int = 0, name: str = "") -> Study:
        path = tmp_path / (name or f"{seed}.png")
        pixels = np.random.default_rng(seed).integers(0, 255, (40, 30), np.uint8)
        Image.fromarray(pixels).save(path)
        return opened(path)

    return make


@pytest.fixture
def dicom(tmp_path: Path) -> Callable[..., Study]:
    """Makes a study of one series."""

    def make(folder: str = "study", count: int = 3, **changes: Any) -> Study:
        for index in range(count):
            slice_file(tmp_path / folder / f"{(index * 7) % 10}.dcm", index, **changes)
        return opened(tmp_path / folder)

    return make
