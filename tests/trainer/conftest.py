"""Small labelled data sets that the tests draw themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn import draw


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures each of discs, rings and squares, a folder per class."""
    root = tmp_path_factory.mktemp("data") / "shapes"
    generator = np.random.default_rng(0)
    for kind in ("disc", "ring", "square"):
        (root / kind).mkdir(parents=True)
        for number in range(12):
            draw(kind, generator).save(root / kind / f"{kind}{number:02d}.png")
    return root


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def make_items(tmp_path: Path) -> Callable[[dict[str, int]], Path]:
    """Write tiny pictures: name of a folder below the root, and how many."""

    def make(counts: dict[str, int]) -> Path:
        generator = np.random.default_rng(1)
        for folder, count in counts.items():
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                draw("disc", generator, 32).save(tmp_path / folder / f"{number}.png")
        return tmp_path

    return make
