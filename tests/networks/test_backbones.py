"""Each backbone computes what torchvision's own model computes, cut where its table says."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models

from tests.networks.made import settle
from tumorviewer import networks
from tumorviewer.networks.backbones import FAMILIES
from tumorviewer.networks.registry import IMAGENET

SIDES = {"vit_b_16": 224, "inception_v3": 107}
EMBEDDINGS = {
    "vgg16": 4096,
    "resnet18": 512,
    "resnet50": 2048,
    "inception_v3": 2048,
    "mobilenet_v3_small": 1024,
    "mobilenet_v3_large": 1280,
    "efficientnet_b0": 1280,
    "densenet121": 1024,
    "convnext_tiny": 768,
    "swin_t": 768,
    "vit_b_16": 768,
    "squeezenet1_1": 512 * 3 * 3,
}


def _uniform(tensor, *_, **__):
    return tensor.data.uniform_(-0.05, 0.05)


@pytest.fixture
def quick(monkeypatch):
    """Uniform numbers in place of slowly drawn ones."""
    for name in ("trunc_normal_", "normal_", "kaiming_normal_"):
        monkeypatch.setattr(nn.init, name, _uniform)


@pytest.mark.parametrize("name", FAMILIES)
def test_logits_are_those_of_torchvision(name, quick):
    torch.manual_seed(0)
    side = SIDES.get(name, 64)
    extra = {**FAMILIES[name].arguments}
    if name == "inception_v3":
        extra["transform_input"] = True
    theirs = models.get_model(name, weights=None, num_classes=1000, **extra)
    if name == "vit_b_16":
        nn.init.normal_(theirs.heads.head.weight)
    settle(theirs, 3, side)
    with torch.device("meta"):
        ours = networks.create_network(name, 1000).eval()
    stored = theirs.state_dict()
    assert set(ours.published) == set(stored)
    ours.load_state_dict({ours.published[key]: one for key, one in stored.items()}, assign=True)
    x = torch.rand(2, 1, side, side)
    mean, deviation = (torch.tensor(one).view(1, 3, 1, 1) for one in IMAGENET)
    with torch.inference_mode():
        wanted = theirs((x - mean) / deviation)
        maps = ours.trunk(x)
        embedding = ours.embed(maps)
        logits = ours.classify(embedding)
    assert wanted.std() > 1e-3
    torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))
    assert ours.shown(maps).shape[1] == FAMILIES[name].channels
    assert embedding.shape == (2, EMBEDDINGS[name])


def test_the_embedding_of_a_vision_transformer_is_torchvisions(small_transformers):
    ours = networks.create_network("vit_b_16", 5).eval()
    theirs = models.get_model("vit_b_16", num_classes=5).eval()
    theirs.load_state_dict({key: ours.state_dict()[name] for key, name in ours.published.items()})
    theirs.heads = nn.Identity()
    x = torch.rand(2, 1, 96, 96)
    mean, deviation = (torch.tensor(one).view(1, 3, 1, 1) for one in IMAGENET)
    with torch.inference_mode():
        wanted = theirs((x - mean) / deviation)
        torch.testing.assert_close(ours.embed(ours.trunk(x)), wanted, atol=1e-5, rtol=1e-4)


def test_a_vision_transformer_takes_pictures_of_another_size(small_transformers):
    network = networks.create_network("vit_b_16", 3).eval()
    with torch.inference_mode():
        maps = network.trunk(torch.rand(1, 1, 128, 128))
        assert network.shown(maps).shape == (1, 16, 8, 8)
        assert network.head(maps).isfinite().all()


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_trained_of_the_upper_layers_exists_and_is_not_everything(name):
    with torch.device("meta"):
        network = networks.create_network(name, 3)
    tensors = set(network.state_dict())
    for prefix in network.upper:
        assert any(tensor.startswith(prefix) for tensor in tensors), prefix
    upper = {tensor for tensor in tensors if tensor.startswith(network.upper)}
    assert {tensor for tensor in tensors if tensor.startswith("head.")} < upper < tensors


@pytest.mark.parametrize("name", ["resnet18", "convnext_tiny", "vgg16", "inception_v3"])
def test_dropout_is_of_the_head_and_stands_before_the_classes(name):
    with torch.device("meta"):
        network = networks.create_network(name, 3, dropout=0.7)
    dropouts = [one for one in network.head if isinstance(one, nn.Dropout)]
    assert dropouts
    assert all(one.p == 0.7 for one in dropouts)
    assert isinstance(network.head[-2], nn.Dropout)
