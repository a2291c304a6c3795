"""Augmentation of whole batches on the training device.

Shapes: N pictures, C channels (neighbouring slices, which change together), S side. Pictures are
float in 0–1, ``(N, C, S, S)``. All randomness comes from the generator of :class:`Augment`, seeded
anew for each epoch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trainer.tools.options import option


@dataclass(frozen=True)
class Augmentation:
    """The table ``[augmentation]``; 0 switches a thing off."""

    flip_horizontal: float = option(
        0.5, "share of pictures mirrored left to right; 0 where a class depends on the side"
    )
    flip_vertical: float = option(0.0, "share of pictures mirrored top to bottom")
    rotation: float = option(15.0, "largest angle, degrees")
    scale: float = option(0.15, "largest change of size, as a share")
    shift: float = option(0.06, "largest shift, as a share of the side")
    shear: float = option(5.0, "largest shear, degrees")
    gamma: float = option(0.3, "largest change of the logarithm of gamma")
    contrast: float = option(0.2, "largest change of contrast, as a share")
    brightness: float = option(0.1, "largest change of brightness, of a range of 1")
    bias_field: float = option(0.2, "largest logarithm of a smooth field that brightens or darkens")
    blur: float = option(0.2, "share of pictures blurred")
    blur_sigma: float = option(1.5, "largest standard deviation of the blur, pixels")
    noise: float = option(0.03, "largest standard deviation of the noise, of a range of 1")
    erase: float = option(0.2, "share of pictures with a rectangle blackened")
    erase_side: float = option(0.3, "longest side of that rectangle, as a share")
    mixup: float = option(0.0, "alpha of the Beta distribution of mixup (Zhang et al., ICLR 2018)")
    cutmix: float = option(0.0, "alpha of the Beta distribution of CutMix (Yun et al., ICCV 2019)")


class Augment:
    """Draws and applies one random change per picture, and mixes pictures with their labels."""

    def __init__(self, settings: Augmentation, device: torch.device) -> None:
        self.settings = settings
        self._generator = torch.Generator(device)
        self._host = np.random.default_rng(0)

    def seed(self, seed: int) -> None:
        """Start an epoch."""
        self._generator.manual_seed(seed)
        self._host = np.random.default_rng(seed)

    def __call__(self, x_NCSS: Tensor) -> Tensor:
        """Changed pictures, in 0–1."""
        return self.appearance(self._affine(x_NCSS))

    def with_masks(self, x_NCSS: Tensor, masks_N1SS: Tensor) -> tuple[Tensor, Tensor]:
        """Changed pictures, and masks that moved along with them."""
        both = self._affine(torch.cat((x_NCSS, masks_N1SS), 1))
        return self.appearance(both[:, :-1]), both[:, -1:]

    def appearance(self, x: Tensor) -> Tensor:
        """Pictures whose grey levels alone are changed, ``(N, C, S, S)``."""
        x = self._intensity(x)
        if self.settings.blur:
            x = self._blur(x)
        if self.settings.noise:
            spread = self._uniform(x, 0, self.settings.noise)
            x = x + spread * torch.randn(x.shape, generator=self._generator, device=x.device)
        x = x.clamp(0, 1)
        return self._erase(x) if self.settings.erase else x

    def mix(self, x_NCSS: Tensor, target_NK: Tensor) -> tuple[Tensor, Tensor]:
        """Mixup or CutMix of the batch with itself reversed; one of the two where both are on."""
        mixup, cutmix = self.settings.mixup, self.settings.cutmix
        if not mixup and not cutmix:
            return x_NCSS, target_NK
        if mixup and (not cutmix or self._host.random() < 0.5):
            share = float(self._host.beta(mixup, mixup))
            x = x_NCSS.lerp(x_NCSS.flip(0), 1 - share)
        else:
            x, share = self._cut(x_NCSS, float(self._host.beta(cutmix, cutmix)))
        return x, target_NK.lerp(target_NK.flip(0), 1 - share)

    def _cut(self, x_NCSS: Tensor, share: float) -> tuple[Tensor, float]:
        side = x_NCSS.shape[-1]
        half = round(side * math.sqrt(1 - share) / 2)
        row, column = (int(centre) for centre in self._host.integers(0, side, 2))
        top, bottom = max(0, row - half), min(side, row + half)
        left, right = max(0, column - half), min(side, column + half)
        x = x_NCSS.clone()
        x[..., top:bottom, left:right] = x_NCSS.flip(0)[..., top:bottom, left:right]
        return x, 1 - (bottom - top) * (right - left) / side**2

    def _uniform(self, x: Tensor, low: float, high: float) -> Tensor:
        drawn = torch.rand((len(x), 1, 1, 1), generator=self._generator, device=x.device)
        return low + (high - low) * drawn

    def _chance(self, x: Tensor, share: float) -> Tensor:
        return self._uniform(x, 0, 1) < share

    def _affine(self, x: Tensor) -> Tensor:
        s = self.settings
        angle = self._uniform(x, -1, 1) * math.radians(s.rotation)
        shear = torch.tan(self._uniform(x, -1, 1) * math.radians(s.shear))
        size = torch.exp(self._uniform(x, -1, 1) * math.log1p(s.scale))
        mirror_x = 1 - 2 * self._chance(x, s.flip_horizontal).float()
        mirror_y = 1 - 2 * self._chance(x, s.flip_vertical).float()
        cos, sin = torch.cos(angle) / size, torch.sin(angle) / size
        first = torch.cat(
            (cos * mirror_x, (cos * shear - sin) * mirror_y, self._uniform(x, -2, 2) * s.shift), 2
        )
        second = torch.cat(
            (sin * mirror_x, (sin * shear + cos) * mirror_y, self._uniform(x, -2, 2) * s.shift), 2
        )
        theta_N23 = torch.cat((first, second), 3).squeeze(1).transpose(1, 2)
        grid = functional.affine_grid(theta_N23, list(x.shape), align_corners=False)
        return functional.grid_sample(x, grid, align_corners=False)

    def _intensity(self, x: Tensor) -> Tensor:
        s = self.settings
        if s.gamma:
            x = x.clamp_min(1e-4) ** torch.exp(self._uniform(x, -s.gamma, s.gamma))
        if s.bias_field:
            coarse = torch.rand((len(x), 1, 4, 4), generator=self._generator, device=x.device)
            field = functional.interpolate(
                coarse * 2 - 1, x.shape[2:], mode="bicubic", align_corners=False
            )
            x = x * torch.exp(field * s.bias_field)
        if s.contrast or s.brightness:
            contrast = 1 + self._uniform(x, -s.contrast, s.contrast)
            brightness = self._uniform(x, -s.brightness, s.brightness)
            x = torch.where(x > 0.02, x * contrast + brightness, x)
        return x

    def _blur(self, x: Tensor) -> Tensor:
        """A Gaussian of its own for each of the first pictures: batches come shuffled."""
        chosen = x[: round(self.settings.blur * len(x))]
        if not len(chosen):
            return x
        reach = max(1, math.ceil(2 * self.settings.blur_sigma))
        channels = chosen.shape[1]
        offset = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
        sigma = self._uniform(chosen, 0.1, self.settings.blur_sigma)
        kernel = torch.exp(-0.5 * (offset / sigma) ** 2)
        kernel = kernel / kernel.sum(-1, keepdim=True)
        kernel = kernel.repeat_interleave(channels, 0)
        rows = chosen.reshape(1, -1, *x.shape[2:])
        rows = functional.conv2d(rows, kernel, padding=(0, reach), groups=len(kernel))
        rows = functional.conv2d(
            rows, kernel.transpose(2, 3), padding=(reach, 0), groups=len(kernel)
        )
        return torch.cat((rows.view_as(chosen), x[len(chosen) :]))

    def _erase(self, x: Tensor) -> Tensor:
        at = torch.linspace(0, 1, x.shape[-1], device=x.device)
        half = self.settings.erase_side / 2
        inside_rows = (at.view(1, 1, -1, 1) - self._uniform(x, 0, 1)).abs() < (
            self._uniform(x, 0.1, 1) * half
        )
        inside_columns = (at - self._uniform(x, 0, 1)).abs() < self._uniform(x, 0.1, 1) * half
        chosen = self._chance(x, self.settings.erase)
        return x.masked_fill(inside_rows & inside_columns & chosen, 0)
