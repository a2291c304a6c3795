"""A generator that draws what it learned, copies nothing, and says that its pictures are made."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn import texture
from PIL import Image, ImageOps

from trainer.cli import main
from trainer.data import split, synthetic
from trainer.data.material import DataSource, prepare_data
from trainer.data.split import SplitSettings
from trainer.runs.run_context import RunContext
from trainer.tools.progress import Progress
from trainer.training.image_store import ImageStore
from trainer.training.optimise import TrainingSettings
from trainer.unsupervised import data_copying, diffusion, generator
from trainer.unsupervised.data_copying import KnownImages
from trainer.unsupervised.diffusion import Denoiser, DiffusionLoss, DiffusionSettings
from trainer.unsupervised.generator import Generator, GeneratorConfig
from trainer.unsupervised.unsupervised_loop import UnsupervisedTrainer
from tumorviewer.errors import InputError
from tumorviewer.models.card import Preprocessing

QUIET = Progress("none")
CPU = torch.device("cpu")
CONFIG = GeneratorConfig(
    split=SplitSettings("fold 0", 3),
    preprocessing=Preprocessing(size=32),
    training=TrainingSettings(epochs=3, batch=8, weight_decay=0.0, clip=1.0),
    generator=DiffusionSettings(width=8, steps=4),
)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Exact(Denoiser):
    """What a perfect denoiser of one picture per class answers."""

    def __init__(self, pictures_K1SS: torch.Tensor) -> None:
        super().__init__(len(pictures_K1SS), 8)
        self.pictures = pictures_K1SS

    def forward(self, z_N1SS, angle_N, label_N):
        angle = angle_N.view(-1, 1, 1, 1)
        return (angle.cos() * z_N1SS - self.pictures[label_N]) / angle.sin()


def test_the_sampler_finds_what_a_perfect_denoiser_knows():
    drawn = torch.rand((2, 1, 16, 16), generator=torch.manual_seed(0))
    settings = DiffusionSettings(guidance=1.0, steps=7)
    label = torch.tensor([1, 0, 1])
    made = diffusion.sample_images(Exact(drawn * 2 - 1), label, 16, settings, seed=5)
    assert made.shape == (3, 16, 16)
    assert (made.float() - drawn[label, 0] * 255).abs().max() <= 0.51


def test_the_loss_is_nothing_for_a_perfect_denoiser():
    picture = torch.rand((1, 1, 16, 16), generator=torch.manual_seed(0))
    network = Exact((picture * 2 - 1).expand(2, -1, -1, -1))
    x = picture.expand(6, -1, -1, -1)
    loss, _ = DiffusionLoss(0.0)(network, lambda one: one, x, torch.zeros(6, dtype=torch.long))
    assert float(loss) < 1e-4


def test_it_learns_to_draw_each_class(tmp_path):
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 60, (64, 16, 16), dtype=np.uint8)
    labels = torch.arange(64) % 2
    pictures[labels == 0, :, :8] += 180
    pictures[labels == 1, :, 8:] += 180
    plain = replace(
        GeneratorConfig().augmentation, flip_horizontal=0.0, rotation=0.0, scale=0.0, shift=0.0
    )
    settings = TrainingSettings(
        epochs=25, batch=16, lr=5e-3, warmup_epochs=1, weight_decay=0, ema_decay=0.9
    )
    torch.manual_seed(0)
    trainer = UnsupervisedTrainer(
        Denoiser(2, 8),
        DiffusionLoss(0.1),
        ImageStore(pictures, CPU),
        torch.arange(64),
        labels,
        settings,
        plain,
        CPU,
    )
    network = trainer.run(tmp_path, QUIET)
    label = torch.tensor([0] * 8 + [1] * 8)
    made = diffusion.sample_images(network, label, 16, DiffusionSettings(steps=10), 0).float()
    left, right = made[:, :, :8].mean((1, 2)), made[:, :, 8:].mean((1, 2))
    assert ((left - right)[:8] > 80).all()
    assert ((right - left)[8:] > 80).all()


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """Two classes of 24 different pictures each, the second brighter."""
    root = tmp_path_factory.mktemp("data") / "heads"
    generator = np.random.default_rng(7)
    for name, gain in (("dim", 0.6), ("lit", 1.0)):
        (root / name).mkdir(parents=True)
        for number in range(24):
            picture = texture(generator, 96).point(lambda value, gain=gain: value * gain)
            picture.save(root / name / f"{number:02d}.png")
    return root


@pytest.fixture(scope="module")
def made(heads, cache, tmp_path_factory):
    """A generator that hardly learned: what it draws is noise, and no copy."""
    out = tmp_path_factory.mktemp("generator") / "run"
    generator.fit_generator(
        DataSource(heads, cache), CONFIG, RunContext(out, CPU, QUIET, cache=cache)
    )
    return out


class Stopping(Progress):
    def __call__(self, stage, done, total, **values) -> None:
        if stage == "epoch" and done == 2:
            raise KeyboardInterrupt


def test_stopped_and_resumed_it_ends_the_same(heads, cache, made, tmp_path):
    source, run = DataSource(heads, cache), RunContext(tmp_path / "run", CPU, QUIET, cache=cache)
    with pytest.raises(KeyboardInterrupt):
        generator.fit_generator(source, CONFIG, replace(run, progress=Stopping("none")))
    generator.fit_generator(source, CONFIG, replace(run, resume=True))
    weights = [folder / "generator.safetensors" for folder in (made, tmp_path / "run")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_it_has_seen_the_training_part_only(heads, cache, made):
    record = json.loads((made / "generator.json").read_text())
    material = prepare_data(DataSource(heads, cache), CONFIG.preprocessing, QUIET)
    parts = split.choose_parts(material.dataset, material.groups, CONFIG.split)
    assert record["pictures"] == len(parts.train) == 32
    held = {material.pictures.sha256[row] for row in parts.validation}
    assert not held & set(record["training_sha256"])
    assert not list(made.rglob("*.png"))


@pytest.fixture(scope="module")
def samples(made, tmp_path_factory):
    out = tmp_path_factory.mktemp("samples") / "out"
    words = [str(made), "--per-class", "5", "--out", str(out), "--device", "cpu"]
    assert main(["generate", "sample", *words, "--progress", "none"]) == 0
    return out


def test_samples_say_that_they_are_made(samples, capsys, made, tmp_path):
    with (samples / "manifest.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["label"] for row in rows] == ["dim"] * 5 + ["lit"] * 5
    assert {row["synthetic"] for row in rows} == {"yes"}
    for row in rows:
        assert "synthetic" in (samples / row["path"]).name
        with Image.open(samples / row["path"]) as picture:
            assert picture.size == (32, 32)
            assert "no patient" in picture.info["Synthetic"]
        renamed = tmp_path / "x.png"
        renamed.write_bytes((samples / row["path"]).read_bytes())
        assert synthetic.is_synthetic(renamed)
    assert main(["generate", "check", str(made), "--samples", str(samples), "--device", "cpu"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["near_duplicates"] == []
    assert said["verdict"] == "no sign of copying"


def test_samples_are_the_same_each_time_and_others_with_another_seed(made, samples, tmp_path):
    drawing = Generator.open(made, CPU, QUIET)
    for seed, same in ((0, True), (1, False)):
        generator.write_samples(drawing, 5, tmp_path / str(seed), seed, QUIET)
        paths = sorted(samples.rglob("*.png"))
        others = [tmp_path / str(seed) / path.relative_to(samples) for path in paths]
        alike = [
            one.read_bytes() == two.read_bytes() for one, two in zip(paths, others, strict=True)
        ]
        assert alike == [same] * 10
    with pytest.raises(InputError, match="not empty"):
        generator.write_samples(drawing, 5, tmp_path / "0", 0, QUIET)


def copies(generator: Generator, label: int, seed: int):
    """What a generator that memorised its training pictures draws: mirrored, with some noise."""
    chance = np.random.default_rng(seed)
    rows = generator.parts.train[
        generator.material.dataset.labels()[generator.parts.train] == label
    ]
    while True:
        some = generator.material.pictures.array[chance.choice(rows, 8)][:, :, ::-1].astype(float)
        yield (some + chance.normal(0, 2, some.shape)).clip(0, 255).astype(np.uint8)


def test_a_generator_that_memorised_is_not_sampled_from(made, tmp_path, monkeypatch):
    monkeypatch.setattr(Generator, "drawn", copies)
    with pytest.raises(InputError, match="near-duplicates of training pictures"):
        generator.write_samples(Generator.open(made, CPU, QUIET), 5, tmp_path / "out", 0, QUIET)
    assert not (tmp_path / "out").exists()


def test_copies_that_came_into_a_folder_of_samples_are_named(made, tmp_path, capsys):
    generator = Generator.open(made, CPU, QUIET)
    pictures = {
        name: next(copies(generator, label, 0))[:3] for label, name in enumerate(("dim", "lit"))
    }
    synthetic.write_synthetic(tmp_path / "out", pictures, generator.record, 0, CONFIG.preprocessing)
    words = [str(made), "--samples", str(tmp_path / "out"), "--device", "cpu"]
    assert main(["generate", "check", *words, "--progress", "none"]) == 1
    said = capsys.readouterr()
    assert len(json.loads(said.out)["near_duplicates"]) == 6
    assert "6 samples are near-duplicates" in said.err


def test_single_copies_are_drawn_anew(made, tmp_path, monkeypatch):
    honest = Generator.drawn

    def seldom(generator, label, seed):
        batches = zip(honest(generator, label, seed), copies(generator, label, seed), strict=False)
        for fresh, copied in batches:
            yield np.concatenate((copied[:1], fresh))

    monkeypatch.setattr(Generator, "drawn", seldom)
    drawing = Generator.open(made, CPU, QUIET)
    record = generator.write_samples(drawing, 40, tmp_path / "out", 0, QUIET)
    assert record["refused_near_duplicates"] == 4
    assert generator.check_samples(drawing, tmp_path / "out")["near_duplicates"] == []


def test_the_check_finds_copies_and_acquits_real_pictures_that_were_not_seen():
    chance = np.random.default_rng(0)
    draw = [np.asarray(texture(chance, 64)) for _ in range(160)]
    known, held, fresh = (
        np.stack(draw[part]) for part in (slice(80), slice(80, 120), slice(120, 160))
    )
    labels = [np.arange(len(one)) % 2 for one in (known, held, fresh)]
    nearly = known[:40, :, ::-1].astype(float) + chance.normal(0, 25, (40, 64, 64))
    noisy = nearly.clip(0, 255).astype(np.uint8)
    caught, acquitted = (
        data_copying.measure_copying(
            KnownImages(known), labels[0], (one, labels[2]), (held, labels[1])
        )
        for one in (noisy, fresh)
    )
    assert caught["copying_z"] < data_copying.COPYING < acquitted["copying_z"]
    assert caught["nearer_than_held_out"] > 0.95
    assert abs(acquitted["nearer_than_held_out"] - 0.5) < 0.2
    assert acquitted["near_duplicate_share"] == 0
    assert acquitted["verdict"] == "no sign of copying"
    assert caught["verdict"] != acquitted["verdict"]


def test_samples_are_trained_on_and_change_no_part_of_the_real_pictures(heads, cache, samples):
    plain = prepare_data(DataSource(heads, cache), CONFIG.preprocessing, QUIET)
    more = prepare_data(DataSource(heads, cache, synthetic=samples), CONFIG.preprocessing, QUIET)
    settings = [SplitSettings(f"fold {number}", 3) for number in range(3)]
    for one in [*settings, SplitSettings("nested 1", 3), SplitSettings("none")]:
        before, after = (
            split.choose_parts(made.dataset, made.groups, one) for made in (plain, more)
        )
        assert after.validation.tolist() == before.validation.tolist()
        assert after.test.tolist() == before.test.tolist()
        assert after.train.tolist() == [*before.train, *range(48, 58)]
    assert len(set(more.groups[48:])) == 10
    assert not set(more.groups[48:]) & set(more.groups[:48])
    assert more.pictures.array[48:].std() > 10


def test_a_fit_on_samples_is_judged_on_real_pictures_that_their_generator_has_not_seen(
    heads, cache, samples, tmp_path, capsys
):
    words = ["fit", str(heads), "--cache", str(cache), "--device", "cpu", "--progress", "none"]
    chosen = ["preprocessing.size=32", "model.options={width=8,depth=1}", "training.epochs=1"]
    chosen += [f"data.synthetic={samples}", "split.folds=3"]
    words += [word for one in chosen for word in ("--set", one)]
    assert main([*words, "--out", str(tmp_path / "right")]) == 0
    card = json.loads((tmp_path / "right" / "bundle" / "card.json").read_text())
    assert card["training"]["split"]["train_items"] == 42
    assert card["training"]["split"]["validation_items"] == 16
    assert card["training"]["audit"]["synthetic"] == 10
    out = ["--set", "split.validation=fold 1", "--out", str(tmp_path / "wrong")]
    assert main([*words, *out]) == 1
    assert "was trained on" in capsys.readouterr().err


def test_without_its_data_nothing_is_drawn(heads, cache, tmp_path):
    data = tmp_path / "data"
    for path in heads.rglob("*.png"):
        copied = data / path.relative_to(heads)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes(path.read_bytes())
    config = replace(CONFIG, training=replace(CONFIG.training, epochs=1))
    out = tmp_path / "run"
    generator.fit_generator(
        DataSource(data, cache), config, RunContext(out, CPU, QUIET, cache=cache)
    )
    for path in data.rglob("0[0-9].png"):
        with Image.open(path) as picture:
            inverted = ImageOps.invert(picture)
        inverted.save(path)
    with pytest.raises(InputError, match="no longer those"):
        Generator.open(out, CPU, QUIET)
    with pytest.raises(InputError, match="no finished generator"):
        Generator.open(tmp_path, CPU, QUIET)
