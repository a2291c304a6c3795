"""Other kinds of image, how well they are told apart, and false alarms on held-out groups."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.trainer.drawn import texture
from trainer.tools.progress import Progress
from trainer.trust import ood_images, out_of_distribution
from trainer.trust.out_of_distribution import OodSources
from trainer.trust.separation import Separation
from tumorviewer import networks
from tumorviewer.analysis import predict
from tumorviewer.analysis.engines.feature_watch import FeatureWatch
from tumorviewer.analysis.predict import TorchModel
from tumorviewer.analysis.trust.ood_detector import OodDetector
from tumorviewer.models.card import Architecture, ModelCard, Preprocessing, Weights

SIDE = 64
SETTINGS = Preprocessing(SIDE)


@pytest.fixture(scope="module")
def heads() -> np.ndarray:
    generator = np.random.default_rng(0)
    return np.stack([np.asarray(texture(generator, SIDE)) for _ in range(120)])


class TestKinds:
    def test_the_kinds_that_choose_are_not_those_that_are_reported(self, heads: np.ndarray):
        chosen, reported = (
            ood_images.make_selection_images(heads, SETTINGS),
            ood_images.make_report_images(heads, SETTINGS, ()),
        )
        assert not set(chosen) & set(reported)
        for pictures in (
            *chosen.values(),
            *reported.values(),
            *ood_images.make_degraded_images(heads).values(),
        ):
            assert pictures.shape[1:] == (SIDE, SIDE)
            assert pictures.dtype == np.uint8
            assert len(pictures) > 5
            assert (np.ptp(pictures, axis=(1, 2)) > 0).all()

    def test_images_that_are_named_are_read(self, heads: np.ndarray, tmp_path: Any):
        from PIL import Image

        Image.fromarray(heads[0]).save(tmp_path / "other.png")
        Image.new("L", (8, 8)).save(tmp_path / "tiny.png")
        found = ood_images.make_report_images(heads, SETTINGS, [tmp_path])[
            "images given as of other kinds"
        ]
        assert len(found) > 0


class TestSeparation:
    def test_the_area_is_that_of_scikit_learn_and_lies_in_its_interval(self):
        draw = np.random.default_rng(0)
        held, other = draw.normal(0, 1, 200).round(1), draw.normal(1, 1, 50).round(1)
        found = Separation(held, np.repeat(np.arange(40), 5)).of(other)
        expected = roc_auc_score([0] * 200 + [1] * 50, np.concatenate([held, other]))
        assert found.value == pytest.approx(expected, abs=1e-6)
        assert found.low < found.value < found.high

    def test_few_groups_are_less_certain_than_many(self):
        draw = np.random.default_rng(0)
        of_group = np.repeat(draw.normal(0, 1, 10), 20)
        other = draw.normal(1, 1, 500)
        widths = [
            (found.high - found.low)
            for groups in (np.repeat(np.arange(10), 20), np.arange(200))
            for found in [Separation(of_group, groups).of(other)]
        ]
        assert widths[0] > 1.5 * widths[1]

    def test_kinds_count_alike_whatever_their_number(self):
        separation = Separation(np.arange(10.0), np.arange(10))
        pooled = separation.mean({"far": np.full(90, 99.0), "near": np.full(10, -1.0)})
        assert pooled.value == 0.5


@pytest.fixture(scope="module")
def evidence(heads: np.ndarray) -> Any:
    """Of a random network: even that knows noise from a head."""
    import torch

    torch.manual_seed(0)
    network = predict.optimise_network(networks.create_network("light_residual", 3, width=8))
    card = ModelCard(
        name="m", version="1", title="M", architecture=Architecture("light_residual"),
        classes=("a", "b", "c"), labels={}, no_tumour=None, preprocessing=SETTINGS,
        weights=Weights("0" * 64, 1), created="", summary="", intended_use="", limits=(),
        licence="", training={}, figures={},
    )  # fmt: skip
    return SimpleNamespace(
        model=TorchModel(card, network, torch.device("cpu")),
        material=SimpleNamespace(pictures=SimpleNamespace(array=heads), views=None),
        split=SimpleNamespace(train=np.arange(60)),
        held=np.arange(60, 120),
        groups=np.arange(120) // 2,
    )


@pytest.fixture(scope="module")
def measured(evidence: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    aims = OodSources(sequences=("T1",))
    return out_of_distribution.measure_out_of_distribution(
        evidence, aims, tmp_path_factory.mktemp("cache"), Progress("none")
    )


class TestMeasure:
    def test_noise_and_text_are_refused_and_held_out_heads_are_not(self, measured: Any):
        known = measured[0]
        refused = {one.kind: one.refused for one in (*known.kinds, *known.chosen_by)}
        assert refused["white noise"] == 1
        assert refused["text"] > 0.8
        assert known.false_alarms.value <= 0.05
        assert known.false_alarms.value <= known.marked.value
        assert known.unusual < known.outside
        assert known.sequences == ("T1",)

    def test_the_best_of_the_rivals_is_the_method(self, measured: Any):
        known = measured[0]
        best = max(known.rivals, key=known.rivals.get)
        assert best.startswith(known.method)
        assert len(known.rivals) == 6

    def test_what_a_bundle_keeps_judges_as_it_was_judged(
        self, measured: Any, evidence: Any, heads: np.ndarray
    ):
        known, arrays = measured
        assert sum(array.nbytes for array in arrays.values()) < 2**20
        familiar = OodDetector(known, arrays)
        watch = FeatureWatch(evidence.model.network, familiar.known.stages, familiar.known.cells)
        with watch.watching():
            evidence.model.forward(heads[60:])
        marked = familiar.distances(watch.features()) > known.unusual
        assert marked.mean() == pytest.approx(1 - out_of_distribution.UNUSUAL, abs=0.04)
