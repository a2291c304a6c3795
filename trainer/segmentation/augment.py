"""Changes of whole batches that keep image and outline together.

Shapes: N images, S side; what is cut from the squares has side T.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from trainer.segmentation.slices import BRAIN, BRAIN_UNKNOWN, TUMOUR
from trainer.tools.options import option
from trainer.training.augment import Augment, Augmentation

_STILL = {"flip_horizontal": 0.0, "rotation": 0.0, "scale": 0.0, "shift": 0.0, "shear": 0.0}


@dataclass(frozen=True)
class SegmentationAugmentation:
    """The table ``[augmentation]`` of a segmenter."""

    flip: float = option(0.5, "share of images mirrored left to right")
    quarter_turns: float = option(0.06, "share of images turned by 90, 180 or 270 degrees")
    rotation: float = option(20.0, "largest angle of most images, degrees")
    wide_rotation: float = option(0.10, "share of images turned by up to 45 degrees")
    zoom: float = option(0.25, "largest change of the logarithm of size")
    shift: float = option(0.08, "largest shift, as a share of the side")
    strip: float = option(0.25, "share of images with known brain of which only the brain is left")
    implant: float = option(
        0.10, "share of images without a tumour that are given another image's outline, brightened"
    )
    close_up: float = option(0.10, "share of images shown at twice the size, around any place")
    resolution: float = option(0.15, "share of images whose rows or columns are thinned out")
    gamma: float = option(0.3, "largest change of the logarithm of gamma")
    contrast: float = option(0.25, "largest change of contrast, as a share")
    brightness: float = option(0.1, "largest change of brightness, of a range of 1")
    bias_field: float = option(0.25, "largest logarithm of a smooth field")
    blur: float = option(0.1, "share of images blurred")
    noise: float = option(0.03, "largest standard deviation of the noise, of a range of 1")


@dataclass(eq=False)
class Batch:
    """Images with what is to be learned of them."""

    images: Tensor
    """``(N, 1, S, S)`` in 0–1."""
    labels: Tensor
    """``(N, 1, S, S)`` bits, uint8."""
    classes: Tensor
    """``(N,)``; −1: not known."""

    def has(self, bit: int) -> Tensor:
        """``(N, 1, S, S)`` bool."""
        return (self.labels & bit) > 0


@dataclass(eq=False)
class SegmentationAugment:
    """Draws one random change per image."""

    settings: SegmentationAugmentation
    size: int
    """Side of what the network sees."""
    none: int
    """The class of tissue that is no tumour."""
    generator: torch.Generator = field(default_factory=torch.Generator)

    def __post_init__(self) -> None:
        s = self.settings
        kept = {
            key: getattr(s, key)
            for key in ("gamma", "contrast", "brightness", "bias_field", "blur", "noise")
        }
        appearance = Augmentation(**_STILL, erase=0.0, **kept)
        self._appearance = Augment(appearance, torch.device("cpu"))

    def seed(self, seed: int) -> None:
        """Start an epoch."""
        self.generator.manual_seed(seed)
        self._appearance.seed(seed)

    def __call__(self, batch: Batch) -> Batch:
        """Changed images with their labels."""
        stripped = self._strip(batch)
        moved = self._move(batch, stripped)
        self._implant(moved)
        self._thin_out(moved)
        moved.images = self._appearance.appearance(moved.images)
        return moved

    def _draw(self, count: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=self.generator)

    def _strip(self, batch: Batch) -> Tensor:
        known = ~batch.has(BRAIN_UNKNOWN).flatten(1).any(1)
        enough = batch.has(BRAIN).float().flatten(1).mean(1) > 0.05
        chosen = (self._draw(len(known)) < self.settings.strip) & known & enough
        for index in torch.nonzero(chosen).flatten().tolist():
            brain = batch.has(BRAIN)[index].float()
            reach = int(torch.randint(0, 4, (1,), generator=self.generator))
            if reach:
                brain = functional.max_pool2d(brain, 2 * reach + 1, 1, reach)
            batch.images[index] *= brain
        return chosen

    def _move(self, batch: Batch, stripped: Tensor) -> Batch:
        s, count = self.settings, len(batch.images)
        widest = torch.where(self._draw(count) < s.wide_rotation, 45.0, s.rotation)
        angle = self._draw(count, -1, 1) * torch.deg2rad(widest)
        turns = torch.randint(1, 4, (count,), generator=self.generator) * (math.pi / 2)
        angle = angle + torch.where(self._draw(count) < s.quarter_turns, turns, 0.0)
        size = torch.exp(self._draw(count, -s.zoom, s.zoom) + 0.18 * stripped)
        mirrored = torch.where(self._draw(count) < s.flip, -1.0, 1.0)
        shift = self._draw(2 * count, -2 * s.shift, 2 * s.shift).view(2, count)
        cos, sin = torch.cos(angle) / size, torch.sin(angle) / size
        rows = torch.stack((mirrored * cos, -sin, shift[0], mirrored * sin, cos, shift[1]), 1).view(
            count, 2, 3
        )
        self._close_up(batch, rows)
        grid = functional.affine_grid(rows, [count, 1, self.size, self.size], align_corners=False)
        images = functional.grid_sample(batch.images, grid, align_corners=False)
        labels = functional.grid_sample(
            batch.labels.float(), grid, mode="nearest", align_corners=False
        )
        moved = Batch(images, labels.to(torch.uint8), batch.classes.clone())
        had, has = (one.has(TUMOUR).flatten(1).any(1) for one in (batch, moved))
        moved.classes[had & ~has] = self.none
        return moved

    def _close_up(self, batch: Batch, rows_N23: Tensor) -> None:
        side = batch.images.shape[-1]
        chosen = self._draw(len(batch.images)) < self.settings.close_up
        for index in torch.nonzero(chosen).flatten().tolist():
            brain = torch.nonzero(batch.has(BRAIN)[index, 0])
            if len(brain):
                pick = int(torch.randint(0, len(brain), (1,), generator=self.generator))
                row, column = (2 * brain[pick].float() + 1) / side - 1
                rows_N23[index, :, :2] /= 2
                rows_N23[index, :, 2] = torch.stack((column, row))

    def _implant(self, batch: Batch) -> None:
        """Bright lesions with other images' outlines, where a brain is known to have none."""
        outlined = batch.has(TUMOUR)
        areas = outlined.flatten(1).sum(1)
        donors = torch.nonzero(areas > 80).flatten()
        takers = torch.nonzero(
            (areas == 0)
            & (batch.classes == self.none)
            & (self._draw(len(areas)) < self.settings.implant)
        ).flatten()
        for taker in takers.tolist() if len(donors) else ():
            pick = int(torch.randint(0, len(donors), (1,), generator=self.generator))
            shape = outlined[donors[pick], 0] & batch.has(BRAIN)[taker, 0]
            if shape.sum() > 0.6 * areas[donors[pick]]:
                self._brighten(batch, taker, shape)

    def _brighten(self, batch: Batch, index: int, shape_SS: Tensor) -> None:
        image, brain = batch.images[index, 0], batch.has(BRAIN)[index, 0]
        level = torch.quantile(image[brain], 0.9) * self._draw(1, 1.0, 1.6)
        coarse = torch.rand((1, 1, 8, 8), generator=self.generator) * 0.5 + 0.75
        texture = functional.interpolate(coarse, shape_SS.shape, mode="bicubic")[0, 0]
        soft = functional.avg_pool2d(shape_SS.float()[None], 5, 1, 2)[0] * self._draw(1, 0.6, 1.0)
        batch.images[index, 0] = (image + soft * (level * texture - image)).clamp(0, 1)
        batch.labels[index, 0][shape_SS] |= TUMOUR
        batch.classes[index] = -1

    def _thin_out(self, batch: Batch) -> None:
        side = batch.images.shape[-1]
        chosen = self._draw(len(batch.images)) < self.settings.resolution
        for index in torch.nonzero(chosen).flatten().tolist():
            factor = float(self._draw(1, 1.3, 5.0))
            both = float(self._draw(1)) < 0.5
            size = (round(side / factor), round(side / (min(factor, 2.5) if both else 1)))
            if float(self._draw(1)) < 0.5:
                size = size[::-1]
            thin = functional.interpolate(batch.images[index : index + 1], size, mode="area")
            batch.images[index] = functional.interpolate(thin, (side, side), mode="bilinear")[0]


__all__ = ["Batch", "SegmentationAugment", "SegmentationAugmentation"]
