from __future__ import annotations

import pytest
import torch
from torch import nn

from tumorviewer import networks

TABLE = [
    (nn.Conv2d, (32, 62, 62), 896),
    (nn.MaxPool2d, (32, 31, 31), 0),
    (nn.Conv2d, (32, 29, 29), 9_248),
    (nn.MaxPool2d, (32, 14, 14), 0),
    (nn.Conv2d, (64, 12, 12), 18_496),
    (nn.AdaptiveMaxPool2d, (64, 6, 6), 0),
    (nn.Flatten, (2304,), 0),
    (nn.Linear, (64,), 147_520),
    (nn.Linear, (2,), 130),
]
"""Of the second paper; two classes as a softmax."""
SILENT = (nn.ReLU, nn.Dropout, networks.registry.Normalise)


def test_the_small_cnn_is_that_of_the_paper_layer_by_layer():
    network = networks.create_network("brain_cnn", 2).eval()
    seen = []

    def note(layer, _inputs, output):
        count = sum(one.numel() for one in layer.parameters())
        seen.append((type(layer), tuple(output.shape[1:]), count))

    for layer in (*network.trunk, *network.head):
        if not isinstance(layer, SILENT):
            layer.register_forward_hook(note)
    network(torch.rand(1, 1, 64, 64))
    assert seen == TABLE
    assert sum(one.numel() for one in network.parameters()) == 176_290


def test_its_last_pooling_is_the_papers_and_takes_other_sizes():
    network = networks.create_network("brain_cnn", 2).eval()
    maps = network.trunk(torch.rand(3, 1, 64, 64))
    torch.testing.assert_close(network.head[0](maps), nn.MaxPool2d(2)(maps), atol=0, rtol=0)
    assert network(torch.rand(1, 1, 150, 150)).shape == (1, 2)


@pytest.mark.parametrize("side", [22, 64])
def test_the_least_side_is_enough(side):
    network = networks.create_network("brain_cnn", 2).eval()
    assert network(torch.rand(1, 1, side, side)).isfinite().all()
    assert not network.objection(22, 0)
    assert "too small" in network.objection(21, 0)
