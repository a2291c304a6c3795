"""Starts learned without labels: resumable, loadable, better than chance, and never collapsed."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from drawn import draw, texture
from PIL import Image, ImageOps
from safetensors.torch import load_file

from trainer.cli import main
from trainer.runs.config import ModelSettings
from trainer.runs.run_context import RunContext
from trainer.tools.progress import Progress
from trainer.training.augment import Augmentation
from trainer.training.optimise import TrainingSettings
from trainer.unsupervised import unlabelled
from trainer.unsupervised.pretrain import PretrainConfig, SimSiamSettings, pretrain_network
from tumorviewer import networks
from tumorviewer.errors import InputError
from tumorviewer.models.card import Preprocessing
from tumorviewer.networks import Classifier

QUIET = Progress("none")
CPU = torch.device("cpu")
CONFIG = PretrainConfig(
    preprocessing=Preprocessing(size=32, crop=False),
    model=ModelSettings("light_residual", {"width": 8, "depth": 1}),
    training=replace(PretrainConfig().training, epochs=4, batch=16, warmup_epochs=1),
)


def run(data: Path, out: Path, cache: Path, config: PretrainConfig = CONFIG) -> dict:
    return pretrain_network(
        data, None, False, config, RunContext(out, CPU, QUIET, resume=True, cache=cache)
    )


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Stopping(Progress):
    """Ends the program after the second epoch was written."""

    def __init__(self) -> None:
        super().__init__("none")

    def __call__(self, stage: str, done: int, total: int, **values: object) -> None:
        if stage == "epoch" and done == 2:
            raise KeyboardInterrupt


def test_stopped_and_resumed_it_ends_the_same(shapes, cache, tmp_path):
    whole = run(shapes, tmp_path / "whole", cache)
    parted = RunContext(tmp_path / "parted", CPU, QUIET, cache=cache)
    with pytest.raises(KeyboardInterrupt):
        pretrain_network(shapes, None, False, CONFIG, replace(parted, progress=Stopping()))
    with pytest.raises(InputError, match="holds a pretraining already"):
        pretrain_network(shapes, None, False, CONFIG, parted)
    resumed = run(shapes, tmp_path / "parted", cache)
    starts = [(tmp_path / one / "start.safetensors").read_bytes() for one in ("whole", "parted")]
    assert starts[0] == starts[1]
    assert whole["loss"] == resumed["loss"]
    assert resumed["epochs"] == 4


def test_fit_starts_from_it_and_from_nothing_else_of_it(shapes, cache, tmp_path, capsys):
    settings = ["--set", "preprocessing.size=32", "--set", "model.architecture=light"]
    settings += ["--set", "model.options={width=8}", "--set", "training.batch=8"]
    common = ["--cache", str(cache), "--device", "cpu", "--progress", "none", *settings]
    start = tmp_path / "start"
    words = ["pretrain", str(shapes), "--out", str(start), "--set", "training.epochs=1", *common]
    assert main(words) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["method"].startswith("SimSiam")
    assert printed["data"]["pictures"] == 36
    assert json.loads((start / "start.json").read_text()) == printed
    still = ["training.epochs=1", "training.lr=1e-12", "training.ema_decay=0", "split.folds=3"]
    words = ["fit", str(shapes), "--out", str(tmp_path / "fit"), *common]
    words += [word for one in still for word in ("--set", one)]
    assert main([*words, "--set", f"model.initial_weights={start / 'start.safetensors'}"]) == 0
    began = load_file(start / "start.safetensors")
    fitted = load_file(tmp_path / "fit" / "bundle" / "model.safetensors")
    assert {name for name in fitted if name.startswith("trunk.")} == set(began)
    convolutions = [name for name, one in began.items() if one.ndim == 4]
    assert convolutions
    assert all(torch.allclose(began[name], fitted[name], atol=1e-6) for name in convolutions)


@pytest.fixture(scope="module")
def gratings(tmp_path_factory) -> tuple[Path, np.ndarray]:
    """Stripes of two widths in four directions, of any phase, contrast, brightness and noise."""
    root = tmp_path_factory.mktemp("gratings")
    chance = np.random.default_rng(0)
    labels = np.arange(192) % 8
    y, x = np.mgrid[:32, :32]
    for number, label in enumerate(labels):
        angle, per_pixel = label % 4 * np.pi / 4, 0.12 if label < 4 else 0.24
        along = x * np.cos(angle) + y * np.sin(angle)
        wave = np.sin(2 * np.pi * (per_pixel * along + chance.uniform()))
        picture = chance.uniform(80, 170) + chance.uniform(10, 70) * wave
        picture += chance.normal(0, chance.uniform(0, 25), picture.shape)
        grey = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
        grey.save(root / f"{number:03d}.png")
    return root, labels


def probe(network: Classifier, pictures: torch.Tensor, labels: np.ndarray) -> float:
    """Accuracy on the second half of a linear classifier that knows 48 labels of the first."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    with torch.inference_mode():
        features = network.eval().trunk(pictures).mean((2, 3)).numpy()
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    return classifier.fit(features[:48], labels[:48]).score(features[96:], labels[96:])


