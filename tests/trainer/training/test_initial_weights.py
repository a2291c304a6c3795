"""Where training may start from, and what is refused."""

from __future__ import annotations

import hashlib
import json
import pickle

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from tests.networks.made import small_transformers
from trainer import cli
from trainer.training import initial_weights
from tumorviewer import networks
from tumorviewer.errors import InputError
from tumorviewer.models import Architecture, Preprocessing, Weights, bundle
from tumorviewer.models.card import ModelCard

__all__ = ["small_transformers"]

OFFICIAL = "squeezenet1_1-b8a52dc0.pth"


@pytest.fixture(scope="module")
def published():
    torch.manual_seed(0)
    return models.squeezenet1_1(weights=None).state_dict()


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty cache of torchvision's."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def fresh() -> networks.Classifier:
    return networks.create_network("squeezenet1_1", 3)


def is_started(network, published) -> bool:
    return torch.equal(network.trunk.features[0].weight, published["features.0.weight"])


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_file_with_torchvisions_names(name, published, tmp_path):
    path = tmp_path / name
    (torch.save if name.endswith("pth") else save_file)(published, path)
    network = fresh()
    begun = initial_weights.start_from_weights(network, str(path))
    assert is_started(network, published)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert begun == initial_weights.InitialWeights(
        "file", name, sha256, "", 50
    )  # all but the classes' two


def test_half_precision_is_widened(published, tmp_path):
    save_file({name: one.half() for name, one in published.items()}, tmp_path / "w.safetensors")
    network = fresh()
    initial_weights.start_from_weights(network, str(tmp_path / "w.safetensors"))
    assert network.trunk.features[0].weight.dtype == torch.float32


