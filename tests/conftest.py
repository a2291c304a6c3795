"""Fixtures that every room's tests share."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["TUMORVIEWER_LANGUAGE"] = "en"
# A process of the tests, and those that it starts, compute on one core each: idle threads that spin
# for work would take the time of the tests beside them.
os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "OPENBLAS_NUM_THREADS": "1"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what ``slow_tests.txt`` lists, which ``make quick`` leaves out."""
    listed = set(Path(__file__).with_name("slow_tests.txt").read_text("utf-8").splitlines())
    for item in items:
        if item.nodeid.partition("[")[0] in listed:
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """What was imported stays: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def pytest_unconfigure() -> None:
    """Let modules with code of their own go at the end, as they expect."""
    gc.unfreeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The public data sets beside the checkout; skips where there are none."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data on this machine")
    return folder


@pytest.fixture(scope="session")
def random_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the light CNN with random weights, seed 0."""
    import torch

    from tumorviewer import networks
    from tumorviewer.models import Architecture, ModelCard, Preprocessing, Weights, bundle

    torch.manual_seed(0)
    classes = ("glioma", "meningioma", "notumor", "pituitary")
    network = networks.create_network("light", len(classes), width=8)
    card = ModelCard(
        name="random",
        version="1",
        title="Random weights, for tests",
        architecture=Architecture("light", {"width": 8}),
        classes=classes,
        labels={
            "glioma": "Glioma",
            "meningioma": "Meningioma",
            "notumor": "No tumour",
            "pituitary": "Pituitary tumour",
        },
        no_tumour="notumor",
        preprocessing=Preprocessing(),
        weights=Weights(sha256="", bytes=0),
        created="2026-11-21",
        summary="Random.",
        intended_use="Tests.",
        limits=("Knows nothing.",),
        licence="CC0-1.0",
        training={},
        figures={},
    )
    folder = tmp_path_factory.mktemp("models") / "random"
    bundle.write_bundle(folder, card, network.state_dict())
    return folder
