"""Images and volumes with their outlines, cut once into the squares that a network is trained on.

Shapes: N squares, S side, D H W slices, rows and columns of a volume.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage  # type: ignore[import-untyped]

from trainer.data import volumes
from trainer.segmentation.table import Outlined
from trainer.tools.atomic_files import write_json
from trainer.tools.parallel import map_in_processes
from trainer.tools.progress import Progress
from tumorviewer.analysis.preprocess import cut_square, find_bright, find_head_square
from tumorviewer.errors import InputError
from tumorviewer.imaging.display import grey

TUMOUR, BRAIN, BRAIN_UNKNOWN, TUMOUR_UNKNOWN = 1, 2, 4, 8
"""Bits of a pixel's label; nothing of them: neither tumour nor brain. What a mask encloses without
holding it (the dead core of a tumour of which only the enhancing part is outlined) is not known."""
SIDE = 192
_HALF = 2 / np.pi
"""Square of the radius, in half sides, of the ellipse with half the area of its box."""
_APART_MM = 4.0
"""Between the slices that are taken of a volume along its resliced axes."""


class Square(NamedTuple):
    """One square of an image or slice."""

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    item: int
    plane: int
    place: int


@dataclass(frozen=True, eq=False)
class Squares:
    """All squares of a table."""

    images: NDArray[np.uint8]
    """``(N, S, S)``, a memory map."""
    labels: NDArray[np.uint8]
    """``(N, S, S)`` bits, a memory map."""
    items: NDArray[np.int64]
    """``(N,)`` row of the table."""
    planes: NDArray[np.int64]
    """``(N,)`` 0: as acquired, 1 and 2: resliced."""
    indices: NDArray[np.int64]
    """``(N,)`` slice along the plane's axis."""


def load_squares(
    items: Sequence[Outlined], folder: Path, progress: Progress, side: int = SIDE
) -> Squares:
    """Map the squares of a table, cutting them if ``folder`` does not hold them."""
    if not (folder / "squares.json").is_file():
        _cut_all(items, folder, progress, side)
    notes = json.loads((folder / "squares.json").read_text())
    where = np.array(notes["squares"], np.int64).reshape(-1, 3)
    images, labels = (
        np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("images", "labels")
    )
    return Squares(images, labels, where[:, 0], where[:, 1], where[:, 2])


