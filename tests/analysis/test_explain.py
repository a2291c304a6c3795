from __future__ import annotations

import copy
import gc
import weakref

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from pytorch_grad_cam.utils import svd_on_activations as eigencam
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from tests.analysis.conftest import SIZE, settled
from tumorviewer import networks
from tumorviewer.analysis import attention, explain, predict
from tumorviewer.analysis.engines.map_scaling import scale_maps
from tumorviewer.analysis.methods import ATTENDING, METHODS, TRANSFORMERS
from tumorviewer.analysis.preprocess import prepare_image
from tumorviewer.imaging.display import grey
from tumorviewer.models import Preprocessing

MEMBER = {"size": 64, "channels": 512, "side": 4, "embedding": 512}
OF_LIBRARY = sorted(
    name for name in explain._CLASSES if not METHODS[name].needs_picture and name != "eigencam"
)
FOR_ALL = [key for key, method in METHODS.items() if method.architectures is None]


@pytest.fixture
def pictures(volume):
    slices = [prepare_image(grey(volume, index), Preprocessing(SIZE))[0] for index in (3, 6, 8)]
    return torch.from_numpy(np.stack(slices))[:, None].float() / 255


def loop(method, network, pictures, target):
    """What pytorch-grad-cam's own documentation does, one picture after the other; as large as
    the feature map."""
    found = []
    with getattr(pytorch_grad_cam, explain._CLASSES[method])(network, [network.trunk]) as cam:
        for x in pictures:
            cam(x[None], [ClassifierOutputTarget(target)])
            grid = cam.activations_and_grads.activations[0].shape[2:]
            cam.get_target_width_height = lambda _, grid=grid: grid[::-1]
            found.append(cam(x[None], [ClassifierOutputTarget(target)]))
    return np.concatenate(found)


def ours(method, network, pictures, target):
    with torch.inference_mode():
        features = network.trunk(pictures)
    return scale_cam_image(
        np.maximum(explain.explain_features(method, network, features, target), 0)
    )


def test_eigencam_is_high_where_the_features_are_and_else_the_librarys(any_network, pictures):
    fast = predict.optimise_network(copy.deepcopy(any_network))
    with torch.inference_mode():
        features = fast.trunk(pictures)
    raw = explain.explain_features("eigencam", fast, features, 0)
    library = eigencam.get_2d_projection(features.numpy())
    active = features.numpy().mean(1)
    for one, theirs, mean in zip(raw, library, active, strict=True):
        np.testing.assert_allclose(np.abs(one), np.abs(theirs), atol=1e-4)
        assert np.corrcoef(one.ravel(), mean.ravel())[0, 1] > 0


@pytest.mark.parametrize("method", OF_LIBRARY)
def test_maps_are_those_of_a_loop_over_the_whole_network(any_network, pictures, method):
    fast = predict.optimise_network(copy.deepcopy(any_network))
    targets = range(1 if METHODS[method].class_agnostic else 4)
    theirs = [loop(method, any_network, pictures, target) for target in targets]
    assert np.max(theirs) > 0.5  # there is something to compare
    for target in targets:
        np.testing.assert_allclose(ours(method, fast, pictures, target), theirs[target], atol=1e-4)


def test_score_cam_is_that_of_the_library(pictures, capfd):
    network, few = settled("light"), pictures[:1]
    raw = explain.explain_images("scorecam", network, few, 1)
    assert capfd.readouterr().err == ""
    ours = scale_cam_image(np.maximum(raw, 0))
    np.testing.assert_allclose(ours, loop("scorecam", network, few, 1), atol=1e-4)


def test_score_cam_can_be_stopped_between_passes(pictures):
    network = settled("light")
    passes = []

    def tick():
        passes.append(1)
        if len(passes) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        explain.explain_images("scorecam", network, pictures[:1], 1, tick)
    assert len(passes) == 3
    assert not hooks(network)


@pytest.mark.parametrize("method", FOR_ALL)
def test_nothing_is_left_behind(pictures, method):
    network = predict.optimise_network(settled("light"))
    few = pictures[:1].clone()
    features = network.trunk(few)
    if METHODS[method].needs_picture:
        explain.explain_images(method, network, few, 0)
    else:
        explain.explain_features(method, network, features, 0)
    assert not hooks(network)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert features.grad is None
    kept = weakref.ref(features), weakref.ref(few)
    del features, few
    gc.collect()
    assert [reference() for reference in kept] == [None, None]


def test_explaining_again_and_again_takes_no_more_memory(pictures):
    network = predict.optimise_network(settled("light"))
    features = network.trunk(pictures)

    def tensors():
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    explain.explain_features("gradcam", network, features, 0)
    before = tensors()
    for _ in range(3):
        explain.explain_features("gradcam", network, features, 0)
    assert tensors() <= before


def hooks(network):
    return [m for m in network.modules() if m._forward_hooks or m._backward_hooks]


def test_negative_evidence_alone_is_an_empty_map():
    raw = np.array([[[-1.0, -2.0], [-3.0, -0.5]], [[-1.0, 0.0], [4.0, 2.0]]], np.float32)
    maps = scale_maps(raw, 8)
    assert not maps[0].any()
    assert maps[1].max() == pytest.approx(1, abs=1e-6)


