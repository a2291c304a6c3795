"""Boxes as COCO and YOLO write them.

COCO (cocodataset.org, "Data format"): one JSON file, ``bbox`` is left, top, width, height in
pixels. YOLO (darknet): beside each image a text file of lines ``class x_centre y_centre width
height`` as shares of the image. All come out as left, top, right, bottom, shares.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tumorviewer.errors import InputError

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, shares of the image."""
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


class Boxed(NamedTuple):
    """One image with its boxes; none: there is nothing on it."""

    path: Path
    boxes: tuple[Box, ...]
    labels: tuple[str, ...]


def read_coco(path: Path) -> tuple[Boxed, ...]:
    """Images of a COCO file, which names them relative to its own folder.

    Raises
    ------
    InputError
        If it is no COCO file, or a box lies outside its image.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        names = {one["id"]: str(one["name"]) for one in content["categories"]}
        of_image: dict[Any, list[Any]] = defaultdict(list)
        for one in content["annotations"]:
            of_image[one["image_id"]].append(one)
        return tuple(
            _of_coco(path, image, of_image[image["id"]], names) for image in content["images"]
        )
    except (KeyError, TypeError, ValueError) as error:
        reason = f"It is no COCO file of boxes: {error!r}."
        raise InputError(str(path), reason, "It needs images, annotations, categories.") from error


def _of_coco(
    path: Path, image: dict[str, Any], annotations: Sequence[Any], names: dict[Any, str]
) -> Boxed:
    width, height = float(image["width"]), float(image["height"])
    boxes = []
    for one in annotations:
        left, top, wide, high = (float(value) for value in one["bbox"])
        box = left / width, top / height, (left + wide) / width, (top + high) / height
        boxes.append(check_box(box, f"{path}: {image['file_name']}"))
    labels = tuple(names[one["category_id"]] for one in annotations)
    return Boxed(path.parent / image["file_name"], tuple(boxes), labels)


def read_yolo(folder: Path, names: Sequence[str]) -> tuple[Boxed, ...]:
    """Images of a folder with text files of the same names, beside them or in ``labels`` next to
    ``images``; an image without one, or with an empty one, shows nothing.

    Parameters
    ----------
    names
        Of the classes, by their numbers.

    Raises
    ------
    InputError
        If a line is none of YOLO's, or a box lies outside its image.
    """
    inside = folder / "images" if (folder / "images").is_dir() else folder
    marked = folder / "labels" if (folder / "labels").is_dir() else inside
    images = [path for path in sorted(inside.iterdir()) if path.suffix.lower() in IMAGES]
    if not images:
        raise InputError(str(folder), "It holds no images.")
    return tuple(_of_yolo(path, marked / f"{path.stem}.txt", names) for path in images)


def _of_yolo(image: Path, text: Path, names: Sequence[str]) -> Boxed:
    boxes, labels = [], []
    for line in text.read_text("utf-8").splitlines() if text.is_file() else ():
        if not line.strip():
            continue
        try:
            number, x, y, wide, high = line.split()
            box = [float(x), float(y), float(wide), float(high)]
            labels.append(names[int(number)])
        except (ValueError, IndexError):
            reason = f"The line {line!r} is not class, x, y, width, height."
            raise InputError(str(text), reason, "Name all classes.") from None
        edges = box[0] - box[2] / 2, box[1] - box[3] / 2, box[0] + box[2] / 2, box[1] + box[3] / 2
        boxes.append(check_box(edges, str(text)))
    return Boxed(image, tuple(boxes), tuple(labels))


_ROUNDING = 0.005


def check_box(box: Box, source: str) -> Box:
    """A box within its image; what rounding takes beyond the edge is cut off.

    Raises
    ------
    InputError
        If it lies outside, or is empty.
    """
    left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in box)
    beyond = max(-min(box), max(box) - 1)
    if beyond > _ROUNDING or left >= right or top >= bottom:
        raise InputError(source, "A box is empty or reaches beyond its image.")
    return left, top, right, bottom
