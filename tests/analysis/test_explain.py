from __future__ import annotations

import copy
import gc
import weakref

import numpy as np
import pytest
import torch
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from tests.analysis.conftest import SIZE, settled
from tumorviewer.analysis import explain, predict
from tumorviewer.analysis.methods import METHODS
from tumorviewer.analysis.preprocess import prepare
from tumorviewer.imaging.display import grey
from tumorviewer.models import Preprocessing

OF_FEATURES = sorted(set(METHODS) - explain.NEEDS_PICTURE)


@pytest.fixture
def pictures(volume):
    slices = [prepare(grey(volume, index), Preprocessing(SIZE))[0] for index in (3, 6, 8)]
    return torch.from_numpy(np.stack(slices))[:, None].float() / 255


def loop(method, network, pictures, target):
    """What pytorch-grad-cam's own documentation does, one picture after the other."""
    with explain._CLASSES[method](network, [network.trunk]) as cam:
        return np.concatenate([cam(x[None], [ClassifierOutputTarget(target)]) for x in pictures])


def ours(method, network, pictures, target):
    with torch.inference_mode():
        features = network.trunk(pictures)
    return explain.scaled(explain.maps_of_features(method, network, features, target), SIZE)


@pytest.mark.parametrize("method", OF_FEATURES)
def test_maps_are_those_of_a_loop_over_the_whole_network(any_network, pictures, method):
    fast = predict.optimised(copy.deepcopy(any_network))
    targets = range(1 if METHODS[method].class_agnostic else 4)
    theirs = [loop(method, any_network, pictures, target) for target in targets]
    assert np.max(theirs) > 0.5  # there is something to compare
    for target in targets:
        np.testing.assert_allclose(ours(method, fast, pictures, target), theirs[target], atol=1e-4)


def test_score_cam_is_that_of_the_library(pictures, capfd):
    network, few = settled("light"), pictures[:1]
    raw = explain.maps_of_pictures("scorecam", network, few, 1)
    assert capfd.readouterr().err == ""
    np.testing.assert_allclose(
        explain.scaled(raw, SIZE), loop("scorecam", network, few, 1), atol=1e-4
    )


def test_score_cam_can_be_stopped_between_passes(pictures):
    network = settled("light")
    passes = []

    def tick():
        passes.append(1)
        if len(passes) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        explain.maps_of_pictures("scorecam", network, pictures[:1], 1, tick)
    assert len(passes) == 3
    assert not hooks(network)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_left_behind(pictures, method):
    network = predict.optimised(settled("light"))
    few = pictures[:1].clone()
    features = network.trunk(few)
    if method in explain.NEEDS_PICTURE:
        explain.maps_of_pictures(method, network, few, 0)
    else:
        explain.maps_of_features(method, network, features, 0)
    assert not hooks(network)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert features.grad is None
    kept = weakref.ref(features), weakref.ref(few)
    del features, few
    gc.collect()
    assert [reference() for reference in kept] == [None, None]


def test_explaining_again_and_again_takes_no_more_memory(pictures):
    network = predict.optimised(settled("light"))
    features = network.trunk(pictures)

    def tensors():
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    explain.maps_of_features("gradcam", network, features, 0)
    before = tensors()
    for _ in range(3):
        explain.maps_of_features("gradcam", network, features, 0)
    assert tensors() <= before


def hooks(network):
    return [m for m in network.modules() if m._forward_hooks or m._backward_hooks]


def test_negative_evidence_alone_is_an_empty_map():
    raw = np.array([[[-1.0, -2.0], [-3.0, -0.5]], [[-1.0, 0.0], [4.0, 2.0]]], np.float32)
    maps = explain.scaled(raw, 8)
    assert not maps[0].any()
    assert maps[1].max() == pytest.approx(1, abs=1e-6)


def test_maps_can_be_made_under_inference_mode(any_network, pictures):
    network = predict.optimised(copy.deepcopy(any_network))
    outside = ours("gradcam", network, pictures, 2)
    with torch.inference_mode():
        np.testing.assert_array_equal(ours("gradcam", network, pictures, 2), outside)