def test_a_linear_probe_reads_more_from_it_than_from_random_weights(gratings, cache, tmp_path):
    root, labels = gratings
    settings = replace(
        CONFIG,
        training=TrainingSettings(
            epochs=14, batch=16, lr=3e-3, weight_decay=1e-4, warmup_epochs=1, ema_decay=0
        ),
        augmentation=Augmentation(
            flip_horizontal=0, rotation=5, scale=0, shift=0.25, shear=0, gamma=0.5, contrast=0.5,
            brightness=0.3, bias_field=0.6, blur=0, noise=0.05, erase=0,
        ),
        pretraining=SimSiamSettings(projection=128, prediction=32),
    )  # fmt: skip
    run(root, tmp_path, cache, settings)
    read = unlabelled.read_unlabelled(root, settings.preprocessing, cache, False, QUIET)
    assert [files[0] for files in read.files] == [f"{number:03d}.png" for number in range(192)]
    pictures = torch.from_numpy(np.array(read.array)).unsqueeze(1).float() / 255
    torch.manual_seed(0)
    random, started = (
        networks.create_network("light_residual", 8, width=8, depth=1) for _ in range(2)
    )
    before = probe(random, pictures, labels)
    started.load_state_dict(load_file(tmp_path / "start.safetensors"), strict=False)
    assert probe(started, pictures, labels) > before + 0.1


def test_its_settings_are_printed_with_their_own_defaults(capsys):
    assert main(["config", "--of", "pretrain", "--set", "training.epochs=7"]) == 0
    printed = tomllib.loads(capsys.readouterr().out)
    assert printed["training"]["epochs"] == 7
    assert printed["training"]["optimiser"] == "sgd"
    assert printed["augmentation"]["erase"] == 0.5


def test_a_collapse_is_said_and_gives_no_start(cache, tmp_path):
    for number in range(16):
        draw("disc", np.random.default_rng(0)).save(tmp_path / f"{number}.png")
    unchanged = Augmentation(*[0.0] * 14)
    config = replace(CONFIG, augmentation=unchanged)
    with pytest.raises(InputError, match="same embedding"):
        run(tmp_path, tmp_path / "out", cache, config)
    assert not (tmp_path / "out" / "start.safetensors").exists()


def test_a_volume_gives_the_slices_that_show_something(cache, tmp_path):
    generator = np.random.default_rng(0)
    slices = [np.asarray(texture(generator, 48)) for _ in range(4)]
    blank = np.zeros_like(slices[0])
    stack = np.stack([blank, *slices, blank], axis=2)
    nibabel.Nifti1Image(stack, np.eye(4)).to_filename(tmp_path / "a.nii.gz")
    texture(generator).save(tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes(b"no picture")
    labels = nibabel.Nifti1Image((stack > 128).astype(np.uint8), np.eye(4))
    labels.to_filename(tmp_path / "segmentation.nii.gz")
    with pytest.raises(InputError, match="2 files or volumes"):
        unlabelled.read_unlabelled(tmp_path, Preprocessing(size=32), cache, False, QUIET)
    read = unlabelled.read_unlabelled(tmp_path, Preprocessing(size=32), cache, True, QUIET)
    counts = dict(zip(read.files, np.bincount(read.volume), strict=True))
    assert counts == {("a.nii.gz",): 4, ("b.png",): 1}
    assert read.array.shape == (5, 32, 32)
    assert read.array.std(axis=(1, 2)).min() > 10


def test_what_is_held_out_is_not_learned_nor_are_its_mirrored_twins(cache, tmp_path):
    generator = np.random.default_rng(5)
    for number in range(6):
        texture(generator).save(tmp_path / f"{number}.png")
    with Image.open(tmp_path / "2.png") as held:
        ImageOps.mirror(held).save(tmp_path / "twin.png")
    table = tmp_path / "predictions.csv"
    table.write_text("path,label\n2.png,x\n")
    read = unlabelled.read_unlabelled(tmp_path, Preprocessing(size=64), cache, True, QUIET)
    rows = unlabelled.find_rows_apart_from(read, table)
    assert [read.files[read.volume[row]][0] for row in rows] == [
        f"{n}.png" for n in (0, 1, 3, 4, 5)
    ]
    table.write_text("path,label\nelsewhere.png,x\n")
    with pytest.raises(InputError, match="names no file"):
        unlabelled.find_rows_apart_from(read, table)


@pytest.mark.parametrize("architecture", ["brain_cnn", "light", "mobilenet_v2"])
def test_other_architectures_are_pretrained_through_their_trunk(
    shapes, cache, tmp_path, architecture
):
    if architecture not in networks.list_architectures():
        pytest.skip("not in the registry")
    training = replace(CONFIG.training, epochs=1)
    model = ModelSettings(architecture)
    run(shapes, tmp_path, cache, replace(CONFIG, model=model, training=training))
    network = networks.create_network(architecture, 3)
    stored = load_file(tmp_path / "start.safetensors")
    missing, unexpected = network.load_state_dict(stored, strict=False)
    assert not unexpected
    assert not any(name.startswith("trunk.") for name in missing)
