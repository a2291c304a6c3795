"""Distances from the training data in feature space, and that looking changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.covariance import EmpiricalCovariance
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from tests.analysis.conftest import head
from tests.analysis.test_out_of_distribution import KNOWN
from tumorviewer.analysis.engines.feature_watch import FeatureWatch
from tumorviewer.analysis.pipeline import analyse_volume
from tumorviewer.analysis.predict import TorchModel
from tumorviewer.analysis.trust import ood_detector
from tumorviewer.analysis.trust.ood_detector import FeatureSpace, OodDetector
from tumorviewer.models.trust_measures import Trust

CHANNELS = 12


def space(items: np.ndarray, components: int) -> FeatureSpace:
    """Of items ``(B, C)`` that are standardised already."""
    fitted = PCA(components).fit(items)
    spread = np.sqrt(fitted.explained_variance_)
    return FeatureSpace(
        mean=np.zeros(items.shape[1]),
        scale=np.ones(items.shape[1]),
        components=fitted.components_,
        spread=spread,
        items=items @ fitted.components_.T / spread,
        upright=np.zeros((3, items.shape[1] * 16 + 1)),
        usual=np.array([[0, 1], [0, 1]]),
    )


@pytest.fixture
def items() -> np.ndarray:
    generator = np.random.default_rng(0)
    mixing = generator.standard_normal((CHANNELS, CHANNELS))
    found = generator.standard_normal((300, CHANNELS)) @ mixing
    return found - found.mean(0)


def features(items: np.ndarray) -> np.ndarray:
    return np.broadcast_to(items[:, :, None, None], (*items.shape, 4, 4)).astype(np.float64)


def test_mahalanobis_is_that_of_the_covariance(items: np.ndarray):
    found = ood_detector.raw_scores(space(items, CHANNELS), "mahalanobis", features(items))[0]
    expected = EmpiricalCovariance(assume_centered=True).fit(items).mahalanobis(items)
    np.testing.assert_allclose(found**2, expected * 299 / 300, rtol=1e-6)


def test_the_residual_is_what_the_components_cannot_say(items: np.ndarray):
    found = ood_detector.raw_scores(space(items, 5), "residual", features(items))[0]
    fitted = PCA(5).fit(items)
    said = fitted.inverse_transform(fitted.transform(items))
    np.testing.assert_allclose(found, np.linalg.norm(items - said, axis=1), rtol=1e-6)


def test_the_neighbour_is_the_fifth(items: np.ndarray):
    known = space(items, 6)
    asked = items[:20] + 1
    found = ood_detector.raw_scores(known, "neighbour", features(asked))[0]
    nearest = NearestNeighbors(n_neighbors=ood_detector.NEIGHBOUR).fit(known.items)
    expected = nearest.kneighbors(ood_detector.whiten(known, asked))[0][:, -1]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_way_up_is_told_by_where_things_are(items: np.ndarray):
    weights = np.zeros((3, CHANNELS, 4, 4))
    weights[0, 0, 0], weights[1, 0, 3] = 1, 1  # the first channel at the top, at the bottom
    flat = np.concatenate([weights.reshape(3, -1), np.zeros((3, 1))], axis=1)
    known = space(items, 5)._replace(upright=flat)
    upright = np.zeros((1, CHANNELS, 4, 4))
    upright[0, 0, 0] = 5
    turned = ood_detector.raw_scores(
        known, "residual", np.concatenate([upright, upright[:, :, ::-1]])
    )[1]
    assert turned[0] < 0 < turned[1]


def test_the_louder_alarm_counts():
    usual = np.array([[10.0, 5.0], [0.0, 2.0]])
    raw = np.array([[10.0, 15.0, 10.0], [0.0, 0.0, 6.0]])
    np.testing.assert_allclose(ood_detector.scale_scores(usual, raw), [0, 1, 3])


def test_watching_changes_no_answer_and_leaves_nothing_behind(model: TorchModel):
    pictures = np.random.default_rng(0).integers(0, 255, (3, 96, 96), dtype=np.uint8)
    plain = model.forward(pictures)[1]
    watch = FeatureWatch(model.network, ("trunk",), 4)
    with watch.watching():
        maps, logits = model.forward(pictures)
    torch.testing.assert_close(logits, plain)
    expected = torch.nn.functional.adaptive_avg_pool2d(maps, 4)
    np.testing.assert_allclose(watch.features(), expected.numpy())
    assert not model.network.trunk._forward_hooks


def arrays(model: TorchModel, usual: float) -> dict[str, np.ndarray]:
    channels = model.forward(np.zeros((1, 96, 96), np.uint8))[0].shape[1]
    found = space(np.random.default_rng(0).standard_normal((50, channels)), 4)
    found = found._replace(usual=np.array([[0, usual], [0, 1e6]]))
    return {f"familiarity.{name}": array for name, array in found._asdict().items()}


@pytest.mark.parametrize(("usual", "level"), [(1e6, "inside"), (1e-6, "outside")])
def test_an_analysis_says_the_kind(model: TorchModel, usual: float, level: str):
    card = replace(model.card, trust=Trust(1, 1, familiarity=KNOWN))
    known = TorchModel(card, model.network, model.device, arrays(model, usual))
    finding = analyse_volume(head(rows=180, columns=140), known, method=None)
    assert finding.ood is not None
    assert finding.ood.level == level
    assert (finding.named_class is None) == (level == "outside")
    again = analyse_volume(head(rows=180, columns=140), model, method=None)
    np.testing.assert_array_equal(finding.probabilities, again.probabilities)


def test_a_model_that_nobody_measured_says_nothing_of_the_kind(model: TorchModel):
    assert analyse_volume(head(), model, method=None).ood is None


def test_distances_do_not_depend_on_the_batch(model: TorchModel):
    familiar = OodDetector(KNOWN, arrays(model, 1.0))
    pictures = np.random.default_rng(1).integers(0, 255, (5, 96, 96), dtype=np.uint8)

    def distances(part: np.ndarray) -> np.ndarray:
        watch = FeatureWatch(model.network, familiar.known.stages, familiar.known.cells)
        with watch.watching():
            model.forward(part)
        return familiar.distances(watch.features())

    whole = distances(pictures)
    apart = np.concatenate([distances(pictures[:2]), distances(pictures[2:])])
    np.testing.assert_allclose(whole, apart, rtol=1e-3)
