"""Pictures that a generator made: marked as such, recognised, and added to training only. No torch.

A folder of samples holds a folder per class, ``manifest.csv`` (path, label, synthetic, generator)
and ``synthetic.json``, written last. Each picture says in its name and in a PNG text chunk
(PNG 11.3.3) that it is synthetic, so that it is still known when it was moved or renamed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from trainer.data.items import Dataset, LabelledItem
from trainer.tools.atomic_files import read_json, write_csv, write_json
from tumorviewer.errors import InputError
from tumorviewer.models.card import Preprocessing

RECORD, MANIFEST = "synthetic.json", "manifest.csv"
_KEY = "Synthetic"


def hash_file(path: Path) -> str:
    """Of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_synthetic(path: Path) -> bool:
    """Whether a file says that a generator made it; what cannot be read does not."""
    if path.suffix.lower() != ".png":
        return False
    try:
        with Image.open(path) as picture:
            return _KEY in picture.info
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError):
        return False


def count_synthetic(dataset: Dataset) -> int:
    """How many items a generator made, those among them that only their file says it of."""
    return sum(item.synthetic or is_synthetic(item.path) for item in dataset.items)


def write_synthetic(
    out: Path,
    made: dict[str, NDArray[np.uint8]],
    generator: dict[str, Any],
    refused: int,
    preprocessing: Preprocessing,
) -> dict[str, Any]:
    """Write pictures ``(N, S, S)`` of each class; answers what ``synthetic.json`` holds.

    Raises
    ------
    InputError
        If they cannot be written.
    """
    digest = generator["sha256"]
    rows = []
    try:
        for name, pictures in made.items():
            (out / name).mkdir(parents=True, exist_ok=True)
            for number, picture in enumerate(pictures):
                path = Path(name) / f"synthetic_{name}_{digest[:8]}_{number:05d}.png"
                _save(picture, out / path, f"Made by the generator {digest}; no patient.")
                rows.append((path.as_posix(), name, "yes", digest))
    except OSError as error:
        reason = f"The samples cannot be written: {error.strerror or error}."
        raise InputError(str(out), reason, "Make room or choose another folder.") from error
    write_csv(out / MANIFEST, ("path", "label", "synthetic", "generator_sha256"), rows)
    record = {
        "synthetic": True,
        "pictures": {name: len(pictures) for name, pictures in made.items()},
        "refused_near_duplicates": refused,
        "generator_sha256": digest,
        "generator_method": generator["method"],
        "size": preprocessing.size,
        "generator_training_sha256": generator["training_sha256"],
    }
    write_json(out / RECORD, record)
    return record


def _save(picture: NDArray[np.uint8], path: Path, words: str) -> None:
    said = PngInfo()
    said.add_text(_KEY, words)
    Image.fromarray(picture).save(path, pnginfo=said)


@dataclass(frozen=True, eq=False)
class Samples:
    """A folder of samples."""

    folder: Path
    record: dict[str, Any]
    items: tuple[Path, ...]
    """Below the folder."""
    labels: NDArray[np.int64]
    """``(N,)`` index of each one's class among those asked for."""

    def pictures(self, size: int) -> NDArray[np.uint8]:
        """``(N, size, size)``, as they were drawn.

        Raises
        ------
        InputError
            If one cannot be read or has another size.
        """
        found = []
        for item in self.items:
            try:
                with Image.open(self.folder / item) as picture:
                    found.append(np.asarray(picture.convert("L")))
            except (OSError, UnidentifiedImageError) as error:
                raise InputError(str(self.folder / item), f"It cannot be read: {error}.") from error
            if found[-1].shape != (size, size):
                raise InputError(str(self.folder / item), f"It is not {size} by {size}.")
        return np.stack(found)


def read_synthetic(folder: Path, classes: tuple[str, ...] | list[str]) -> Samples:
    """Read a folder of samples of some classes.

    Raises
    ------
    InputError
        If it is none, is not complete, or holds another class.
    """
    if not (folder / RECORD).is_file():
        reason = f"It is no folder of samples: {RECORD} is missing."
        raise InputError(str(folder), reason, "Make one with tumorviewer-train generate sample.")
    record = read_json(folder / RECORD)
    if unknown := sorted(set(record["pictures"]) - set(classes)):
        raise InputError(str(folder), f"The data have no class {', '.join(unknown)}.")
    items = tuple(
        path.relative_to(folder)
        for name in classes
        for path in sorted((folder / name).glob("*.png"))
    )
    if len(items) != sum(record["pictures"].values()) or not items:
        raise InputError(str(folder), "Samples are missing, or others were added.")
    labels = np.array([classes.index(item.parts[0]) for item in items], np.int64)
    return Samples(folder, record, items, labels)


def join_synthetic(dataset: Dataset, folder: Path) -> Dataset:
    """A data set with samples added behind its items.

    Raises
    ------
    InputError
        As :func:`read_synthetic`.
    """
    found = read_synthetic(folder.resolve(), dataset.classes)
    items = tuple(
        LabelledItem(
            folder.resolve() / path, f"synthetic/{path.as_posix()}", int(label), synthetic=True
        )
        for path, label in zip(found.items, found.labels, strict=True)
    )
    return replace(dataset, items=dataset.items + items)


def refuse_seen(folder: Path, held: set[str]) -> None:
    """Samples may not be trained on if their generator has seen what is validated on.

    Parameters
    ----------
    held
        SHA-256 of the validation items.

    Raises
    ------
    InputError
        If it has.
    """
    seen = held & set(read_json(folder / RECORD)["generator_training_sha256"])
    if seen:
        reason = f"Its generator was trained on {len(seen)} items of the validation part."
        raise InputError(str(folder), reason, "Make samples of a generator of the same split.")
