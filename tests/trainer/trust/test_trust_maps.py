"""Which saliency method points best, where the truth is known; and networks made random."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from trainer.tools.progress import Progress
from trainer.trust import saliency_maps
from trainer.trust.saliency_maps import OutlinedCases
from tumorviewer import networks
from tumorviewer.analysis import predict
from tumorviewer.models import Architecture, Preprocessing, bundle

SIDE, COUNT = 64, 24


@pytest.fixture
def folder(random_bundle: Path, tmp_path: Path) -> Path:
    """A bundle of a small network."""
    torch.manual_seed(3)
    network = networks.create_network("light", 4, width=8)
    card = replace(
        bundle.read_card(random_bundle),
        architecture=Architecture("light", {"width": 8}),
        preprocessing=Preprocessing(SIDE),
    )
    bundle.write_bundle(tmp_path / "small", card, network.state_dict())
    return tmp_path / "small"


@pytest.fixture
def cases() -> OutlinedCases:
    """Squares on noise; one in six is called "no tumour"."""
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 255, (COUNT, SIDE, SIDE), np.uint8)
    inside = np.zeros((COUNT, SIDE, SIDE), bool)
    for number, (top, left) in enumerate(generator.integers(0, 6, (COUNT, 2)) * 8):
        inside[number, top : top + 16, left : left + 16] = True
    said = np.zeros(COUNT, np.int64)
    said[::6] = 2
    return OutlinedCases(pictures, inside, said, said == 2, np.arange(COUNT) // 2)


def maps_by(cases, learned):
    """Methods that are known: one right, one beside the lesion, one right without the network."""

    def maps_of(model, method, pictures, question):
        rows = [int(np.flatnonzero((cases.pictures == one).all((1, 2)))[0]) for one in pictures]
        right = cases.inside[rows].reshape(-1, 8, 8, 8, 8).mean((2, 4)).astype(np.float32)
        if method == "eigencam":
            return right
        if model.network is not learned:
            return np.random.default_rng(7).random(right.shape).astype(np.float32)
        return right if method == "layercam" else np.roll(right, 3, 2)

    return maps_of


def test_the_best_of_those_that_depend_on_what_was_learned_wins(folder, cases, monkeypatch):
    model = predict.load_model(folder, "cpu")
    monkeypatch.setattr(saliency_maps, "maps_of", maps_by(cases, model.network))
    monkeypatch.setattr(saliency_maps, "SOME", 6)
    found = saliency_maps.compare_methods(model, folder, cases, Progress("none"))
    by = {one.method: one for one in found.scores}
    assert found.default == "layercam"
    assert (found.cases, found.groups) == (24, 12)
    assert by["layercam"].pointing.value == pytest.approx(20 / 24)  # four were called no tumour
    assert by["layercam"].iou.value > 0.6
    assert by["layercam"].passes
    assert abs(by["layercam"].randomised.value) < 0.3
    assert by["eigencam"].pointing.value == by["layercam"].pointing.value
    assert not by["eigencam"].passes  # its maps do not change with the weights
    assert by["eigencam"].cascade == pytest.approx([1] * 5)
    assert by["gradcam"].pointing.value == 0
    assert by["gradcam"].energy.value < 0.1
    assert "attention" not in by
    assert "rollout" not in by


def test_weights_become_random_from_the_head_down(folder):
    stages = saliency_maps.randomise_all(folder)
    _, learned = saliency_maps.weights.load_weights(folder)

    def changed(network):
        kept = learned.state_dict()
        return {
            name
            for name, tensor in network.state_dict().items()
            if tensor.is_floating_point() and not torch.equal(tensor, kept[name])
        }

    sets = [changed(network) for network in stages]
    assert sets[0] == {"head.3.weight", "head.3.bias"}
    assert all(a < b for a, b in itertools.pairwise(sets))
    assert "trunk.1.0.weight" in sets[-1]
    assert "trunk.1.0.weight" not in sets[-2]


def test_few_cases_are_of_as_many_groups_as_there_are(monkeypatch):
    monkeypatch.setattr(saliency_maps, "SOME", 6)
    groups = np.array([0] * 50 + [1, 2, 3, 4])
    chosen = saliency_maps._spread(groups)
    assert len(chosen) == 6
    assert set(groups[chosen]) == {0, 1, 2, 3, 4}
