"""Faster R-CNN (Ren et al., NeurIPS 2015) from torchvision, on grey images.

Backbones are torchvision's, with a feature pyramid (Lin et al., CVPR 2017). Shapes: N images,
S side, M boxes of one image.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from tumorviewer.networks.segmenter import Segmented, Segmenter, register_segmenter

BACKBONES = ("mobilenet_v3_large_320_fpn", "resnet50_fpn")
_NOTHING = -10.0
"""Logit where nothing was found."""


class Boxes(NamedTuple):
    """What was found on one image, the most probable first."""

    boxes: Tensor
    """``(M, 4)`` left, top, right, bottom, pixels."""
    scores: Tensor
    """``(M,)``."""
    classes: Tensor
    """``(M,)`` from 0."""


class FasterRCNN(Segmenter):
    """Finds boxes of ``classes`` kinds of tumour; as a segmenter it answers the ellipses in them,
    as sure as their scores."""

    multiple = 1

    def __init__(self, classes: int, backbone: str) -> None:
        super().__init__()
        from torchvision.models import detection  # takes seconds: for whoever builds one

        if backbone not in BACKBONES:
            msg = f"unknown backbone {backbone!r}; known are {', '.join(BACKBONES)}"
            raise ValueError(msg)
        build: Any = getattr(detection, f"fasterrcnn_{backbone}")
        self.detector = build(weights=None, weights_backbone=None, num_classes=classes + 1)

    def losses(self, x_N1SS: Tensor, boxes: list[Tensor], classes: list[Tensor]) -> Tensor:
        """The paper's four losses together.

        Parameters
        ----------
        boxes
            ``(M, 4)`` of each image; of one without a tumour ``(0, 4)``.
        classes
            ``(M,)`` of each image, from 0.
        """
        targets = [
            {"boxes": own, "labels": kinds + 1} for own, kinds in zip(boxes, classes, strict=True)
        ]
        parts: dict[str, Tensor] = self.detector(list(x_N1SS.expand(-1, 3, -1, -1)), targets)
        return sum(parts.values(), x_N1SS.new_zeros(()))

    def detect(self, x_N1SS: Tensor) -> list[Boxes]:
        """Boxes of each image; in inference mode only."""
        found: list[dict[str, Tensor]] = self.detector(list(x_N1SS.expand(-1, 3, -1, -1)))
        return [Boxes(one["boxes"], one["scores"], one["labels"] - 1) for one in found]

    def forward(self, x_N1SS: Tensor) -> Segmented:
        """Logits of the ellipses in the boxes; in inference mode only."""
        painted = [_ellipses(found, x_N1SS.shape[-1]) for found in self.detect(x_N1SS)]
        return Segmented(torch.stack(painted)[:, None].to(x_N1SS))


def _ellipses(found: Boxes, side: int) -> Tensor:
    """``(S, S)`` the logit of the most probable box whose ellipse a pixel lies in."""
    places = torch.arange(side, device=found.boxes.device) + 0.5
    painted = torch.full((side, side), _NOTHING, device=found.boxes.device)
    for (left, top, right, bottom), score in zip(found.boxes, found.scores, strict=True):
        across = (2 * places - left - right) / (right - left)
        down = (2 * places - top - bottom) / (bottom - top)
        inside = across[None] ** 2 + down[:, None] ** 2 <= 1
        painted = torch.where(inside, painted.maximum(score.logit(1e-4)), painted)
    return painted


@register_segmenter("faster_rcnn")
def faster_rcnn(classes: int, backbone: str = "mobilenet_v3_large_320_fpn") -> Segmenter:
    """Build torchvision's Faster R-CNN."""
    return FasterRCNN(classes, backbone)
