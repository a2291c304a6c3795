"""A user's catalogue with a few models in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tumorviewer.models.catalogue import Catalogue

CopyBundle = Callable[..., Path]


@pytest.fixture
def copy_bundle(random_bundle: Path) -> CopyBundle:
    """Copy the random bundle to a folder, with some fields of its card changed."""

    def copy(folder: Path, **changes: object) -> Path:
        shutil.copytree(random_bundle, folder)
        card = folder / "card.json"
        card.write_text(json.dumps(json.loads(card.read_text()) | changes))
        return folder

    return copy


@pytest.fixture
def catalogue(copy_bundle: CopyBundle, tmp_path: Path) -> Catalogue:
    """Shipped: random, the default. The user's own folder is not there yet."""
    copy_bundle(tmp_path / "shipped" / "random")
    (tmp_path / "shipped" / "DEFAULT").write_text("random\n")
    return Catalogue(tmp_path / "own" / "models", tmp_path / "shipped")
