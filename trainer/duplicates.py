"""Near-duplicate pictures, mirrored, flipped and rotated ones included.

Two pictures are near-duplicates if their 64×64 thumbnails, of the whole frame or of the box around
the foreground, correlate above 0.99; or above 0.95 while their high-pass filtered details
correlate above 0.90. For the seven other symmetries of the square: above 0.97 and 0.90. Among the
3,064 distinct slices of 233 patients (figshare 1512427) this rule never fires.

Every pair is compared, coarsely at first: 32×32 thumbnails in blocks of matrix products.

Shapes: N items, V pixels of a thumbnail.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from trainer import pictures
from trainer.progress import Progress
from tumorviewer.analysis.preprocess import foreground

if TYPE_CHECKING:
    from trainer.dataset import Dataset
    from trainer.material import Material

SIDE, DETAIL, SCREEN = 64, 128, 32
CERTAIN, LIKELY, DETAILS, FLIPPED = 0.99, 0.95, 0.90, 0.97
_SCREEN_SLACK = 0.02
_BLOCK, _CHUNK = 2048, 4096
SYMMETRIES = (
    "identity",
    "rotated 90°",
    "rotated 180°",
    "rotated 270°",
    "mirrored",
    "mirrored, rotated 90°",
    "mirrored, rotated 180°",
    "mirrored, rotated 270°",
)


@dataclass(frozen=True, eq=False)
class Views:
    """Thumbnails of each item, uint8: whole frame, foreground box, and the box in detail."""

    frame_NHW: NDArray[np.uint8]
    box_NHW: NDArray[np.uint8]
    detail_NHW: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.frame_NHW)

    def rows(self, rows: NDArray[np.int64]) -> Views:
        """Some of them."""
        return Views(self.frame_NHW[rows], self.box_NHW[rows], self.detail_NHW[rows])


def load_views(dataset: Dataset, folder: Path, progress: Progress) -> Views:
    """Thumbnails of every item, from the cache if it holds them."""
    small, large = SIDE * SIDE, DETAIL * DETAIL
    stored = pictures.decoded_once(
        dataset, thumbnails, (2 * small + large,), "thumbnails 1", folder, progress
    ).array
    return Views(
        stored[:, :small].reshape(-1, SIDE, SIDE),
        stored[:, small : 2 * small].reshape(-1, SIDE, SIDE),
        stored[:, 2 * small :].reshape(-1, DETAIL, DETAIL),
    )


def thumbnails(path: Path) -> NDArray[np.uint8]:
    """Frame, box and detail of one item, one after the other."""
    picture = pictures.read_grey(path)
    top, left, bottom, right = foreground(picture, 0.0)
    whole = Image.fromarray(picture)
    box = Image.fromarray(np.ascontiguousarray(picture[top:bottom, left:right]))
    made = [
        source.resize((side, side), Image.Resampling.BILINEAR)
        for source, side in ((whole, SIDE), (box, SIDE), (box, DETAIL))
    ]
    return np.concatenate([np.asarray(one).ravel() for one in made])


def symmetry(x_NHW: Tensor, which: int) -> Tensor:
    """One of the eight symmetries of the square, as :data:`SYMMETRIES` names them."""
    turned = torch.rot90(x_NHW, which % 4, (1, 2))
    return turned.flip(2) if which >= 4 else turned


def _unit(x_NHW: Tensor) -> Tensor:
    """Vectors ``(N, V)`` of mean 0 and length 1; constant pictures become 0."""
    x = x_NHW.flatten(1).float()
    x = x - x.mean(1, keepdim=True)
    return x / x.norm(dim=1, keepdim=True).clamp_min(1e-6)


def _coarse(views_NHW: NDArray[np.uint8]) -> Tensor:
    x = torch.from_numpy(np.array(views_NHW)).float().unsqueeze(1)
    return F.avg_pool2d(x, SIDE // SCREEN).squeeze(1)


def _high_pass(x_NHW: Tensor) -> Tensor:
    x = x_NHW.float().unsqueeze(1)
    return (x - F.avg_pool2d(x, 9, 1, 4, count_include_pad=False)).squeeze(1)


@dataclass(frozen=True, eq=False)
class _Screen:
    """Coarse vectors of some items: what a block of comparisons multiplies."""

    frame_NV: Tensor
    box_8NV: list[Tensor]

    @classmethod
    def of(cls, views: Views) -> _Screen:
        box = _coarse(views.box_NHW)
        return cls(_unit(_coarse(views.frame_NHW)), [_unit(symmetry(box, s)) for s in range(8)])


def _blocks(one: _Screen, other: _Screen, upper: bool) -> Iterator[tuple[int, int, int, Tensor]]:
    """First row, first column, symmetry and correlations of each block of all pairs."""
    for row in range(0, len(one.frame_NV), _BLOCK):
        for column in range(row if upper else 0, len(other.frame_NV), _BLOCK):
            rows, columns = slice(row, row + _BLOCK), slice(column, column + _BLOCK)
            for which in range(8):
                correlation = one.box_8NV[0][rows] @ other.box_8NV[which][columns].T
                if which == 0:
                    frame = one.frame_NV[rows] @ other.frame_NV[columns].T
                    correlation = torch.maximum(correlation, frame)
                yield row, column, which, correlation


def _threshold(which: int) -> float:
    return (LIKELY if which == 0 else FLIPPED) - _SCREEN_SLACK


@torch.inference_mode()
def find(views: Views, progress: Progress) -> NDArray[np.int64]:
    """All near-duplicate pairs.

    Returns
    -------
    ndarray
        ``(M, 3)``: two rows, the first the lower, and the symmetry that takes the second to the
        first; a pair that several symmetries join is listed once, with the first of them.
    """
    screen = _Screen.of(views)
    blocks = -(-len(views) // _BLOCK)
    total, found = blocks * (blocks + 1) // 2 * 8, []
    for done, (row, column, which, correlation) in enumerate(_blocks(screen, screen, True), 1):
        at = (correlation > _threshold(which)).nonzero() + torch.tensor([row, column])
        at = at[at[:, 0] < at[:, 1]]
        found.append(at[_confirm(views, views, at, which)])
        found[-1] = F.pad(found[-1], (0, 1), value=which)
        progress("comparing", done, total)
    pairs = torch.cat(found).numpy()
    pairs = pairs[np.lexsort((pairs[:, 2], pairs[:, 1], pairs[:, 0]))]
    _, first = np.unique(pairs[:, :2], axis=0, return_index=True)
    return np.asarray(pairs[first], np.int64)


def _confirm(one: Views, other: Views, at_M2: Tensor, which: int) -> Tensor:
    """Which candidate pairs are near-duplicates, at full resolution."""
    return torch.cat(
        [torch.zeros(0, dtype=torch.bool)]
        + [_confirm_chunk(one, other, chunk, which) for chunk in at_M2.split(_CHUNK)]
    )


def _confirm_chunk(one: Views, other: Views, at_M2: Tensor, which: int) -> Tensor:
    first, second = at_M2[:, 0].numpy(), at_M2[:, 1].numpy()
    correlate = partial(_correlate, which=which)
    likeness = correlate(one.box_NHW[first], other.box_NHW[second])
    if which == 0:
        likeness = torch.maximum(likeness, correlate(one.frame_NHW[first], other.frame_NHW[second]))
    certain = likeness > CERTAIN if which == 0 else torch.zeros_like(likeness, dtype=torch.bool)
    unsure = ((likeness > (LIKELY if which == 0 else FLIPPED)) & ~certain).nonzero()[:, 0]
    if len(unsure):
        some = unsure.numpy()
        details = correlate(
            one.detail_NHW[first[some]], other.detail_NHW[second[some]], high_pass=True
        )
        certain[unsure[details > DETAILS]] = True
    return certain


def _correlate(
    one_MHW: NDArray[np.uint8], other_MHW: NDArray[np.uint8], which: int, high_pass: bool = False
) -> Tensor:
    one, other = torch.from_numpy(one_MHW), symmetry(torch.from_numpy(other_MHW), which)
    if high_pass:
        one, other = _high_pass(one), _high_pass(other)
    return (_unit(one) * _unit(other)).sum(1)


@torch.inference_mode()
def nearest(asked: Views, known: Views) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The likest known picture of each asked one under any symmetry, and whether it has a twin.

    Returns
    -------
    tuple
        ``(N,)`` rows of ``known``; ``(N,)`` whether any of them is a near-duplicate.
    """
    best = torch.full((len(asked),), -2.0)
    at = torch.zeros(len(asked), dtype=torch.long)
    is_twin = torch.zeros(len(asked), dtype=torch.bool)
    for row, column, which, correlation in _blocks(_Screen.of(asked), _Screen.of(known), False):
        rows = slice(row, row + len(correlation))
        value, where = correlation.max(1)
        better = value > best[rows]
        best[rows] = torch.where(better, value, best[rows])
        at[rows] = torch.where(better, where + column, at[rows])
        candidates = (correlation > _threshold(which)).nonzero() + torch.tensor([row, column])
        is_twin[candidates[_confirm(asked, known, candidates, which)][:, 0]] = True
    return at.numpy(), is_twin.numpy()


def summary(material: Material) -> dict[str, Any]:
    """What an audit says in a few numbers."""
    return {}
