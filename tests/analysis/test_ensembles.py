"""What the members of an ensemble disagree on reaches the finding and its JSON."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from tests.analysis.conftest import NETWORKS, SIZE, settled
from tumorviewer.analysis import predict
from tumorviewer.analysis.engines.batches import softmax_probabilities
from tumorviewer.analysis.pipeline import analyse_volume
from tumorviewer.analysis.slices import prepare_volume
from tumorviewer.export.finding_json import finding_to_json
from tumorviewer.models import Architecture, Preprocessing, bundle
from tumorviewer.networks.ensemble import assemble_ensemble, describe_member

NAMES = ("light", "light_residual")


@pytest.fixture
def ensemble(random_bundle, tmp_path):
    networks = [settled(name) for name in NAMES]
    members = [
        describe_member(name, NETWORKS[name], SIZE, 0, network)
        for name, network in zip(NAMES, networks, strict=True)
    ]
    joined = assemble_ensemble(4, members, networks, [1.0, 1.5])
    card = replace(
        bundle.read_card(random_bundle),
        name="two",
        architecture=Architecture("ensemble", {"members": [asdict(one) for one in members]}),
        preprocessing=Preprocessing(size=SIZE),
    )
    bundle.write_bundle(tmp_path / "two", card, joined.state_dict())
    return predict.load_model(tmp_path / "two", "cpu")


def test_disagreement_of_each_slice_is_in_the_finding(volume, ensemble):
    finding = analyse_volume(volume, ensemble)
    pictures = prepare_volume(volume, ensemble.card.preprocessing).pictures
    alone = [
        softmax_probabilities(network(ensemble.tensor(pictures)).detach() / t, ensemble.card)
        for network, t in zip(map(settled, NAMES), (1.0, 1.5), strict=True)
    ]
    expected = jensenshannon(*alone, base=2, axis=1) ** 2
    assert expected.max() > 0.01
    np.testing.assert_allclose(finding.disagreement, expected, atol=1e-4)
    assert finding_to_json(finding)["disagreement"] == finding.disagreement.tolist()


def test_a_single_network_has_nobody_to_disagree_with(volume, model):
    finding = analyse_volume(volume, model, method=None)
    assert finding.disagreement is None
    assert finding_to_json(finding)["disagreement"] is None
