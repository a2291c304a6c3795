from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from trainer.training import initial_weights
from trainer.training.initial_weights import load_weights
from trainer.training.optimise import (
    TrainingSettings,
    compute_learning_rate,
    make_average,
    make_optimiser,
    update_average,
)
from tumorviewer import networks
from tumorviewer.errors import InputError


def folded(seed: int = 0) -> networks.Classifier:
    """A network whose batch normalisations only add a bias."""
    torch.manual_seed(seed)
    network = networks.create_network("light", 3, width=8).eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.bias, std=0.3)
    return network


@torch.no_grad()
def test_restored_norms_keep_the_function_in_both_modes():
    network = folded()
    batches = torch.rand(2, 8, 1, 48, 48)
    before = network(batches.flatten(0, 1))
    assert initial_weights.has_folded_norms(network)
    initial_weights.restore_norms(network, network.trunk, batches)
    assert not initial_weights.has_folded_norms(network)
    torch.testing.assert_close(network(batches.flatten(0, 1)), before, atol=1e-4, rtol=0)
    network.train()
    for layer in network.modules():
        if isinstance(layer, (nn.Dropout, nn.Dropout2d)):
            layer.eval()
    torch.testing.assert_close(network(batches.flatten(0, 1)), before, atol=1e-3, rtol=0)


def test_an_untrained_network_has_no_folded_norms():
    assert not initial_weights.has_folded_norms(networks.create_network("light", 3, width=8))


def test_weights_of_ours_fit_with_another_number_of_classes(tmp_path):
    donor = folded()
    save_file(donor.state_dict(), tmp_path / "w.safetensors")
    network = networks.create_network("light", 5, width=8)
    load_weights(network, tmp_path / "w.safetensors")
    assert torch.equal(network.trunk[1][0].weight, donor.trunk[1][0].weight)


def test_other_weights_are_refused(tmp_path):
    save_file(folded().state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="another architecture"):
        load_weights(networks.create_network("light", 3, width=16), tmp_path / "w.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"not tensors")
    with pytest.raises(InputError, match="cannot be read"):
        load_weights(folded(), tmp_path / "bad.safetensors")


@pytest.mark.shared
def test_the_imagenet_start_loads_and_is_recognised(shared_data):
    network = networks.create_network("mobilenet_v2", 4)
    path = shared_data / "weights" / "mobilenet_v2-imagenet-fp16.safetensors"
    load_weights(network, path)
    assert initial_weights.has_folded_norms(network)


def test_vectors_do_not_decay():
    optimiser = make_optimiser(folded(), TrainingSettings())
    decayed, spared = optimiser.param_groups
    assert all(one.ndim > 1 for one in decayed["params"])
    assert all(one.ndim == 1 for one in spared["params"])
    assert spared["weight_decay"] == 0 < decayed["weight_decay"]


def test_the_rate_rises_then_falls():
    settings = TrainingSettings(epochs=10, lr=1.0, warmup_epochs=2, final_lr=0.1)
    rates = [compute_learning_rate(step, 10, settings) for step in range(100)]
    assert rates[:20] == sorted(rates[:20])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.1, abs=0.01)


def test_the_average_follows_weights_and_statistics():
    network = folded()
    average = make_average(network)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.add_(1)
    update_average(average, network, 10**6, 0.9)
    for mine, theirs in zip(
        average.module.state_dict().values(), network.state_dict().values(), strict=True
    ):
        gap = 0.9 if mine.is_floating_point() else 0
        torch.testing.assert_close(theirs - mine, torch.full_like(mine, gap))
