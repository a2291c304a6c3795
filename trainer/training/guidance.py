"""Attention or class activation maps held against outlines of the lesion (guided attention, after
Li et al., "Tell Me Where to Look", CVPR 2018).

Shapes: N pictures, S side, K classes, H W feature map.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from trainer.data import prepared_images, volumes
from trainer.data.items import Dataset, LabelledItem
from trainer.tools.options import option
from trainer.tools.progress import Progress
from tumorviewer.analysis.preprocess import prepare_image
from tumorviewer.errors import InputError
from tumorviewer.models.card import Preprocessing
from tumorviewer.networks import Classifier

_PLACES, _SMOOTH = 4.0, 0.1
"""Weight of the single places beside the overlap of the whole; what keeps that from 0 / 0."""


@dataclass(frozen=True)
class GuidanceSettings:
    """The table ``[guidance]``."""

    weight: float = option(
        0.0,
        "weight of the loss of attention, or of class activation maps, against outlines of the "
        "lesion",
    )
    masks: str = option(
        "",
        "folder, in the data's or of its own, with the outlines, PNG files named as the items; "
        "empty: the column mask of the data's table",
    )


class Guided(nn.Module):
    """A network that answers beside its logits what each place says."""

    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, x_NCSS: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``(N, K)`` and scores ``(N, 1 or K, H, W)``."""
        maps = self.network.trunk(x_NCSS)
        scores = self.network.scores(maps)
        assert scores is not None
        return self.network.head(maps), scores


class Masked(NamedTuple):
    """Outlines of some pictures."""

    masks: Tensor
    """``(N, 1, S, S)`` in 0–1."""
    known: Tensor
    """``(N,)``: whether the picture has one."""

    def split(self, parts: int) -> list[Masked]:
        """In so many parts."""
        pairs = zip(self.masks.tensor_split(parts), self.known.tensor_split(parts), strict=True)
        return [Masked(masks, known) for masks, known in pairs]


@dataclass(frozen=True, eq=False)
class OutlineStore:
    """The lesions of a data set as the network sees its pictures, row by row."""

    array: NDArray[np.uint8]
    """``(N, S, S)``, 255 inside; a memory map."""
    known: NDArray[np.bool_]
    """``(N,)``: whether the item has an outline; the rows of the others are black."""


@dataclass(frozen=True, eq=False)
class Guidance:
    """Outlines, and how much they count."""

    outlines: OutlineStore
    weight: float

    def batch(self, rows_N: Tensor, device: torch.device) -> Masked:
        """The outlines of some items."""
        rows = rows_N.cpu().numpy()
        masks = torch.from_numpy(self.outlines.array[rows]).to(device)
        known = torch.from_numpy(self.outlines.known[rows]).to(device)
        return Masked(masks.unsqueeze(1).float().div_(255), known)

    def loss(self, scores_NKHW: Tensor, masked: Masked, labels_N: Tensor) -> Tensor:
        """The weighted loss of the attention, or of the true classes' maps."""
        if scores_NKHW.shape[1] == 1:
            return self.weight * compute_attention_loss(scores_NKHW, masked.masks, masked.known)
        own = scores_NKHW[torch.arange(len(labels_N)), labels_N]
        return self.weight * compute_class_map_loss(own, masked.masks, masked.known)


def find_outlined(dataset: Dataset, folder: str) -> Dataset:
    """The data set with the outlines of a folder in it, by the items' names without suffix."""
    if not folder:
        return dataset
    inside = dataset.root / folder
    where = inside if inside.is_dir() else Path(folder)
    found = {path.stem: path for path in where.glob("*.png")}
    items = [replace(item, mask=found.get(item.path.stem)) for item in dataset.items]
    return replace(dataset, items=tuple(items))


def load_outlines(
    dataset: Dataset, settings: Preprocessing, folder: Path, progress: Progress
) -> OutlineStore:
    """Map the outlines of a data set, drawing them if ``folder`` does not hold them.

    Raises
    ------
    InputError
        If there are none, or one cannot be read or is of another shape than its slice.
    """
    known = np.array([item.mask is not None for item in dataset.items])
    if not known.any():
        reason = "It has no outlines, and [guidance] needs them."
        raise InputError(
            str(dataset.root),
            reason,
            "Name their folder as guidance.masks, or each in the table's column mask.",
        )
    what = f"outlines {json.dumps(asdict(settings))}"
    shape = (settings.size, settings.size)
    stored = prepared_images.decode_once(
        dataset, partial(_drawn, settings=settings), shape, what, folder, progress
    )
    for name, reason in stored.unreadable.items():
        raise InputError(name, f"Its outline cannot be used: {reason}")
    return OutlineStore(stored.array, known)


def _drawn(item: LabelledItem, settings: Preprocessing) -> NDArray[np.uint8]:
    if item.mask is None:
        return np.zeros((settings.size, settings.size), np.uint8)
    index = item.slice or 0
    picture = volumes.read_grey(item.path, item.slice)
    inside = volumes.read_item_volume(item.mask, item.slice).array[index] != 0
    if inside.shape != picture.shape:
        reason = f"It is {inside.shape}, the slice {picture.shape} (rows, columns)."
        raise InputError(str(item.mask), reason)
    box = prepare_image(picture, settings)[1]
    mask = Image.fromarray(inside.astype(np.uint8) * 255)
    square = mask.crop((box.left, box.top, box.left + box.side, box.top + box.side))
    return np.asarray(square.resize((settings.size, settings.size), Image.Resampling.BILINEAR))


def compute_attention_loss(scores_N1HW: Tensor, masks_N1SS: Tensor, known_N: Tensor) -> Tensor:
    """Cross-entropy of each place and Dice overlap of the whole (Milletari et al., 3DV 2016)."""
    rows, columns = scores_N1HW.shape[2:]
    inside = functional.adaptive_avg_pool2d(masks_N1SS, (rows, columns))
    places = functional.binary_cross_entropy_with_logits(scores_N1HW, inside, reduction="none")
    probable, axes = scores_N1HW.sigmoid(), (1, 2, 3)
    common = 2 * (probable * inside).sum(axes) + _SMOOTH
    overlap = common / (probable.sum(axes) + inside.sum(axes) + _SMOOTH)
    each_N = _PLACES * places.mean(axes) + 1 - overlap
    mean: Tensor = (each_N * known_N).sum() / known_N.sum().clamp_min(1)
    return mean


def compute_class_map_loss(maps_NHW: Tensor, masks_N1SS: Tensor, known_N: Tensor) -> Tensor:
    """Cross-entropy of where the true class's map is high, as a distribution over its places, with
    the outline as one. How high it is, which decides the class, stays free; empty outlines say
    nothing."""
    rows, columns = maps_NHW.shape[1:]
    inside = functional.adaptive_avg_pool2d(masks_N1SS, (rows, columns)).flatten(1)
    area_N = inside.sum(1)
    logarithms = maps_NHW.flatten(1).log_softmax(1)
    each_N = -(logarithms * inside).sum(1) / area_N.clamp_min(1e-6)
    counted_N = known_N & (area_N > 0)
    mean: Tensor = (each_N * counted_N).sum() / counted_N.sum().clamp_min(1)
    return mean
