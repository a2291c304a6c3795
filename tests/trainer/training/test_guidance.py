"""Attention held against outlines: it learns to look there, and what does not fit is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from trainer.data.material import DataSource, prepare_data
from trainer.data.split import SplitSettings
from trainer.runs.config import Config, ModelSettings
from trainer.runs.fit import fit_run
from trainer.runs.run_context import RunContext
from trainer.tools.progress import Progress
from trainer.training import guidance
from trainer.training.augment import Augment, Augmentation
from trainer.training.guidance import Guidance, GuidanceSettings, Guided, Masked, OutlineStore
from trainer.training.optimise import TrainingSettings
from tumorviewer import networks
from tumorviewer.errors import InputError
from tumorviewer.models import weights
from tumorviewer.models.card import Preprocessing

QUIET = Progress("none")
SIDE = 64
CONFIG = Config(
    split=SplitSettings("random 4"),
    preprocessing=Preprocessing(size=SIDE, crop=False),
    model=ModelSettings("light_guided", {"width": 16, "dropout": 0.0}),
    training=TrainingSettings(
        epochs=20, batch=4, warmup_epochs=0, keep="last", lr=5e-3, ema_decay=0.8
    ),
    augmentation=Augmentation(erase=0, blur=0),
    guidance=GuidanceSettings(weight=2.0, masks="outlines"),
)


@pytest.fixture
def spots(tmp_path: Path) -> Path:
    """A bright or a dark spot somewhere on noise, and its outline."""
    generator = np.random.default_rng(3)
    for kind, level in (("bright", 250), ("dark", 10)):
        (tmp_path / kind).mkdir()
        (tmp_path / "outlines").mkdir(exist_ok=True)
        for number in range(12):
            picture = generator.integers(90, 150, (SIDE, SIDE)).astype(np.uint8)
            top, left = generator.integers(0, SIDE - 20, 2)
            mask = np.zeros_like(picture)
            mask[top : top + 20, left : left + 20] = 255
            picture[mask > 0] = level
            Image.fromarray(picture).save(tmp_path / kind / f"{kind}{number}.png")
            Image.fromarray(mask).save(tmp_path / "outlines" / f"{kind}{number}.png")
    return tmp_path


def source(data: Path) -> DataSource:
    return DataSource(data, data / "cache", classes=("bright", "dark"))


def pointing(data: Path, config: Config, out: Path) -> float:
    """Share of pictures whose highest attention lies inside the outline."""
    torch.set_num_threads(1)
    material = prepare_data(source(data), config.preprocessing, QUIET)
    fit_run(material, config, RunContext(out, torch.device("cpu"), QUIET))
    _, network = weights.load_weights(out / "bundle")
    outlines = guidance.load_outlines(
        guidance.find_outlined(material.dataset, "outlines"),
        config.preprocessing,
        data / "cache",
        QUIET,
    )
    pictures = torch.from_numpy(np.array(material.pictures.array))[:, None].float() / 255
    with torch.inference_mode():
        scores = network.scores(network.trunk(pictures))
    assert scores is not None
    size = scores.shape[-1]
    inside = np.asarray(outlines.array).reshape(-1, size, SIDE // size, size, SIDE // size)
    highest = scores.flatten(1).argmax(1).numpy()
    hit = inside.max((2, 4)).reshape(len(highest), -1)[np.arange(len(highest)), highest] > 127
    return float(hit.mean())


def test_attention_learns_to_point_at_the_outline(spots: Path, tmp_path: Path) -> None:
    guided = pointing(spots, CONFIG, tmp_path / "guided")
    free = pointing(spots, replace(CONFIG, guidance=GuidanceSettings()), tmp_path / "free")
    assert guided >= 0.9
    assert guided > free


def test_class_maps_learn_to_point_at_the_outline() -> None:
    """The place is not told by the class: only guidance can teach it."""
    torch.manual_seed(0)
    network = networks.create_network("light_residual", 2, width=8, depth=1, dropout=0.0).eval()
    pictures = torch.rand(8, 1, SIDE, SIDE) * 0.2
    masks = torch.zeros(8, 1, SIDE, SIDE)
    labels, known = torch.arange(8) % 2, torch.arange(8) < 6
    for number in range(7):
        top = 4 + 5 * number
        pictures[number, :, top : top + 16, 8:24] += 0.3
        masks[number, :, top : top + 16, 8:24] = 1
    optimiser = torch.optim.AdamW(network.parameters(), 0.01)
    taught = Guidance(OutlineStore(np.zeros((0, 8, 8), np.uint8), np.zeros(0, bool)), 1.0)
    for _ in range(30):
        optimiser.zero_grad()
        _, maps = Guided(network)(pictures)
        taught.loss(maps, Masked(masks, known), labels).backward()
        optimiser.step()
    own = Guided(network)(pictures)[1][torch.arange(8), labels]
    highest = own.flatten(1).argmax(1)
    inside = torch.nn.functional.adaptive_avg_pool2d(masks, own.shape[-1]).flatten(1)
    assert (inside[torch.arange(6), highest[:6]] > 0).all()


def test_class_maps_of_unknown_and_empty_outlines_teach_nothing() -> None:
    maps = torch.randn(2, 3, 3, requires_grad=True)
    masks = torch.ones(2, 1, 12, 12)
    masks[1] = 0
    guidance.compute_class_map_loss(maps, masks, torch.tensor([False, True])).backward()
    assert maps.grad is not None
    assert not maps.grad.any()


def test_masks_move_with_their_pictures() -> None:
    x = torch.zeros(16, 1, SIDE, SIDE)
    x[:, :, 10:30, 20:50] = 1
    settings = Augmentation(
        gamma=0, contrast=0, brightness=0, bias_field=0, blur=0, noise=0, erase=0
    )
    augment = Augment(settings, torch.device("cpu"))
    augment.seed(1)
    moved, masks = augment.with_masks(x, x)
    assert not torch.equal(moved, x)
    torch.testing.assert_close(moved, masks)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"guidance": GuidanceSettings(1.0)}, "no outlines"),
        ({"model": ModelSettings("brain_cnn")}, "neither attention nor maps"),
        ({"augmentation": Augmentation(mixup=0.4)}, "no outline"),
    ],
)
def test_what_cannot_be_guided_is_refused(
    spots: Path, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    config = replace(CONFIG, **change)  # type: ignore[arg-type]
    material = prepare_data(source(spots), config.preprocessing, QUIET)
    with pytest.raises(InputError, match=said):
        fit_run(material, config, RunContext(tmp_path / "run", torch.device("cpu"), QUIET))


def test_an_outline_of_another_shape_is_named(spots: Path, tmp_path: Path) -> None:
    Image.new("L", (5, 5), 255).save(spots / "outlines" / "dark3.png")
    material = prepare_data(source(spots), CONFIG.preprocessing, QUIET)
    with pytest.raises(InputError, match=r"dark3.*shape|\(5, 5\)"):
        fit_run(material, CONFIG, RunContext(tmp_path / "run", torch.device("cpu"), QUIET))
