"""Drawn heads with outlined discs in them."""

from __future__ import annotations

import csv
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image


def head(generator: np.random.Generator, has_tumour: bool) -> tuple[NDArray[np.uint8], ...]:
    """A grey disc with texture, and a bright disc in it; image, mask and brain."""
    rows, columns = np.mgrid[:64, :64]
    brain = np.hypot(rows - 32, columns - 32) < 28
    image = brain * 90 + generator.integers(0, 25, (64, 64)) * brain
    row, column = generator.integers(22, 42, 2)
    tumour = (np.hypot(rows - row, columns - column) < generator.integers(6, 10)) & has_tumour
    image[tumour] = 230
    return tuple(np.asarray(one, np.uint8) for one in (image, tumour * 255, brain * 255))


def write_images(folder: Path, count: int = 24, seed: int = 0) -> Path:
    """A table of images; every fourth has no tumour, two and two are of one patient."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        has_tumour = number % 4 != 3
        for name, array in zip(
            ("image", "mask", "brain"), head(generator, has_tumour), strict=True
        ):
            Image.fromarray(array).save(folder / f"{name}{number}.png")
        rows.append(
            {
                "path": f"image{number}.png",
                "label": ("glioma", "pituitary")[number % 2] if has_tumour else "notumor",
                "group": f"p{number // 2}",
                "mask": f"mask{number}.png" if has_tumour else "",
                "brain": f"brain{number}.png",
                "collection": "drawn" if has_tumour else "empty",
            }
        )
    return write_table(folder / "table.csv", rows)


def write_volume(folder: Path, slices: int = 10, spacing: float = 3.0) -> Path:
    """A table of one volume with a tumour in its middle slices, resliced along all axes."""
    generator = np.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    image, tumour, brain = (np.stack([one] * slices) for one in head(generator, True))
    tumour[:3] = tumour[-3:] = 0
    image = np.where(tumour > 0, image, np.minimum(image, 100))
    affine = np.diag([1.0, 1.0, spacing, 1.0])
    for name, array in (("image", image), ("mask", tumour), ("brain", brain)):
        nib.save(nib.Nifti1Image(array.transpose(2, 1, 0), affine), folder / f"{name}.nii.gz")
    row = {
        "path": "image.nii.gz", "label": "glioma", "group": "v", "mask": "mask.nii.gz",
        "brain": "brain.nii.gz", "planes": "all", "collection": "volumes",
    }  # fmt: skip
    return write_table(folder / "volumes.csv", [row])


def write_table(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path
