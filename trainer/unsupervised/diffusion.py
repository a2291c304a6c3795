"""A small conditional diffusion model of pictures: the network, its loss and its sampler.

Denoising diffusion (Ho et al., NeurIPS 2020) in continuous time with the cosine schedule (Nichol &
Dhariwal, ICML 2021): at the angle φ between 0 (the picture x) and π/2 (noise ε) the network sees
z = cos φ · x + sin φ · ε and answers the velocity v = cos φ · ε − sin φ · x (Salimans & Ho, ICLR
2022). The class is dropped at times, so that the sampler can be guided (Ho & Salimans, 2021).
Pictures travel as patches of 2×2 pixels in four channels, which costs a fourth of the arithmetic
(Luhman & Luhman, 2022).

A generative adversarial network would be faster to sample from, but balances two losses and often
has to be watched; this has one regression loss that falls, which is what an unattended run on a
few cores needs.

Shapes: N pictures, C channels, S side, H W feature map, E width of the condition.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.tools.options import option
from trainer.training.augment import Augment

_PATCH = 2
_LEVELS = 3


@dataclass(frozen=True)
class DiffusionSettings:
    """The table ``[generator]``."""

    width: int = option(48, "channels at the finest of three levels; twice as many at the others")
    unconditional: float = option(0.1, "share of pictures whose class is withheld in training")
    guidance: float = option(1.5, "of the sampler towards the class; 1: none")
    steps: int = option(50, "of the sampler (DDIM, Song et al., ICLR 2021)")

    def __post_init__(self) -> None:
        if self.width < 8 or self.width % 8:
            raise ValueError("width must be a multiple of 8")
        if self.steps < 1:
            raise ValueError("steps must be at least 1")


class _Block(nn.Module):
    """Two convolutions around a shortcut; the condition scales and shifts between them."""

    def __init__(self, inputs: int, outputs: int, condition: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(8, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.condition = nn.Linear(condition, 2 * outputs)
        self.norm = nn.GroupNorm(8, outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        nn.init.zeros_(self.second.weight)

    def forward(self, x_NCHW: Tensor, condition_NE: Tensor) -> Tensor:
        scale, shift = self.condition(condition_NE)[:, :, None, None].chunk(2, 1)
        inside = self.norm(self.first(x_NCHW)) * (1 + scale) + shift
        out: Tensor = self.shortcut(x_NCHW) + self.second(functional.silu(inside))
        return out


class _Attention(nn.Module):
    """Every place of the coarsest map looks at every other."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.attention = nn.MultiheadAttention(channels, 4, batch_first=True)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        tokens = self.norm(x_NCHW).flatten(2).transpose(1, 2)
        seen, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        out: Tensor = x_NCHW + seen.transpose(1, 2).reshape(x_NCHW.shape)
        return out


class Denoiser(nn.Module):
    """A U-Net that answers the velocity at an angle, given the class.

    Parameters
    ----------
    classes
        So many; class number ``classes`` is "withheld".
    """

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.classes = classes
        self._frequencies = width // 2
        sizes, condition = (width, 2 * width, 2 * width), 4 * width
        self.of_class = nn.Embedding(classes + 1, condition)
        self.of_angle = nn.Sequential(
            nn.Linear(2 * self._frequencies, condition),
            nn.SiLU(),
            nn.Linear(condition, condition),
        )
        self.enter = nn.Conv2d(_PATCH * _PATCH, width, 3, padding=1)
        inputs = (width, *sizes[:-1])
        self.down = nn.ModuleList(map(_Block, inputs, sizes, [condition] * _LEVELS))
        self.middle = _Attention(sizes[-1])
        self.up = nn.ModuleList(map(_Block, [2 * one for one in sizes], inputs, [condition] * 3))
        self.leave = nn.Sequential(
            nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, _PATCH * _PATCH, 3, padding=1)
        )

    def forward(self, z_N1SS: Tensor, angle_N: Tensor, label_N: Tensor) -> Tensor:
        """The velocity ``(N, 1, S, S)``."""
        condition = functional.silu(self.of_angle(self._waves(angle_N)) + self.of_class(label_N))
        x, seen = self.enter(functional.pixel_unshuffle(z_N1SS, _PATCH)), []
        for level, block in enumerate(self.down):
            x = block(functional.avg_pool2d(x, 2) if level else x, condition)
            seen.append(x)
        x = self.middle(x)
        for level in reversed(range(_LEVELS)):
            x = self.up[level](torch.cat((x, seen[level]), 1), condition)
            x = functional.interpolate(x, scale_factor=2.0) if level else x
        velocity: Tensor = functional.pixel_shuffle(self.leave(x), _PATCH)
        return velocity

    def _waves(self, angle_N: Tensor) -> Tensor:
        powers = torch.linspace(0, math.log(100), self._frequencies, device=angle_N.device)
        phase = angle_N[:, None] * torch.exp(powers)
        return torch.cat((phase.sin(), phase.cos()), 1)


@dataclass(frozen=True)
class DiffusionLoss:
    """The mean squared error of the velocity at random angles; an ``Objective``."""

    unconditional: float

    def __call__(
        self, network: nn.Module, augment: Augment, x_N1SS: Tensor, label_N: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch of pictures in 0–1."""
        x = augment(x_N1SS) * 2 - 1
        noise = torch.randn_like(x)
        angle = torch.rand(len(x), device=x.device) * (math.pi / 2)
        withheld = torch.rand(len(x), device=x.device) < self.unconditional
        assert isinstance(network, Denoiser)
        label = torch.where(withheld, network.classes, label_N)
        cos, sin = (one.view(-1, 1, 1, 1) for one in (angle.cos(), angle.sin()))
        velocity = network(cos * x + sin * noise, angle, label)
        return functional.mse_loss(velocity.float(), cos * noise - sin * x), {}


@torch.inference_mode()
def sample_images(
    network: Denoiser, label_N: Tensor, side: int, settings: DiffusionSettings, seed: int
) -> Tensor:
    """Draw pictures of some classes with DDIM, guided.

    Returns
    -------
    Tensor
        ``(N, S, S)`` uint8 on the CPU; a function of the seed and the classes alone.
    """
    network.eval()
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn((len(label_N), 1, side, side), generator=generator).to(label_N.device)
    angles = torch.linspace(math.pi / 2, 0, settings.steps + 1).tolist()
    for now, then in itertools.pairwise(angles):
        angle = torch.full((len(z),), now, device=z.device)
        velocity = network(z, angle, label_N)
        if settings.guidance != 1:
            free = network(z, angle, torch.full_like(label_N, network.classes))
            velocity = free + settings.guidance * (velocity - free)
        picture = (math.cos(now) * z - math.sin(now) * velocity).clamp(-1, 1)
        remaining = (z - math.cos(now) * picture) / math.sin(now)
        z = math.cos(then) * picture + math.sin(then) * remaining
    return ((z.squeeze(1) + 1) * 127.5).round().clamp(0, 255).byte().cpu()
