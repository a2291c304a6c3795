"""A segmenter learns drawn tumours, goes on where it was ended, and is judged by whole groups."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainer.segmentation.heads import write_images, write_volume
from trainer.cli.app import main
from trainer.segmentation.augment import Batch, SegmentationAugment, SegmentationAugmentation
from trainer.segmentation.config import SegmentationConfig, SegmentationTraining, SegmenterSettings
from trainer.segmentation.fit import LAST, SegmenterTraining
from trainer.segmentation.judge import boxed_mask, boxes_of
from trainer.segmentation.losses import boundary_loss, cross_entropy_loss, dice_loss
from trainer.segmentation.objectives import boxes_of_batch, losses_of
from trainer.segmentation.slices import (
    BRAIN,
    BRAIN_UNKNOWN,
    TUMOUR,
    TUMOUR_UNKNOWN,
    cut_squares,
    expert_mask,
    load_squares,
)
from trainer.segmentation.table import read_outlined
from trainer.tools.progress import Progress
from tumorviewer.errors import InputError
from tumorviewer.networks.segmenter import create_segmenter

QUIET = Progress("none")
SMALL = [
    "--set=model.options.width=16",
    "--set=model.size=64",
    "--set=training.batch=8",
    "--set=training.precision=fp32",
    "--set=training.ema_decay=0.8",
    "--set=training.lr=5e-3",
    "--set=data.folds=2",
    "--set=augmentation.wide_rotation=0",
    "--progress=none",
]


def config(steps: int) -> SegmentationConfig:
    return SegmentationConfig(
        model=SegmenterSettings(options={"width": 16}, size=64),
        training=SegmentationTraining(steps=steps, batch=8, precision="fp32", save_every=2),
    )


def test_squares_keep_image_and_outline_together(tmp_path: Path) -> None:
    for item in read_outlined(write_images(tmp_path))[:4]:
        (square,) = cut_squares(item, 64)
        tumour = (square.labels & TUMOUR) > 0
        assert tumour.any() == (item.mask is not None)
        if tumour.any():
            assert square.image[tumour].mean() > 200 > 1.5 * square.image[~tumour].mean()
        assert ((square.labels & BRAIN) > 0).mean() > 0.5
        assert not (square.labels & BRAIN_UNKNOWN).any()


def test_a_volume_is_cut_along_its_three_axes(tmp_path: Path) -> None:
    (item,) = read_outlined(write_volume(tmp_path))
    squares = list(cut_squares(item, 64))
    assert {square.plane for square in squares} == {0, 1, 2}
    for square in squares:
        tumour = (square.labels & TUMOUR) > 0
        if tumour.sum() > 30:
            assert square.image[tumour].mean() > 150


def test_what_a_mask_encloses_and_what_a_box_holds_beside_its_ellipse_is_not_known(
    tmp_path: Path,
) -> None:
    item = read_outlined(write_images(tmp_path))[0]
    (whole,) = cut_squares(item, 64)
    boxed = replace(item, mask=None, brain=None, boxes=((0.3, 0.3, 0.7, 0.6),))
    (square,) = cut_squares(boxed, 64)
    assert (square.labels & TUMOUR).any()
    unknown = (square.labels & TUMOUR_UNKNOWN) > 0
    assert 0.5 < ((square.labels & TUMOUR) > 0).sum() / unknown.sum() < 2
    assert not (whole.labels & TUMOUR_UNKNOWN).any()


def test_a_mask_of_another_grid_is_refused_and_of_another_size_of_image_resized(
    tmp_path: Path,
) -> None:
    (volume,) = read_outlined(write_volume(tmp_path / "v", 10))
    (other,) = read_outlined(write_volume(tmp_path / "w", 12))
    with pytest.raises(InputError, match="12 × 64 × 64 voxels and its volume 10 × 64 × 64"):
        list(cut_squares(replace(volume, mask=other.mask), 64))
    image = read_outlined(write_images(tmp_path))[0]
    assert image.mask is not None
    half = expert_mask(image.mask, (1, 32, 32))
    assert half.shape == (1, 32, 32)
    assert 4 * half.sum() == pytest.approx(expert_mask(image.mask, (1, 64, 64)).sum(), rel=0.2)


def test_a_network_of_volumes_is_refused(tmp_path: Path) -> None:
    items = read_outlined(write_images(tmp_path))
    squares = load_squares(items, tmp_path / "squares", QUIET, side=64)
    volumetric = replace(config(1), model=SegmenterSettings("unet3d", size=64))
    with pytest.raises(InputError, match="whole volumes"):
        SegmenterTraining(volumetric, items, squares, np.arange(len(squares.items)))


def test_boxes_judge_boxes_and_not_overlap(tmp_path: Path) -> None:
    item = read_outlined(write_images(tmp_path))[0]
    boxed = replace(item, mask=None, boxes=((0.25, 0.25, 0.5, 0.75),))
    mask = boxed_mask(boxed, (1, 64, 64))
    assert boxes_of(mask[0]) == [(16, 16, 32, 48)]


def test_an_empty_mask_is_no_tumour(tmp_path: Path) -> None:
    item = read_outlined(write_images(tmp_path))[0]
    Image.new("L", (64, 64)).save(tmp_path / "empty.png")
    (square,) = cut_squares(replace(item, mask=tmp_path / "empty.png"), 64)
    assert not (square.labels & TUMOUR).any()


def test_augmentation_moves_image_and_outline_alike(tmp_path: Path) -> None:
    items = read_outlined(write_images(tmp_path))
    squares = load_squares(items, tmp_path / "squares", QUIET, side=64)
    images = torch.from_numpy(np.array(squares.images)).float()[:, None] / 255
    labels = torch.from_numpy(np.array(squares.labels))[:, None]
    augment = SegmentationAugment(SegmentationAugmentation(implant=0, noise=0.01), 64, 2)
    augment.seed(3)
    made = augment(Batch(images, labels, torch.zeros(len(images), dtype=torch.long)))
    tumour = made.has(TUMOUR)
    inside = made.images[tumour].mean()
    assert inside > 1.5 * made.images[made.has(BRAIN) & ~tumour].mean()


def test_implants_appear_only_where_there_is_no_tumour(tmp_path: Path) -> None:
    items = read_outlined(write_images(tmp_path))
    squares = load_squares(items, tmp_path / "squares", QUIET, side=64)
    images = torch.from_numpy(np.array(squares.images)).float()[:, None] / 255
    labels = torch.from_numpy(np.array(squares.labels))[:, None]
    empty = ~((labels & TUMOUR) > 0).flatten(1).any(1)
    augment = SegmentationAugment(SegmentationAugmentation(implant=1.0, strip=0), 64, 2)
    augment.seed(0)
    classes = torch.where(empty, 2, 0)
    made = augment(Batch(images, labels, classes))
    implanted = made.classes == -1
    assert implanted.any()
    assert not implanted[~empty].any()
    assert made.has(TUMOUR)[implanted].flatten(1).any(1).all()


def test_losses_of_a_perfect_outline_are_least() -> None:
    target = torch.zeros(2, 1, 16, 16)
    target[0, :, 4:9, 5:11] = 1
    known = torch.ones_like(target, dtype=torch.bool)
    right, wrong = 20 * target - 10, 10 - 20 * target
    for loss in (cross_entropy_loss, dice_loss, boundary_loss):
        assert loss(right, target, known) < loss(wrong, target, known)
    assert cross_entropy_loss(right, target, known) < 1e-3
    assert dice_loss(right, target, known) < 0.01


def test_dice_loss_is_its_formula_and_unknown_pixels_do_not_count() -> None:
    logits, target = torch.randn(1, 1, 8, 8), (torch.rand(1, 1, 8, 8) > 0.6).float()
    known = torch.rand(1, 1, 8, 8) > 0.3
    p, t = (logits.sigmoid()[known], target[known])
    expected = 1 - (2 * (p * t).sum() + 20) / (p.sum() + t.sum() + 20)
    assert dice_loss(logits, target, known) == pytest.approx(float(expected), abs=1e-6)


def test_boxes_for_a_detector_are_those_around_each_part() -> None:
    labels = torch.zeros(2, 1, 20, 20, dtype=torch.uint8)
    labels[0, 0, 2:5, 3:9] = labels[0, 0, 10:12, 10:20] = TUMOUR
    batch = Batch(torch.zeros(2, 1, 20, 20), labels, torch.tensor([1, 2]))
    boxes, classes = boxes_of_batch(batch)
    assert boxes[0].tolist() == [[3, 2, 9, 5], [10, 10, 20, 12]]
    assert classes[0].tolist() == [1, 1]
    assert boxes[1].shape == (0, 4)


@pytest.mark.parametrize("name", ["unet", "attention_unet", "light_unet", "faster_rcnn"])
def test_every_flat_segmenter_has_losses_that_reach_its_weights(name: str) -> None:
    torch.manual_seed(0)
    labels = torch.zeros(2, 1, 64, 64, dtype=torch.uint8)
    labels[0, 0, 20:40, 20:44] = TUMOUR | BRAIN
    batch = Batch(torch.rand(2, 1, 64, 64), labels, torch.tensor([0, 2]))
    network = create_segmenter(name, 4, **({} if name == "faster_rcnn" else {"width": 8}))
    settings = SegmentationTraining(precision="fp32", boundary=0.1)
    losses = losses_of(network.train(), batch, settings)
    sum(losses.values(), torch.zeros(())).backward()
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert any(one.grad is not None and one.grad.abs().sum() > 0 for one in network.parameters())


def test_a_training_that_was_ended_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    items = read_outlined(write_images(tmp_path))
    squares = load_squares(items, tmp_path / "squares", QUIET, side=64)
    rows = np.arange(len(squares.items))

    class Ended(Exception):
        """As if by a signal."""

    def end(training: SegmenterTraining) -> None:
        step = training.one_step

        def until_the_third() -> dict[str, float]:
            if training.step == 3:
                raise Ended
            return step()

        training.one_step = until_the_third  # type: ignore[method-assign]

    whole = SegmenterTraining(config(4), items, squares, rows).run(tmp_path / "whole", QUIET)
    ended = SegmenterTraining(config(4), items, squares, rows)
    end(ended)
    with pytest.raises(Ended):
        ended.run(tmp_path / "parts", QUIET)
    assert (tmp_path / "parts" / LAST).is_file()
    resumed = SegmenterTraining(config(4), items, squares, rows).run(tmp_path / "parts", QUIET)
    for name, tensor in whole.items():
        assert torch.allclose(tensor.float(), resumed[name].float(), atol=1e-5), name


@pytest.mark.slow
def test_crossval_judges_every_group_once_and_fit_takes_its_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_images(tmp_path / "data", 32)
    common = [*SMALL, "--set=training.steps=60", f"--cache={tmp_path / 'cache'}"]
    out = tmp_path / "crossval"
    assert main(["segment", "crossval", str(table), f"--out={out}", *common]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["folds"] == [0, 1]
    assert figures["images_with_tumour"]["n"] == 24
    page = (out / "fold-0" / "report.html").read_text()
    assert "Least overlap" in page
    assert "data:image/png" in page
    assert figures["images_without_tumour"]["n"] == 8
    assert figures["images_with_tumour"]["dice"]["value"] > 0.4
    names = [
        json.loads(line)["name"]
        for path in out.glob("fold-*/records.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert sorted(names) == sorted(set(names))
    again = ["segment", "crossval", str(table), f"--out={out}", *common]
    assert main(again) == 0
    assert json.loads(capsys.readouterr().out) == figures
    fitted = tmp_path / "fitted"
    fit = ["segment", "fit", str(table), f"--out={fitted}", f"--figures-from={out}", *common]
    assert main([*fit, "--set=training.steps=2"]) == 0
    card = json.loads((fitted / "bundle" / "card.json").read_text())
    assert card["figures"]["cross_validation"]["folds"] == [0, 1]
    assert card["segmentation"]["edge"] == 0.4