class Boom:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"a": Boom()}, "could be a program"),
        ([1, 2], "no state dict"),
        ({"model": {"a": torch.zeros(1)}}, "no state dict"),
        ({"features.0.weight": torch.zeros(64, 3, 3, 3)}, "another architecture"),
    ],
)
def test_files_of_torch_are_read_as_tensors_alone(content, words, tmp_path, capsys):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(InputError, match=words):
        initial_weights.start_from_weights(fresh(), str(tmp_path / "w.pth"))
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("is_zip", [True, False])
def test_files_that_are_cut_off_are_refused(is_zip, tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"a": torch.zeros(3)}, path, _use_new_zipfile_serialization=is_zip)
    content = path.read_bytes()
    for length in range(0, len(content) - 1, len(content) // 40):
        path.write_bytes(content[:length])
        with pytest.raises(InputError):
            initial_weights.start_from_weights(fresh(), str(path))


def test_a_bare_pickle_is_not_run(tmp_path, capsys):
    (tmp_path / "w.pth").write_bytes(pickle.dumps(Boom(), protocol=2))
    with pytest.raises(InputError):
        initial_weights.start_from_weights(fresh(), str(tmp_path / "w.pth"))
    assert "executed" not in capsys.readouterr().out


def test_a_folder_gives_the_file_of_the_architecture(published, tmp_path):
    save_file(published, tmp_path / "squeezenet1_1-mine.safetensors")
    (tmp_path / "squeezenet1_10-other.pth").write_bytes(b"")
    assert (
        initial_weights.start_from_weights(fresh(), str(tmp_path)).name
        == "squeezenet1_1-mine.safetensors"
    )
    torch.save(published, tmp_path / OFFICIAL)
    begun = initial_weights.start_from_weights(fresh(), str(tmp_path))
    assert (begun.source, begun.name) == ("torchvision", OFFICIAL)
    assert "BSD" in begun.licence


def test_a_folder_with_none_or_several_is_refused(published, tmp_path):
    with pytest.raises(InputError, match="no file named squeezenet1_1"):
        initial_weights.start_from_weights(fresh(), str(tmp_path))
    for name in ("squeezenet1_1-a.pth", "squeezenet1_1-b.pth"):
        torch.save(published, tmp_path / name)
    with pytest.raises(InputError, match="2 files"):
        initial_weights.start_from_weights(fresh(), str(tmp_path))


def test_the_cache_is_used_and_nothing_is_downloaded_unasked(published, hub, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("a download")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(InputError, match="--fetch") as caught:
        initial_weights.start_from_weights(fresh(), "torchvision")
    assert OFFICIAL in str(caught.value)
    torch.save(published, hub / OFFICIAL)
    network = fresh()
    assert (
        initial_weights.start_from_weights(network, "torchvision", fetch=True).source
        == "torchvision"
    )
    assert is_started(network, published)


def test_a_download_is_checked_and_shown(published, tmp_path, hub, monkeypatch, capsys):
    away = tmp_path / "away.pth"
    torch.save(published, away)
    beginning = hashlib.sha256(away.read_bytes()).hexdigest()[:8]
    good, bad = f"squeezenet1_1-{beginning}.pth", "squeezenet1_1-00000000.pth"
    monkeypatch.setattr(initial_weights, "_urls", lambda _network: {good: away.as_uri()})
    assert initial_weights.start_from_weights(fresh(), "torchvision", fetch=True).name == good
    assert "100%" in capsys.readouterr().err
    monkeypatch.setattr(initial_weights, "_urls", lambda _network: {bad: away.as_uri()})
    with pytest.raises(InputError, match="could not be downloaded: invalid hash"):
        initial_weights.start_from_weights(fresh(), "torchvision", fetch=True)
    assert [path.name for path in hub.iterdir()] == [good]


@pytest.mark.parametrize("name", ["light", "brain_cnn"])
def test_families_that_torchvision_does_not_have_are_refused(name, hub):
    with pytest.raises(InputError, match="publishes no weights"):
        initial_weights.start_from_weights(
            networks.create_network(name, 3), "torchvision", fetch=True
        )


def test_torchvisions_mobilenet_wants_its_own_normalisation(tmp_path):
    name = "mobilenet_v2-7ebf99e0.pth"
    torch.save(models.mobilenet_v2(weights=None).state_dict(), tmp_path / name)
    with pytest.raises(InputError, match="imagenet = true"):
        initial_weights.start_from_weights(
            networks.create_network("light_transfer", 3), str(tmp_path)
        )
    network = networks.create_network("light_transfer", 3, imagenet=True)
    assert initial_weights.start_from_weights(network, str(tmp_path)).source == "torchvision"


OLD = {
    "densenet121": {"norm1.": "norm.1.", "conv2.": "conv.2."},
    "vit_b_16": {"mlp.0.": "mlp.linear_1.", "mlp.3.": "mlp.linear_2."},
}


@pytest.mark.parametrize("name", OLD)
def test_names_of_old_files_are_understood(name, tmp_path, small_transformers):
    donor, network = networks.create_network(name, 3), networks.create_network(name, 5)
    own = donor.state_dict()
    stored = {}
    for theirs, ours in donor.published.items():
        for today, once in OLD[name].items():
            theirs = theirs.replace(today, once) if "norm.5" not in theirs else theirs
        if not theirs.endswith("num_batches_tracked"):
            stored[theirs] = own[ours]
    assert not set(stored) <= set(donor.published)
    torch.save(stored, tmp_path / "w.pth")
    initial_weights.start_from_weights(network, str(tmp_path / "w.pth"))
    for tensor, value in network.state_dict().items():
        if value.shape == own[tensor].shape and "num_batches" not in tensor:
            assert torch.equal(value, own[tensor]), tensor


def catalogue_model(folder, items=()):
    torch.manual_seed(1)
    network = networks.create_network("brain_cnn", 4)
    card = ModelCard(
        name="before",
        version="3",
        title="Before",
        architecture=Architecture("brain_cnn"),
        classes=("a", "b", "c", "d"),
        labels={name: name for name in "abcd"},
        no_tumour=None,
        preprocessing=Preprocessing(64),
        weights=Weights("", 0),
        created="2026-11-21",
        summary="",
        intended_use="Tests.",
        limits=(),
        licence="CC0-1.0",
        training={},
        figures={},
    )
    folder = folder / "models" / "before"
    return bundle.write_bundle(folder, card, network.state_dict(), items), network


def test_classes_that_a_model_of_the_catalogue_knows_are_told_as_it_tells_them(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("TUMORVIEWER_HOME", str(tmp_path))
    _, known = catalogue_model(tmp_path)
    known.eval()
    x = torch.rand(2, 1, 64, 64)
    for classes, same in (
        (("d", "new", "b"), {0: 3, 2: 1}),
        (("d", "a", "c", "new"), {0: 3, 1: 0}),
    ):
        network = networks.create_network("brain_cnn", len(classes))
        initial_weights.start_from_weights(network, "catalogue:before", classes)
        network.eval()
        for ours, theirs in same.items():
            assert torch.allclose(network(x)[:, ours], known(x)[:, theirs])
        unknown = classes.index("new")
        assert not any(torch.allclose(network(x)[:, unknown], known(x)[:, at]) for at in range(4))


def test_a_model_of_the_catalogue_is_a_start_and_the_card_says_so(
    shapes, cache, tmp_path, monkeypatch
):
    home, out = tmp_path / "home", tmp_path / "run"
    discs = [hashlib.sha256(one.read_bytes()).hexdigest() for one in (shapes / "disc").iterdir()]
    elsewhere = "ab" * 32
    card, _ = catalogue_model(home, [*discs, elsewhere])
    settings = {
        "preprocessing.size": 64,
        "model.architecture": "brain_cnn",
        "model.initial_weights": "catalogue:before",
        "training.epochs": 1,
        "training.batch": 8,
        "split.folds": 3,
    }
    chosen = [f"--set={key}={value}" for key, value in settings.items()]
    monkeypatch.setenv("TUMORVIEWER_HOME", str(home))
    command = ["fit", str(shapes), f"--out={out}", f"--cache={cache}", "--progress=none"]
    assert cli.main([*command, *chosen]) == 0
    training = json.loads((out / "bundle" / "card.json").read_text())["training"]
    assert training["initial_weights"] == {
        "source": "catalogue",
        "name": "before 3",
        "sha256": card.weights.sha256,
        "licence": "CC0-1.0",
        "tensors": 8,
        "held_out_seen": pytest.approx(1 / 3),
    }
    assert "had been trained on 33 % of the part judged" in training["selection"]
    assert bundle.item_digest(elsewhere) in bundle.read_training_items(out / "bundle")


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "options", "tensors"),
    [
        ("squeezenet1_1", {}, 50),
        ("mobilenet_v2", {}, 312),
        ("integrated", {"backbone": "squeezenet1_1", "sequence": "slices"}, 50),
    ],
)
def test_the_starts_that_are_at_hand_load(name, options, tensors, shared_data):
    network = networks.create_network(name, 4, **options)
    assert (
        initial_weights.start_from_weights(network, str(shared_data / "weights")).tensors == tensors
    )
