"""Checks of maps where it is known what the network decides on: a planted blob."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tumorviewer.analysis import pipeline
from tumorviewer.analysis.engines.contrast import ContrastiveTarget
from tumorviewer.analysis.engines.map_scaling import scale_maps
from tumorviewer.analysis.examination import Examination
from tumorviewer.analysis.predict import TorchModel
from tumorviewer.analysis.slices import prepare_volume
from tumorviewer.analysis.trust import map_checks, map_verdict
from tumorviewer.analysis.trust.map_verdict import NO_EVIDENCE, NO_TUMOUR, MapCheck
from tumorviewer.errors import InputError
from tumorviewer.models import Preprocessing, bundle
from tumorviewer.networks import Classifier
from tumorviewer.study import Placement, Volume

SIDE = 96


class BlobNetwork(Classifier):
    """Calls what is brighter than 70 % of white a glioma, and nothing else anything."""

    input_size = SIDE

    def __init__(self) -> None:
        super().__init__()
        bright = nn.Conv2d(1, 1, 1)
        linear = nn.Linear(1, 4)
        with torch.no_grad():
            bright.weight.fill_(1)
            bright.bias.fill_(-0.7)
            linear.weight.zero_()
            linear.weight[0] = 900
            linear.bias.copy_(torch.tensor([-4.0, 0, -2, 0]))
        self.trunk = nn.Sequential(bright, nn.ReLU(), nn.AvgPool2d(8))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)


def blob(left: int = 60) -> Volume:
    """A grey head with a white blob, twice; and without it."""
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    array = np.zeros((3, SIDE, SIDE), np.uint8)
    array[:, (x / 0.75) ** 2 + (y / 0.9) ** 2 < 1] = 110
    array += np.random.default_rng(0).integers(0, 20, array.shape, np.uint8)
    array[:2, 30:44, left : left + 14] = 250
    return Volume(array, np.eye(4), Placement.PATIENT, "made/blob")


@pytest.fixture
def examination(random_bundle) -> Examination:
    card = replace(bundle.read_card(random_bundle), preprocessing=Preprocessing(SIDE, crop=False))
    model = TorchModel(card, BlobNetwork().eval().requires_grad_(False), torch.device("cpu"))
    return Examination(prepare_volume(blob(), card.preprocessing), model)


def ask(examination, method="hirescam", target="glioma", against="", index=0) -> MapCheck:
    return map_checks.check_map(examination, map_checks.CheckedMap(method, target, against, index))


@pytest.mark.parametrize("method", ["gradcam", "hirescam", "layercam", "occlusion"])
def test_the_map_of_what_decides_passes(examination, method):
    check = ask(examination, method)
    assert check.verdict == "passes", map_verdict.failure_reasons(check)
    assert check.deletion > 0.5
    assert check.faithful > 0.3
    assert check.inside > 0.9
    assert check.agreement > 0.5
    assert (check.stability is None) == (method == "occlusion")
    assert "Checked: " in map_verdict.describe_check(check)


def instead(monkeypatch, method, make):
    """The worker makes other maps by this method than it should."""
    right = map_checks.maps_of

    def wrong(model, name, pictures, question):
        raw = right(model, name, pictures, question)
        return make(raw) if name == method else raw

    monkeypatch.setattr(map_checks, "maps_of", wrong)


def test_a_random_map_fails(examination, monkeypatch):
    generator = np.random.default_rng(1)
    instead(monkeypatch, "hirescam", lambda raw: generator.random(raw.shape).astype(np.float32))
    check = ask(examination)
    assert check.verdict == "fails"
    assert abs(check.agreement) < 0.3
    assert check.stability < 0.3
    assert "It changes with noise or mirroring." in map_verdict.failure_reasons(check)


def test_a_map_that_points_elsewhere_fails(examination, monkeypatch):
    instead(monkeypatch, "hirescam", lambda raw: np.roll(raw, 4, axis=1))
    check = ask(examination)
    assert check.verdict == "fails"
    assert check.stability > 0.5
    assert check.agreement < 0
    assert map_verdict.failure_reasons(check) == ("Other methods point elsewhere.",)


def test_road_tells_the_decisive_place_from_another(examination):
    picture, question = examination.prepared.pictures[0], ContrastiveTarget(0)
    right, wrong = np.zeros((2, 12, 12), np.float32)
    right[4:6, 7:9] = 1
    wrong[7:9, 3:5] = 1
    good, bad = (
        map_checks.measure_road(
            examination.model, picture, scale_maps(one[None], SIDE)[0], question
        )
        for one in (right, wrong)
    )
    assert good[0] - good[1] > 0.3 > 0 > bad[0] - bad[1]
    again = map_checks.measure_road(
        examination.model, picture, scale_maps(right[None], SIDE)[0], question
    )
    assert again == good  # the imputer's noise is always the same


def test_nothing_to_point_at(examination):
    assert ask(examination, target="notumor").nothing == NO_TUMOUR
    empty = ask(examination, target="meningioma")
    assert empty.nothing == NO_EVIDENCE
    assert empty.verdict == "nothing"
    assert empty.faithful is None
    assert map_verdict.describe_check(empty) == NO_EVIDENCE
    with pytest.raises(InputError, match="not judged"):
        ask(examination, index=9)


def test_why_not_another_class(examination):
    check = ask(examination, against="meningioma")
    assert check.verdict == "passes", map_verdict.failure_reasons(check)
    assert check.against == "meningioma"
    saliency = pipeline.explain_slices(examination, "hirescam", "glioma", [0], against="pituitary")
    assert saliency.against == "pituitary"
    row, column = np.unravel_index(saliency.maps[0].argmax(), saliency.maps[0].shape)
    assert 30 <= row < 44
    assert 60 <= column < 74
    with pytest.raises(InputError, match="same map whatever the class"):
        pipeline.explain_slices(examination, "eigencam", "glioma", against="pituitary")
    with pytest.raises(InputError, match="against itself"):
        pipeline.explain_slices(examination, "hirescam", "glioma", against="glioma")


def test_share_inside_the_head():
    picture = np.zeros((64, 64), np.uint8)
    picture[16:48, 16:48] = 120
    picture[28:36, 28:36] = 0  # a ventricle is inside
    map_SS = np.zeros((64, 64), np.float32)
    map_SS[30:34, 30:34] = 1
    assert map_checks.inside_head(picture, map_SS) == 1
    map_SS[0:4, 0:4] = 1
    assert map_checks.inside_head(picture, map_SS) == 0.5
