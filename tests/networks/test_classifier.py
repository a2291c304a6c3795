"""What every architecture promises, whichever it is."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from tests.networks.made import SIDE, settle
from tumorviewer import networks
from tumorviewer.analysis import predict
from tumorviewer.models import weights
from tumorviewer.resources import resource_path

SINGLE = sorted(set(networks.list_architectures()) - {"ensemble"})
QUICK = {
    "brain_cnn": {},
    "light": {"width": 8},
    "light_residual": {"width": 8, "depth": 1},
    "light_transfer": {"width": 32},
    "mobilenet_v2": {},
    "resnet18": {},
    "densenet121": {},
    "mobilenet_v3_small": {},
    "vit_b_16": {},
    "swin_t": {},
    "squeezenet1_1": {},
    "cnn_attention": {"backbone": "mobilenet_v3_small", "hidden": 8},
    "integrated": {"backbone": "resnet18", "sequence": "slices", "hidden": 8, "width": 8},
}


@pytest.fixture(params=QUICK)
def network(request, small_transformers) -> networks.Classifier:
    torch.manual_seed(0)
    made = networks.create_network(request.param, 4, **QUICK[request.param])
    return settle(made, 3 if made.takes_neighbours else 1)


def pictures(network: networks.Classifier) -> torch.Tensor:
    return torch.rand(2, 3 if network.takes_neighbours else 1, SIDE, SIDE)


def test_the_head_is_embedding_and_classification_before_and_after_fusing(network):
    x = pictures(network)
    with torch.inference_mode():
        logits = network(x)
        fast = predict.optimise_network(copy.deepcopy(network))
        for one in (network, fast):
            maps = one.trunk(x)
            embedding = one.embed(maps)
            assert embedding.ndim == 2
            torch.testing.assert_close(one.classify(embedding), one.head(maps))
            torch.testing.assert_close(one(x), logits, atol=1e-3, rtol=1e-3)


def test_batch_norms_are_folded(network):
    before = [one for one in network.modules() if isinstance(one, nn.BatchNorm2d)]
    fast = predict.optimise_network(copy.deepcopy(network))
    after = [one for one in fast.modules() if isinstance(one, nn.BatchNorm2d)]
    assert len(after) <= 0.6 * len(before)  # half of DenseNet's have no convolution before them


def test_gradients_reach_every_parameter(network):
    network.train()
    for one in network.modules():
        if isinstance(one, nn.Dropout):
            one.p = 0.0
    network(pictures(network)).square().sum().backward()
    idle = [name for name, one in network.named_parameters() if one.grad is None]
    assert not idle
    first = next(iter(network.trunk.parameters()))
    assert first.grad.abs().sum() > 0


@pytest.mark.parametrize("name", SINGLE)
def test_it_can_be_laid_out_without_memory(name):
    with torch.device("meta"):
        network = networks.create_network(name, 4)
    assert all(one.is_meta for one in network.state_dict().values())
    hidden = set(dict(network.named_buffers())) - set(network.state_dict())
    assert all(not network.get_buffer(name).is_meta for name in hidden)


ANSWERS = {
    "head-mr-4": [-1.8354, -0.0595, 2.7120, -1.1461],
    "light": [-1.3871, -1.5033, 1.0113, -3.4300],
}
"""When they were published."""


@pytest.mark.parametrize("name", ANSWERS)
def test_models_that_ship_answer_as_ever(name):
    card, network = weights.load_weights(resource_path("models") / name)
    line = torch.linspace(-1, 1, card.preprocessing.size)
    inside = line[:, None] ** 2 + line[None] ** 2 < 0.7
    picture = (0.5 + 0.5 * torch.sin(9 * line[:, None] + 4 * line[None] ** 2)) * inside
    with torch.inference_mode():
        logits = network(picture[None, None])[0]
    torch.testing.assert_close(logits, torch.tensor(ANSWERS[name]), atol=2e-4, rtol=0)