def test_maps_can_be_made_under_inference_mode(any_network, pictures):
    network = predict.optimise_network(copy.deepcopy(any_network))
    outside = ours("gradcam", network, pictures, 2)
    with torch.inference_mode():
        np.testing.assert_array_equal(ours("gradcam", network, pictures, 2), outside)


def test_methods_know_which_architectures_they_are_for():
    needed = {"ensemble": {"members": [{**MEMBER, "architecture": "light"}] * 2}}
    with torch.device("meta"):
        made = {
            one: networks.create_network(one, 3, **needed.get(one, {}))
            for one in networks.list_architectures()
        }
    assert {name for name, network in made.items() if network.attends} == ATTENDING
    tokens = {name for name, network in made.items() if hasattr(network.trunk, "tokens")}
    assert tokens == TRANSFORMERS


class Places(torch.nn.Module):
    """The same features whatever the picture."""

    def __init__(self, features):
        super().__init__()
        self.features = features

    def forward(self, x):
        return self.features.expand(len(x), -1, -1, -1)


def test_attention_points_where_the_network_looks_and_its_class_is_found():
    network = networks.create_network("light_guided", 3).eval()
    features = torch.zeros(1, 320, 6, 6)
    features[0, 7, 1, 4] = 5  # looked at, and speaks for the class
    features[0, 7, 4, 1] = 5  # speaks for the class, and is not looked at
    features[0, 9, 1, 4] = features[0, 9, 2, 2] = 5  # looked at
    score, linear = network.head[0].score, network.head[2]
    with torch.no_grad():
        for parameter in (*score.parameters(), *linear.parameters()):
            parameter.zero_()
        score.weight[0, 9] = 1
        linear.weight[1, [7, 320 + 7]] = 1
    network.trunk = torch.nn.Sequential(Places(features))
    picture = torch.zeros(1, 1, 96, 96)
    (looked,) = explain.explain_images("attention", network, picture, 1)
    (map_HW,) = explain.explain_images("attention-class", network, picture, 1)
    assert looked.shape == map_HW.shape == (12, 12)
    assert looked[5, 5] == pytest.approx(looked[3, 9])
    assert np.unravel_index(map_HW.argmax(), map_HW.shape) == (3, 9)
    assert map_HW[9, 3] < 0.1 * map_HW[3, 9]
    assert map_HW[5, 5] == 0
    assert not explain.explain_images("attention-class", network, picture, 2).any()


def test_stitched_maps_are_finer_and_in_their_place():
    """A network that looks at the brightest of 16 × 16 pixels finds a spot to within 8."""

    def look(images):
        return torch.nn.functional.max_pool2d(torch.from_numpy(images), 16).numpy()

    for top, left in ((4, 60), (41, 22), (70, 33), (9, 9)):
        picture = np.zeros((1, 1, 96, 96), np.float32)
        picture[:, :, top : top + 4, left : left + 4] = 1
        map_HW = attention.stitch_maps(look, picture, lambda maps: maps[:, 0])
        rows, columns = np.nonzero(map_HW[0] > 0.99 * map_HW.max())
        assert abs((rows.mean() + 0.5) * 8 - top - 2) <= 8
        assert abs((columns.mean() + 0.5) * 8 - left - 2) <= 8


def test_rollout_follows_the_attention_of_every_layer():
    network = networks.create_network("vit_b_16", 3).eval()
    pictures = torch.rand(1, 1, 64, 64)
    given = []
    for layer in (one for one in network.modules() if isinstance(one, torch.nn.MultiheadAttention)):
        layer.register_forward_pre_hook(lambda _, inputs: given.append(inputs))
    rows = torch.eye(17)
    with torch.inference_mode():
        network(pictures)
        layers = [one for one in network.modules() if isinstance(one, torch.nn.MultiheadAttention)]
        for layer, (query, key, value) in zip(layers, list(given), strict=True):
            attention = layer(query, key, value, average_attn_weights=True)[1][0]
            step = 0.5 * attention + 0.5 * torch.eye(17)[: len(attention)]
            rows = step @ rows
    expected = rows[0, 1:].reshape(4, 4).numpy()
    found = explain.explain_images("rollout", network, pictures, 0)[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_occlusion_falls_where_the_decisive_spot_is_hidden():
    class Spot(torch.nn.Module):
        def forward(self, x):
            level = x[:, :, 20:28, 40:48].mean((1, 2, 3))
            return torch.stack([level * 9, 0 * level], 1)

    picture = torch.full((1, 1, 64, 64), 0.1)
    picture[:, :, 20:28, 40:48] = 1
    (map_GG,) = explain.explain_images("occlusion", Spot(), picture, 0)
    row, column = np.unravel_index(map_GG.argmax(), map_GG.shape)
    assert 20 <= (row + 0.5) * 4 <= 28
    assert 40 <= (column + 0.5) * 4 <= 48
    assert map_GG[12:, :8].max() == pytest.approx(0)
    (against,) = explain.explain_images("occlusion", Spot(), picture, 1, against=0)
    assert against.min() < -1


def test_why_this_class_and_not_that_one(pictures):
    network = predict.optimise_network(settled("light"))
    with torch.inference_mode():
        features = network.trunk(pictures)
    one, other = (explain.explain_features("hirescam", network, features, k) for k in (0, 2))
    both = explain.explain_features("hirescam", network, features, 0, 2)
    np.testing.assert_allclose(both, one - other, atol=1e-5)
