"""Networks with settled statistics, and volumes that look a little like heads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tumorviewer import networks
from tumorviewer.analysis import predict
from tumorviewer.analysis.predict import TorchModel
from tumorviewer.models import Architecture, Preprocessing, bundle
from tumorviewer.networks import Classifier
from tumorviewer.study import Placement, Volume

SIZE = 96
torch.set_num_threads(1)  # tests run beside others: a second thread would mostly wait for the first
NETWORKS = {"light": {"width": 8}, "light_residual": {"width": 8}, "light_transfer": {}}


def settled(name: str) -> Classifier:
    """A random network whose batch norms have seen data, so that folding them does something."""
    torch.manual_seed(1)
    network = networks.create_network(name, 4, **NETWORKS[name]).train()
    with torch.no_grad():
        for _ in range(8):
            network(torch.rand(4, 1, SIZE, SIZE))
        for parameter in network.head.parameters():
            parameter.mul_(20)
    return network.eval()


@pytest.fixture(scope="session", params=NETWORKS)
def any_network(request: pytest.FixtureRequest) -> Classifier:
    return settled(request.param)


@pytest.fixture(scope="session")
def settled_bundle(random_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    card = replace(
        bundle.read_card(random_bundle),
        name="settled",
        architecture=Architecture("light_residual", NETWORKS["light_residual"]),
        preprocessing=Preprocessing(size=SIZE),
    )
    folder = tmp_path_factory.mktemp("models") / "settled"
    bundle.write_bundle(folder, card, settled("light_residual").state_dict())
    return folder


@pytest.fixture
def model(settled_bundle: Path) -> TorchModel:
    return predict.load_model(settled_bundle, "cpu")


def head(slices: int = 12, rows: int = 90, columns: int = 70) -> Volume:
    """Textured ellipses, the first slice blank, each slice different."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    array = np.zeros((slices, rows, columns), np.int16)
    for index, z in enumerate(np.linspace(-1, 0.8, slices)):
        inside = (x / 0.8) ** 2 + (y / 0.9) ** 2 + z**2 < 1
        texture = 400 + 200 * np.sin(9 * x + 7 * z) + rng.normal(0, 40, x.shape)
        array[index] = inside * texture
    affine = np.array([[0, 0, 1.5, -40], [0, 1.5, 0, -60], [3, 0, 0, 10], [0, 0, 0, 1]], np.float64)
    return Volume(array, affine, Placement.PATIENT, "made/head", "1.2.3", "echo 1")


@pytest.fixture
def volume() -> Volume:
    return head()
