"""Networks with settled statistics, and transformers small enough for a test."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.models.swin_transformer import SwinTransformer
from torchvision.models.vision_transformer import VisionTransformer

from tumorviewer.networks import backbones

SIDE = 96


@torch.no_grad()
def settle(network: nn.Module, channels: int, side: int = SIDE) -> nn.Module:
    """Statistics of real pictures, so that answers have the size of those of a trained network."""
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in norms:
        layer.momentum = 1.0
    if norms:
        network.train()(torch.rand(2, channels, side, side))
    return network.eval()


def small(name: str, num_classes: int, **_arguments: object) -> nn.Module:
    """As torchvision builds it, with a few narrow layers."""
    if name == "vit_b_16":
        vit = VisionTransformer(SIDE, 16, 3, 2, 16, 32, num_classes=num_classes)
        nn.init.normal_(vit.heads.head.weight)
        return vit
    return SwinTransformer([4, 4], 8, [2, 2], [1, 2], [7, 7], num_classes=num_classes)


@pytest.fixture
def small_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    """``vit_b_16`` and ``swin_t`` are tiny meanwhile."""
    of_torchvision = models.get_model

    def get_model(name: str, **arguments: object) -> nn.Module:
        make = small if name in ("vit_b_16", "swin_t") else of_torchvision
        return make(name, **arguments)

    monkeypatch.setattr(models, "get_model", get_model)
    for name in ("vit_b_16", "swin_t"):
        narrow = replace(backbones.FAMILIES[name], channels=16, upper=())
        monkeypatch.setitem(backbones.FAMILIES, name, narrow)
