"""Measures of how good a picture of a head is, made without a reference. No torch.

Shapes: S side of what a network sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.preprocess import find_bright
from tumorviewer.language import later


class Quality(NamedTuple):
    """Of one picture; what is usual is told by the held-out pictures of a model."""

    clipped: float
    """Share of the foreground at the brightest grey level."""
    sharpness: float
    """Variance of the Laplacian over that of the grey levels in the foreground (Pech-Pacheco et
    al., ICPR 2000)."""
    noise: float
    """Standard deviation by Immerkær (CVIU 1996), as a share of the foreground's mean."""
    entropy: float
    """Entropy focus criterion (Atkinson et al., IEEE Trans. Med. Imaging 1997), 0–1: ghosts and
    motion spread a head's energy over the picture."""
    cut: float
    """Share of the four sides of the foreground's rectangle along which it ends: a head that is
    wholly shown touches them at a point each."""


def measure_quality(picture_SS: NDArray[np.uint8]) -> Quality:
    """Measure a picture as the network sees it."""
    inside = find_bright(picture_SS)
    if not inside.any():
        return Quality(0, 0, 0, 1, 0)
    grey = picture_SS.astype(np.float32)
    mean, variance = float(grey[inside].mean()), float(grey[inside].var())
    across, down = _second_difference(grey), _second_difference(grey.T).T
    within = inside[1:-1, 1:-1]
    edges = (across[1:-1] + down[:, 1:-1])[within]
    rough = np.abs(_second_difference(down))[within]
    return Quality(
        clipped=float(np.mean(picture_SS[inside] >= 254)),
        sharpness=float(edges.var()) / max(variance, 1.0),
        noise=float(np.sqrt(np.pi / 2) * rough.mean() / 6) / max(mean, 1.0),
        entropy=_entropy(grey),
        cut=_cut(picture_SS, inside),
    )


def _second_difference(grey_HW: NDArray[np.float32]) -> NDArray[np.float32]:
    """Along the columns, which become two fewer."""
    return grey_HW[:, :-2] - 2 * grey_HW[:, 1:-1] + grey_HW[:, 2:]


def _entropy(grey_SS: NDArray[np.float32]) -> float:
    energy = np.sqrt(np.square(grey_SS, dtype=np.float64).sum())
    share = grey_SS[grey_SS > 0] / energy
    largest = np.sqrt(grey_SS.size) * np.log(np.sqrt(grey_SS.size))
    return float(-(share * np.log(share)).sum() / largest)


def _cut(picture_SS: NDArray[np.uint8], inside_SS: NDArray[np.bool_]) -> float:
    """Padding is black and no part of the rectangle."""
    rows, columns = np.flatnonzero(picture_SS.any(1)), np.flatnonzero(picture_SS.any(0))
    shown = inside_SS[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    sides = (shown[0], shown[-1], shown[:, 0], shown[:, -1])
    return float(np.mean([side.mean() for side in sides]))


def find_faults(found: Quality, usual: Mapping[str, Sequence[float]]) -> list[str]:
    """What is the matter with a picture, in sentences to be translated.

    Parameters
    ----------
    usual
        Least and greatest usual value by the measure's name; what is not in it is not looked at.
    """
    said = []
    for name, value in found._asdict().items():
        low, high = usual.get(name, (-np.inf, np.inf))
        if value < low and name in LOW:
            said.append(LOW[name])
        if value > high and name in HIGH:
            said.append(HIGH[name])
    return said


LOW = {
    "sharpness": later("It is blurred."),
}
"""What is the matter where a measure is below what is usual."""
HIGH = {
    "clipped": later("Much of it is white: the window or the export clips it."),
    "noise": later("It is noisy."),
    "entropy": later("It may show motion or ghosts."),
    "cut": later("The head is cut off."),
}
"""And above."""
