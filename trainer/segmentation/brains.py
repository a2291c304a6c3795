"""Outlines of the brain on images, from a segmenter that was taught them on volumes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage  # type: ignore[import-untyped]

from trainer.data import volumes
from trainer.segmentation.table import Outlined
from trainer.tools.progress import Progress
from tumorviewer.analysis.candidates import find_candidates
from tumorviewer.analysis.engines.choice import load_finder

_WHOLE = 0.2
"""Share of the image from which one part is the brain and the others (a tongue) are not,"""
_PART = 0.1
"""and share of the largest part that another part needs to be brain where it is smaller."""


def write_brains(model: Path, items: Sequence[Outlined], out: Path, progress: Progress) -> None:
    """Write a PNG file for each image, 255 inside, named as the image."""
    out.mkdir(parents=True, exist_ok=True)
    finder = load_finder(model)
    for number, item in enumerate(items, 1):
        volume = volumes.open_only_volume(item.path)[1].load()
        inside = largest_parts(find_candidates(volume, finder).brain[0])
        Image.fromarray((inside * 255).astype(np.uint8)).save(out / f"{item.path.stem}.png")
        progress("brains", number, len(items))


def largest_parts(inside_HW: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The brain without what is told to be brain by mistake, its holes filled."""
    filled = ndimage.binary_fill_holes(inside_HW)
    parts, count = ndimage.label(filled)
    if count < 2:
        return np.asarray(filled)
    areas = ndimage.sum_labels(filled, parts, range(1, count + 1))
    least = areas.max() if areas.max() > _WHOLE * filled.size else _PART * areas.max()
    return np.isin(parts, 1 + np.flatnonzero(areas >= least))