def _cut_all(items: Sequence[Outlined], folder: Path, progress: Progress, side: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    work = partial(_cut_numbered, side=side)
    cut = [
        square
        for some in map_in_processes(work, list(enumerate(items)), "cutting", progress)
        for square in some
    ]
    np.save(folder / "images.npy", np.stack([one.image for one in cut]))
    np.save(folder / "labels.npy", np.stack([one.labels for one in cut]))
    write_json(folder / "squares.json", {"squares": [[int(v) for v in one[2:]] for one in cut]})


def _cut_numbered(numbered: tuple[int, Outlined], side: int) -> list[Square]:
    number, item = numbered
    return [Square(*one[:2], number, *one[3:]) for one in cut_squares(item, side)]


def cut_squares(item: Outlined, side: int) -> Iterator[Square]:
    """The squares of one image, or of the slices of one volume, around the whole head."""
    volume = volumes.open_only_volume(item.path)[1].load()
    images = np.stack([grey(volume, index) for index in range(len(volume.array))])
    labels = _labels(item, images)
    steps = np.diag(volume.affine[:3, :3].T @ volume.affine[:3, :3]) ** 0.5
    for plane in (0, 1, 2) if item.planes == "all" else (0,):
        seen, marked, spacing, up = _along(images, labels, steps, plane, volume.affine)
        apart = max(1, round(_APART_MM / spacing[0])) if item.planes == "all" else 1
        box = find_head_square(_even(seen.max(0), spacing, up))
        for index in range(apart // 2, len(seen), apart):
            if np.count_nonzero(find_bright(seen[index])) < 0.01 * seen[index].size:
                continue
            pair = _even(seen[index], spacing, up), _even(marked[index], spacing, up, nearest=True)
            yield Square(
                cut_square(pair[0], box, side),
                cut_square(pair[1], box, side, nearest=True),
                0,
                plane,
                index,
            )


def _labels(item: Outlined, images_DHW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if item.boxes:
        return _labels_of_boxes(item.boxes, images_DHW)
    tumour = expert_mask(item.mask, images_DHW.shape)
    if item.brain is not None:
        brain, unknown = expert_mask(item.brain, images_DHW.shape) | tumour, np.zeros_like(tumour)
    else:
        brain = tumour
        head = np.stack([ndimage.binary_fill_holes(find_bright(image)) for image in images_DHW])
        unknown = head & ~tumour
    core = np.stack([ndimage.binary_fill_holes(one) for one in tumour]) & ~tumour
    bits = (tumour, TUMOUR), (brain | core, BRAIN), (unknown & ~core, BRAIN_UNKNOWN)
    labels = sum(where.astype(np.uint8) * bit for where, bit in (*bits, (core, TUMOUR_UNKNOWN)))
    return np.asarray(labels, np.uint8)


def _labels_of_boxes(
    boxes: Sequence[tuple[float, ...]], images_DHW: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """In a box, the ellipse of half its area is tumour and the rest is not known."""
    _, rows, columns = images_DHW.shape
    y, x = (np.indices((rows, columns)) + 0.5) / np.array([rows, columns])[:, None, None]
    head = np.stack([ndimage.binary_fill_holes(find_bright(image)) for image in images_DHW])
    labels = (head * BRAIN_UNKNOWN).astype(np.uint8)
    for left, top, right, bottom in boxes:
        across, down = (
            (2 * x - left - right) / (right - left),
            (2 * y - top - bottom) / (bottom - top),
        )
        boxed = np.maximum(abs(across), abs(down)) <= 1
        inner = across**2 + down**2 <= _HALF
        labels[:, boxed] |= TUMOUR_UNKNOWN
        labels[:, inner] = TUMOUR | BRAIN
    return labels


def expert_mask(path: Path | None, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """``(D, H, W)`` what an item's mask file holds, on the grid of the item; empty without one.

    Raises
    ------
    InputError
        If a volume's mask has another grid; that of a single image is resized.
    """
    if path is None:
        return np.zeros(shape, np.bool_)
    inside = np.asarray(volumes.open_only_volume(path)[1].load().array > 0)
    if inside.ndim == 4:
        inside = np.asarray(inside.any(3))
    if inside.shape == shape:
        return inside
    if len(inside) != 1 or shape[0] != 1:
        sides = " × ".join(map(str, inside.shape)), " × ".join(map(str, shape))
        reason = f"The mask is {sides[0]} voxels and its volume {sides[1]}."
        raise InputError(str(path), reason, "Resample the mask to its volume.")
    image = Image.fromarray(inside[0]).resize((shape[2], shape[1]), Image.Resampling.NEAREST)
    return np.asarray(image)[None]


def _along(
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    steps: NDArray[np.float64],
    plane: int,
    affine: NDArray[np.float64],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], tuple[float, float, float], bool]:
    """Slices along an axis, their spacing, and whether the rows are to be turned head up."""
    if plane == 0:
        return images, labels, (steps[0], steps[1], steps[2]), False
    axes = (1, 0, 2) if plane == 1 else (2, 0, 1)
    up = bool(affine[2, 0] > 0)
    spacing = (float(steps[axes[0]]), float(steps[axes[1]]), float(steps[axes[2]]))
    return images.transpose(axes), labels.transpose(axes), spacing, up


def _even(
    slice_HW: NDArray[np.uint8],
    spacing: tuple[float, float, float],
    turned: bool,
    nearest: bool = False,
) -> NDArray[np.uint8]:
    """A slice with square pixels, head up."""
    rows, columns = slice_HW.shape
    least = min(spacing[1:])
    size = round(columns * spacing[2] / least), round(rows * spacing[1] / least)
    how = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    even = (
        slice_HW
        if size == (columns, rows)
        else np.asarray(Image.fromarray(np.ascontiguousarray(slice_HW)).resize(size, how))
    )
    return even[::-1] if turned else even
