"""A model that ONNX Runtime runs on the CPU: its trunk as a graph, its head in NumPy. No torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis import attention, occlusion
from tumorviewer.analysis.engines import activation_maps
from tumorviewer.analysis.engines.contrast import ContrastiveTarget
from tumorviewer.analysis.engines.model import Answers, Floats, Levels, Model, to_images
from tumorviewer.analysis.engines.onnx_session import OnnxSession, describe_cpu, read_tensors
from tumorviewer.analysis.engines.pooling_heads import AttentionHead, read_head
from tumorviewer.analysis.methods import ATTENDING, METHODS
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.models import bundle

TRUNK = "trunk"
"""The graph: ``pictures`` (N, T, S, S) to ``features`` (N, C, H, W) and, for a model that can tell
what is like its training data, ``stages``."""
_BATCH = 4
"""A batch of 155 takes eight times the memory and is slower."""


class OnnxModel(Model):
    """A bundle with a graph, loaded."""

    def __init__(self, folder: Path) -> None:
        """Load it.

        Raises
        ------
        InputError
            If the bundle is refused, or its graph.
        """
        self.card = bundle.verify_bundle(folder)
        self.arrays = bundle.read_trust_arrays(folder)
        tensors = read_tensors(folder, self.card)
        self._trunk = OnnxSession(folder, TRUNK, tensors)
        self._head = read_head(tensors)

    @property
    def computed_by(self) -> str:
        """Device and engine in words."""
        return describe_cpu()

    @property
    def has_moved(self) -> bool:
        """It does not move."""
        return False

    @property
    def batch(self) -> int:
        """Slices at a time."""
        return _BATCH

    def free_memory(self) -> None:
        """Nothing is kept."""

    def move_to_cpu(self) -> bool:
        """It is there."""
        return False

    def ask(self, pictures: Levels) -> Answers:
        """What the network says of prepared slices."""
        features, *stages = self._trunk.run(pictures=to_images(pictures))
        return Answers(features, self._head.logits(features), stages[0] if stages else None)

    def logits_of(self, images_NTSS: Floats) -> Floats:
        """``(N, K)`` of grey images in 0–1."""
        return self._head.logits(self._features(images_NTSS))

    def embed(self, features_NCHW: Floats) -> Floats:
        """``(N, D)`` of feature maps."""
        return self._head.embed(features_NCHW)

    def disagreement(self, features_NCHW: Floats) -> NDArray[np.float64]:
        """Of an ensemble; this is none."""
        raise NotImplementedError

    def explain_features(
        self, method: str, features_NCHW: Floats, target: int, against: int | None = None
    ) -> Floats:
        """Raw maps ``(N, H, W)``, from the head's gradient in closed form."""
        gradient = self._head.gradient(features_NCHW, ContrastiveTarget(target, against))
        return activation_maps.METHODS[method](features_NCHW, gradient)

    def explain_pictures(
        self,
        method: str,
        pictures: Levels,
        target: int,
        against: int | None = None,
        tick: Callable[[], None] | None = None,
    ) -> Floats:
        """Raw maps of methods that run the network again.

        Raises
        ------
        InputError
            If the method needs torch.
        """
        head, question = self._head, ContrastiveTarget(target, against)
        if method == "occlusion":
            return occlusion.occlusion_maps(self.logits_of, to_images(pictures), question, tick)
        if METHODS[method].architectures != ATTENDING or not isinstance(head, AttentionHead):
            title = METHODS[method].title
            reason = tr("ONNX Runtime cannot make {title}; torch can.", title=title)
            raise InputError(method, reason, tr("Choose the engine torch, or another method."))

        def attended(features: Floats) -> Floats:
            agnostic = METHODS[method].class_agnostic
            return attention.attention_maps(
                head.scores(features),
                None
                if agnostic
                else lambda: self.explain_features("hirescam", features, target, against),
            )

        return attention.stitch_maps(self._features, to_images(pictures), attended)

    def _features(self, images_NTSS: Floats) -> Floats:
        return np.concatenate(
            [
                self._trunk.run(pictures=images_NTSS[start : start + _BATCH])[0]
                for start in range(0, len(images_NTSS), _BATCH)
            ]
        )
