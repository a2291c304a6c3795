"""Pictures that the tests draw."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def draw(kind: str, generator: np.random.Generator, side: int = 64) -> Image.Image:
    """A bright shape on a noisy ground."""
    picture = Image.fromarray(generator.integers(0, 50, (side, side), dtype=np.uint8))
    pen = ImageDraw.Draw(picture)
    radius = int(generator.integers(8, 14))
    x, y = (int(centre) for centre in generator.integers(radius + 2, side - radius - 2, 2))
    grey = int(generator.integers(150, 255))
    box = (x - radius, y - radius, x + radius, y + radius)
    if kind == "disc":
        pen.ellipse(box, fill=grey)
    elif kind == "ring":
        pen.ellipse(box, outline=grey, width=3)
    else:
        pen.rectangle(box, fill=grey)
    return picture


def texture(generator: np.random.Generator, side: int = 160) -> Image.Image:
    """A lopsided head with details of its own, as different from the next as two slices are."""
    noise = Image.fromarray(generator.integers(0, 256, (side // 8, side // 8), dtype=np.uint8))
    inside = noise.resize((side, side), Image.Resampling.BICUBIC)
    head = Image.new("L", (side, side))
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).ellipse((10, 20, side - 30, side - 8), fill=255)
    head.paste(inside, mask=mask)
    return head.filter(ImageFilter.GaussianBlur(1))
