"""What a step minimises, for each family of networks.

Shapes: N images, S side.
"""

from __future__ import annotations

import torch
from scipy import ndimage  # type: ignore[import-untyped]
from torch import Tensor, nn
from torch.nn import functional

from trainer.segmentation.augment import Batch
from trainer.segmentation.config import SegmentationTraining
from trainer.segmentation.losses import boundary_loss, cross_entropy_loss, dice_loss
from trainer.segmentation.slices import BRAIN, BRAIN_UNKNOWN, TUMOUR, TUMOUR_UNKNOWN
from tumorviewer.networks.faster_rcnn import FasterRCNN
from tumorviewer.networks.segmenter import Segmenter

_SMOOTHING = 0.05
_PIXELS = 4.0
"""Weight of the single pixels beside the overlap of the whole."""


def losses_of(
    network: nn.Module, batch: Batch, settings: SegmentationTraining
) -> dict[str, Tensor]:
    """The weighted losses of a batch, by name."""
    x = batch.images.contiguous(memory_format=torch.channels_last)
    if isinstance(network, FasterRCNN):
        return {"boxes": network.losses(x, *boxes_of_batch(batch))}
    assert isinstance(network, Segmenter)
    with torch.autocast("cpu", torch.bfloat16, enabled=settings.precision == "bf16"):
        if not network.names:
            return _tumour_losses(network(x).tumour.float(), batch, settings)
        maps = network.features(x)
        both = network.outlines(maps, x.shape[-1]).float()
        outlines = both[:, :1].detach().sigmoid(), _given(batch)
        named = torch.cat([network.classify(maps[-1], one) for one in outlines]).float()
    return {
        **_tumour_losses(both[:, :1], batch, settings),
        "brain": settings.brain * _overlap_losses(both[:, 1:], batch, BRAIN, BRAIN_UNKNOWN, 1.0),
        "classes": settings.classes
        * functional.cross_entropy(
            named, batch.classes.repeat(2), ignore_index=-1, label_smoothing=_SMOOTHING
        ),
    }


def _given(batch: Batch) -> Tensor:
    """The expert's outline; where there is none, that of the image before: nothing under it."""
    tumour = batch.has(TUMOUR).float()
    outlined = tumour.flatten(1).any(1)[:, None, None, None]
    return torch.where(outlined, tumour, tumour.roll(1, 0))


def _tumour_losses(
    logits: Tensor, batch: Batch, settings: SegmentationTraining
) -> dict[str, Tensor]:
    overlap = _overlap_losses(logits, batch, TUMOUR, TUMOUR_UNKNOWN, _PIXELS)
    losses = {"tumour": settings.tumour * overlap}
    if settings.boundary:
        target, known = batch.has(TUMOUR).float(), ~batch.has(TUMOUR_UNKNOWN)
        losses["boundary"] = settings.boundary * boundary_loss(logits, target, known)
    return losses


def _overlap_losses(logits: Tensor, batch: Batch, bit: int, unknown: int, pixels: float) -> Tensor:
    target, known = batch.has(bit).float(), ~batch.has(unknown)
    entropy = cross_entropy_loss(logits, target, known)
    return pixels * entropy + dice_loss(logits, target, known)


def boxes_of_batch(batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
    """Boxes around the connected parts of each image's outline, and their classes; an outline of
    unknown class counts as the first."""
    boxes, classes = [], []
    for mask, kind in zip(batch.has(TUMOUR)[:, 0], batch.classes, strict=True):
        parts = ndimage.find_objects(ndimage.label(mask.numpy())[0])
        own = [(c.start, r.start, c.stop, r.stop) for r, c in parts]
        boxes.append(torch.tensor(own, dtype=torch.float32).reshape(-1, 4))
        classes.append(kind.clamp_min(0).repeat(len(own)))
    return boxes, classes
