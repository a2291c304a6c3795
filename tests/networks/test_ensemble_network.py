"""An ensemble answers as its members would together, and is explained like any network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tumorviewer import networks
from tumorviewer.analysis import predict
from tumorviewer.analysis.explain import explain_features, explain_images
from tumorviewer.models import Architecture, ModelCard, Preprocessing, Weights, bundle, weights
from tumorviewer.networks.ensemble import (
    Ensemble,
    assemble_ensemble,
    describe_member,
    measure_disagreement,
)

SIZES = (96, 80, 48)
"""Maps of 6, 5 and 3 cells: one finer by a ratio that is no whole number, one by one that is."""


Finished = tuple[int, networks.Classifier, float]
"""Side, network and temperature of a member."""


@pytest.fixture(scope="module")
def finished() -> list[Finished]:
    made = []
    for seed, (size, temperature) in enumerate(zip(SIZES, (1.0, 2.0, 0.5), strict=True)):
        torch.manual_seed(seed)
        network = networks.create_network("light", 3, width=8)
        _settle(network, size)
        made.append((size, network.eval(), temperature))
    return made


@torch.no_grad()
def _settle(network: networks.Classifier, size: int) -> None:
    """Statistics of real pictures, so that answers differ as those of a trained network."""
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    network.train()
    network(torch.rand(16, 1, size, size))
    network.get_submodule("head.3").weight.mul_(4)


@pytest.fixture(scope="module")
def ensemble(finished) -> Ensemble:
    members = [
        describe_member("light", {"width": 8}, size, 0, network) for size, network, _ in finished
    ]
    return assemble_ensemble(3, members, *zip(*(one[1:] for one in finished), strict=True))


def alone(finished: list[Finished], x_N1SS: torch.Tensor) -> list[torch.Tensor]:
    """Log-probabilities of each member on the picture resized for it."""
    resize = torch.nn.functional.interpolate
    return [
        (network(resize(x_N1SS, (size, size), mode="bilinear", antialias=True)) / t).log_softmax(1)
        for size, network, t in finished
    ]


@torch.inference_mode()
def test_the_average_is_the_normalised_geometric_mean(ensemble, finished):
    x = torch.rand(4, 1, 96, 96)
    expected = torch.stack(alone(finished, x)).mean(0).softmax(1)
    assert expected.std(0).min() > 1e-3
    assert torch.allclose(ensemble(x).softmax(1), expected, atol=1e-5)
    assert torch.allclose(
        ensemble.opinions(ensemble.trunk(x)), torch.stack(alone(finished, x)).exp(), atol=1e-5
    )


@torch.inference_mode()
def test_maps_come_back_to_each_head_as_they_left_the_trunk(ensemble, finished):
    x = torch.rand(2, 1, 96, 96)
    maps = ensemble.trunk(x)
    assert maps.shape == (2, 3 * 128, 6, 6)
    # the member of 48 pixels: each of its 3 x 3 cells stands on 2 x 2 finer ones
    own = finished[2][1].trunk(
        torch.nn.functional.interpolate(x, (48, 48), mode="bilinear", antialias=True)
    )
    assert torch.allclose(maps[:, 256:, ::2, ::2], own, atol=1e-6)
    assert torch.equal(maps[:, 256:, ::2, ::2], maps[:, 256:, 1::2, 1::2])


def test_disagreement_is_nothing_when_all_agree_and_one_at_its_largest():
    agree = torch.tensor([[[0.7, 0.2, 0.1]], [[0.7, 0.2, 0.1]]])
    apart = torch.tensor([[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]])
    some = torch.tensor([[[0.75, 0.25]], [[0.25, 0.75]]])
    assert measure_disagreement(agree).item() == pytest.approx(0, abs=1e-9)
    assert measure_disagreement(apart).item() == pytest.approx(1)
    by_hand = 1 - -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))
    assert measure_disagreement(some).item() == pytest.approx(by_hand)


def card_of(ensemble: Ensemble) -> ModelCard:
    from dataclasses import asdict

    options = {"members": [asdict(one) for one in ensemble.parts]}
    classes = ("a", "b", "c")
    return ModelCard(
        name="three",
        version="1",
        title="",
        architecture=Architecture("ensemble", options),
        classes=classes,
        labels=dict.fromkeys(classes, ""),
        no_tumour="a",
        preprocessing=Preprocessing(size=96),
        weights=Weights("", 0),
        created="2026-11-21",
        summary="",
        intended_use="",
        limits=(),
        licence="",
        training={},
        figures={},
    )


def test_a_bundle_of_an_ensemble_loads_answers_and_is_explained(ensemble, tmp_path):
    bundle.write_bundle(tmp_path / "three", card_of(ensemble), ensemble.state_dict())
    model = predict.load_model(tmp_path / "three", "cpu")
    pictures = np.random.default_rng(0).integers(0, 256, (2, 96, 96), dtype=np.uint8)
    features, logits = model.forward(pictures)
    with torch.inference_mode():
        expected = ensemble(torch.from_numpy(pictures)[:, None].float() / 255)
    assert torch.allclose(logits, expected, atol=1e-4)
    for method in ("gradcam", "hirescam", "layercam", "eigencam"):
        maps = explain_features(method, model.network, features, 1)
        assert maps.shape == (2, 6, 6)
        assert maps.max() > 0
    assert explain_images("scorecam", model.network, model.tensor(pictures[:1]), 1).max() > 0


def test_saliency_is_the_evidence_of_the_members(ensemble):
    """HiResCAM adds up to what the pooled, linear heads make of the map (Draelos and Carin)."""
    maps = torch.rand(1, 3 * 128, 6, 6)
    with torch.inference_mode():
        there, nothing = ensemble.head(maps), ensemble.head(torch.zeros_like(maps))
    evidence = explain_features("hirescam", ensemble, maps, 2).sum()
    assert evidence == pytest.approx((there - nothing)[0, 2].item(), rel=1e-3)


@torch.inference_mode()
def test_its_head_is_its_embedding_classified(ensemble):
    maps = torch.rand(2, 3 * 128, 6, 6)
    embedding = ensemble.embed(maps)
    assert embedding.shape == (2, 3 * 128)
    assert torch.equal(ensemble.classify(embedding), ensemble.head(maps))


SIDES = {"channels": 8, "side": 2, "embedding": 8}


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([{"architecture": "light", "size": 32, **SIDES}], "at least two"),
        ([{"architecture": "ensemble", "size": 32, **SIDES}] * 2, "not an"),
        ([{"architecture": "light"}] * 2, "missing"),
    ],
)
def test_an_ensemble_that_makes_no_sense_is_refused(members, reason):
    with pytest.raises((TypeError, ValueError), match=reason):
        networks.create_network("ensemble", 3, members=members)


def test_a_card_holds_members_and_nothing_deeper(ensemble, tmp_path):
    from dataclasses import replace

    card = card_of(ensemble)
    bundle.write_bundle(tmp_path / "a", card, ensemble.state_dict())
    assert weights.load_weights(tmp_path / "a")[0].architecture.options == card.architecture.options
    one = card.architecture.options["members"][0]
    for bad in ([one] * 17, [1, 2], [{**one, "options": {"width": {"deep": 1}}}] * 2, {"a": 1}):
        deeper = replace(card, architecture=Architecture("ensemble", {"members": bad}))
        with pytest.raises(ValueError, match="options"):
            bundle.write_bundle(tmp_path / "b", deeper, ensemble.state_dict())
