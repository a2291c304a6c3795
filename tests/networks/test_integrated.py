from __future__ import annotations

import pytest
import torch

from tumorviewer import networks
from tumorviewer.networks.integrated import encode_positions

SMALL = {"backbone": "squeezenet1_1", "hidden": 8, "width": 16, "layers": 1, "heads": 2}


def integrated(sequence: str) -> networks.Classifier:
    torch.manual_seed(0)
    return networks.create_network("integrated", 3, sequence=sequence, **SMALL).eval()


@torch.inference_mode()
def test_rows_are_read_from_top_to_bottom():
    network = integrated("rows")
    maps = torch.rand(2, 512, 6, 5)
    recurrent = network.head[0].recurrent
    state = network.embed(maps)[:, :8]
    torch.testing.assert_close(state, recurrent(maps.mean(3).transpose(1, 2)))
    assert not torch.allclose(network.embed(maps.flip(2))[:, :8], state, atol=1e-4)
    torch.testing.assert_close(network.embed(maps.flip(3))[:, :8], state)


@torch.inference_mode()
def test_slices_go_through_one_backbone_in_the_order_of_the_stack():
    network, single = integrated("slices"), integrated("rows")
    single.load_state_dict(network.state_dict())
    x = torch.rand(2, 5, 64, 64)
    maps = network.trunk(x)
    each = [single.trunk(x[:, one : one + 1]) for one in range(5)]
    torch.testing.assert_close(maps, torch.cat(each, 1))
    torch.testing.assert_close(network.shown(maps), each[2])
    means = torch.stack([one.mean((2, 3)) for one in each], 1)
    state = network.embed(maps)[:, :8]
    torch.testing.assert_close(state, network.head[0].recurrent(means))
    assert not torch.allclose(network.embed(network.trunk(x.flip(1)))[:, :8], state, atol=1e-4)


@pytest.mark.parametrize("slices", [1, 3, 7])
def test_any_number_of_neighbours(slices):
    network = integrated("slices")
    assert network(torch.rand(2, slices, 64, 64)).shape == (2, 3)


def test_only_a_network_of_slices_takes_neighbours():
    assert integrated("slices").objection(64, 2) == ""
    assert "no neighbouring slices" in integrated("rows").objection(64, 2)
    assert "no neighbouring slices" in networks.create_network("light", 3, width=8).objection(64, 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sequence": "columns"}, "rows or slices"),
        ({"backbone": "vit_b_16"}, "no backbone 'vit_b_16'"),
        ({"backbone": "resnet19"}, "no backbone 'resnet19'"),
    ],
)
def test_options_that_make_no_network_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        networks.create_network("integrated", 3, **options)


def test_positions_are_those_of_the_paper():
    encoded = encode_positions(torch.zeros(1, 50, 16))
    assert encoded.shape == (50, 16)
    place = torch.tensor(7 / 10_000 ** (4 / 16))
    torch.testing.assert_close(encoded[7, 4], place.sin())
    torch.testing.assert_close(encoded[7, 5], place.cos())


@torch.inference_mode()
def test_attention_weighs_places():
    network = networks.create_network("cnn_attention", 3, backbone="squeezenet1_1", hidden=8).eval()
    maps = torch.rand(1, 512, 4, 4)
    pooled = network.embed(maps)[0]
    low, high = maps.flatten(2)[0].min(1)[0], maps.flatten(2)[0].max(1)[0]
    assert ((low <= pooled) & (pooled <= high)).all()
    assert not torch.allclose(pooled, maps.mean((2, 3))[0], atol=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="There is no NVIDIA GPU.")
def test_the_lstm_can_be_differentiated_for_a_map_on_a_gpu():
    network = integrated("rows").cuda()
    maps = torch.rand(1, 512, 4, 4, device="cuda", requires_grad=True)
    network.head(maps)[0, 0].backward()
    assert maps.grad.abs().sum() > 0
