"""What each mode of transfer learning trains, and the cache of embeddings."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from trainer.data.material import DataSource, PreparedData, prepare_data
from trainer.data.split import SplitSettings
from trainer.runs.config import Config, DistillationSettings, ModelSettings
from trainer.runs.fit import fit_run
from trainer.runs.run_context import RunContext
from trainer.tools.progress import Progress
from trainer.training import checkpoint
from trainer.training.augment import Augmentation
from trainer.training.frozen_features import Embeddings, Remainder
from trainer.training.image_store import ImageStore
from trainer.training.loop import predict_logits
from trainer.training.optimise import TrainingSettings
from tumorviewer import networks
from tumorviewer.errors import InputError
from tumorviewer.models import weights
from tumorviewer.models.card import Preprocessing

QUIET, CPU = Progress("none"), torch.device("cpu")
CONFIG = Config(
    split=SplitSettings("fold 1", 3),
    preprocessing=Preprocessing(size=32),
    model=ModelSettings("light", {"width": 8}),
    training=TrainingSettings(epochs=2, batch=12, warmup_epochs=0.5, lr=1e-2),
)


@pytest.fixture(scope="module")
def material(shapes, cache) -> PreparedData:
    return prepare_data(DataSource(shapes, cache), CONFIG.preprocessing, QUIET)


def trained(material: PreparedData, out: Path, **model: object) -> Config:
    config = replace(CONFIG, model=replace(CONFIG.model, **model))
    fit_run(material, config, RunContext(out, CPU, QUIET, cache=out / "cache"))
    return config


def changed(out: Path, config: Config) -> set[str]:
    """Names of the bundle's tensors that are not those the training began with."""
    torch.manual_seed(config.training.seed)
    began = networks.create_network(
        config.model.architecture, 3, **config.model.options
    ).state_dict()
    _, network = weights.load_weights(out / "bundle")
    return {name for name, one in network.state_dict().items() if not torch.equal(one, began[name])}


def test_frozen_trains_the_classifier_and_gives_an_ordinary_bundle(material, tmp_path):
    config = trained(material, tmp_path, mode="frozen")
    assert changed(tmp_path, config) == {"head.3.weight", "head.3.bias"}
    stored = checkpoint.read_checkpoint(tmp_path / "last.safetensors")
    assert not [name for name in stored.tensors if "trunk" in name]
    _, network = weights.load_weights(tmp_path / "bundle")
    held = predict_logits(network, ImageStore(material.pictures.array, CPU), torch.arange(36))
    (embeddings,) = (tmp_path / "cache").glob("embeddings-*.npy")
    cached = network.classify(torch.from_numpy(np.load(embeddings)))
    np.testing.assert_allclose(cached.detach().numpy(), held, rtol=1e-4, atol=1e-5)


def test_upper_leaves_the_lower_layers_and_their_statistics_alone(material, tmp_path):
    config = trained(
        material,
        tmp_path,
        mode="upper",
        architecture="light_transfer",
        options={"width": 16},
    )
    names = changed(tmp_path, config)
    assert all(name.startswith(networks.mobilenet.LightTransfer.upper) for name in names)
    assert {"trunk.2.1.running_mean", "trunk.4.0.weight", "head.3.bias"} <= names


def embeddings_of(array: np.ndarray, seed: int = 0, copies: int = 0) -> Embeddings:
    torch.manual_seed(seed)
    network = networks.create_network("light", 3, width=8)
    remainder = Remainder(network, ImageStore(array, CPU).batch(torch.arange(1)))
    return Embeddings(network, remainder.trained(), array, Augmentation(), copies, 0, CPU)


def test_embeddings_are_computed_once_for_the_same_pictures_and_weights(tmp_path, monkeypatch):
    array = np.random.default_rng(0).integers(0, 256, (70, 32, 32), dtype=np.uint8)
    first = embeddings_of(array)
    stored = first.cached(tmp_path, QUIET)
    assert stored.shape == (70, 128)
    with torch.no_grad():
        network = first.network.eval()
        maps = network.trunk(torch.from_numpy(array[69:]).unsqueeze(1) / 255)
        np.testing.assert_allclose(stored[69:], network.embed(maps), rtol=1e-4, atol=1e-6)
    with monkeypatch.context() as patch:
        patch.setattr(Embeddings, "_computed", lambda _: pytest.fail("computed again"))
        assert np.array_equal(embeddings_of(array.copy()).cached(tmp_path, QUIET), stored)
    first.network.head[3].weight.data += 1
    assert embeddings_of(array).cached(tmp_path, QUIET).filename == stored.filename
    others = embeddings_of(array, seed=1), embeddings_of(255 - array), embeddings_of(array[::-1])
    made = {stored.filename, *(one.cached(tmp_path, QUIET).filename for one in others)}
    assert len(made) == 4


def test_augmented_copies_follow_the_plain_pictures(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (5, 32, 32), dtype=np.uint8)
    plain = embeddings_of(array).cached(tmp_path, QUIET)
    copies = embeddings_of(array, copies=2).cached(tmp_path, QUIET)
    assert copies.shape == (15, 128)
    assert np.array_equal(copies[:5], plain)
    assert not np.allclose(copies[5:10], copies[10:])


def test_teachers_have_nothing_to_teach_a_frozen_network(material, tmp_path):
    config = replace(CONFIG, distillation=DistillationSettings(("teacher",)))
    config = replace(config, model=replace(config.model, mode="frozen"))
    with pytest.raises(InputError, match="no pictures for its teachers"):
        fit_run(material, config, RunContext(tmp_path, CPU, QUIET))


def test_live_curves_are_what_the_log_says(material, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = replace(CONFIG, model=replace(CONFIG.model, mode="frozen"))
    fit_run(material, config, RunContext(tmp_path, CPU, QUIET, tensorboard=True))
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    log = checkpoint.read_checkpoint(tmp_path / "last.safetensors").notes["log"]
    assert set(events.Tags()["scalars"]) == {*log[0]} - {"epoch"}
    for name in ("loss", "accuracy"):
        curve = [(one.step, one.value) for one in events.Scalars(name)]
        assert curve == [(one["epoch"], pytest.approx(one[name])) for one in log]


def test_without_tensorboard_it_says_how_to_get_it(material, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"tumorviewer\[train\]"):
        fit_run(material, CONFIG, RunContext(tmp_path, CPU, QUIET, tensorboard=True))
