"""A segmenter that ONNX Runtime runs on the CPU. No torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tumorviewer.analysis.engines.finder_engine import Floats, Levels
from tumorviewer.analysis.engines.model import to_images
from tumorviewer.analysis.engines.onnx_session import OnnxSession, read_tensors
from tumorviewer.models.card import ModelCard

OUTLINE, NAME = "outline", "name"
"""The graphs: ``pictures`` (N, 1, S, S) to ``outlines`` (N, 2, S, S) of tumour and brain in 0–1 and
the deepest ``features``; and ``features`` with ``outlines`` (N, 1, S, S) to ``logits``."""
_BATCH = 4


class OnnxFinder:
    """A bundle's graphs, loaded."""

    def __init__(self, folder: Path, card: ModelCard) -> None:
        """Load them.

        Raises
        ------
        InputError
            If a graph is refused.
        """
        tensors = read_tensors(folder, card)
        self._outline = OnnxSession(folder, OUTLINE, tensors)
        self._name = OnnxSession(folder, NAME, tensors)

    def outline(self, squares_NSS: Levels) -> tuple[Floats, Floats | None]:
        """See :meth:`FinderEngine.outline`."""
        answers = [
            self._outline.run(pictures=to_images(squares_NSS[start : start + _BATCH]))
            for start in range(0, len(squares_NSS), _BATCH)
        ]
        both, maps = (np.concatenate(parts) for parts in zip(*answers, strict=True))
        return both.transpose(1, 0, 2, 3), maps

    def classify(self, maps_NCHW: Floats, outlines_NSS: Floats) -> Floats:
        """See :meth:`FinderEngine.classify`."""
        outlines = np.ascontiguousarray(outlines_NSS[:, None], np.float32)
        return self._name.run(features=maps_NCHW, outlines=outlines)[0]
