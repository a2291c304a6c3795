"""What a bundle tells of its training: what was seen, and what its figures are worth."""

from __future__ import annotations

import hashlib
from pathlib import Path

import nibabel
import numpy as np
import pytest

from trainer import cli
from tumorviewer.models import bundle

SMALL = [
    "--set=preprocessing.size=32",
    "--set=model.architecture=light",
    "--set=model.options.width=8",
    "--set=training.batch=8",
    "--set=training.epochs=1",
    "--set=split.folds=3",
    "--progress=none",
]


def fit(data: Path, cache: Path, out: Path, *settings: str) -> Path:
    assert cli.main(["fit", str(data), f"--out={out}", f"--cache={cache}", *SMALL, *settings]) == 0
    return out / "bundle"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("validation", "seen", "words"),
    [
        ("fold 0", 36, "slightly optimistic"),
        ("nested 0", 24, "a part that chose nothing"),
        ("random 3", 36, "leaky random split"),
    ],
)
def test_a_bundle_lists_what_it_saw(shapes, cache, tmp_path, validation, seen, words) -> None:
    folder = fit(shapes, cache, tmp_path / "run", f"--set=split.validation={validation}")
    card, items = bundle.verify_bundle(folder), bundle.read_training_items(folder)
    files = {digest(path) for path in shapes.rglob("*.png")}
    assert items <= files
    assert len(items) == seen
    assert words in card.training["selection"]
    assert card.training["mode"] == "all"
    assert card.training["split"]["is_leaky"] is (validation == "random 3")
    assert card.training["split"]["test_items"] == 36 - seen


def test_a_slice_is_known_by_its_volume_too(tmp_path) -> None:
    generator = np.random.default_rng(0)
    for kind in ("disc", "ring"):
        (tmp_path / "data" / kind).mkdir(parents=True)
        for number in range(3):
            volume = generator.integers(0, 255, (40, 40, 3)).astype(np.int16)
            image = nibabel.Nifti1Image(volume, np.eye(4))
            nibabel.save(image, tmp_path / "data" / kind / f"{number}.nii.gz")
    folder = fit(tmp_path / "data", tmp_path / "cache", tmp_path / "run", "--slices=all")
    items = bundle.read_training_items(folder)
    volumes = {digest(path) for path in (tmp_path / "data").rglob("*.nii.gz")}
    assert volumes < items
    assert len(items) == 6 + 18
