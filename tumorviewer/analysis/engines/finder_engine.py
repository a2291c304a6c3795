"""What a finder asks its network, whatever computes it. No torch."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Levels = NDArray[np.uint8]


class FinderEngine(Protocol):
    """A segmenter, ready to be asked. Shapes: N slices, S side, C channels, H W its deepest feature
    map, K classes."""

    def outline(self, squares_NSS: Levels) -> tuple[Floats, Floats | None]:
        """Probabilities ``(2, N, S, S)`` of tumour and brain, and the deepest feature maps ``(N, C,
        H, W)``; of a network that only outlines tumours, brain everywhere and no maps."""

    def classify(self, maps_NCHW: Floats, outlines_NSS: Floats) -> Floats:
        """Logits ``(N, K)`` of what lies under outlines in 0–1."""
