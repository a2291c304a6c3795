from __future__ import annotations

import dataclasses

import pytest
import torch

from trainer.training.augment import Augment, Augmentation

CPU = torch.device("cpu")
OFF = Augmentation(
    **{one.name: 0.0 for one in dataclasses.fields(Augmentation)}  # type: ignore[arg-type]
)


def pictures(count: int = 6) -> torch.Tensor:
    return torch.rand((count, 1, 32, 32), generator=torch.Generator().manual_seed(3))


def made(x: torch.Tensor, seed: int = 0, **changes: float) -> torch.Tensor:
    augment = Augment(dataclasses.replace(OFF, **changes), CPU)
    augment.seed(seed)
    return augment(x)


def test_switched_off_it_changes_nothing():
    x = pictures()
    torch.testing.assert_close(made(x), x, atol=1e-5, rtol=0)


@pytest.mark.parametrize("option", [one.name for one in dataclasses.fields(Augmentation)][:12])
def test_each_option_changes_pictures_that_stay_pictures(option):
    x, strong = pictures(40), {"blur_sigma": 1.5, "erase_side": 0.4}
    y = made(x, **{option: 0.5, **(strong if option == "blur" else {})})
    if option == "blur_sigma":
        return
    assert y.shape == x.shape
    assert y.min() >= 0
    assert y.max() <= 1
    assert (y - x).abs().max() > 0.02


def test_mirroring_is_exact():
    x = pictures()
    torch.testing.assert_close(made(x, flip_horizontal=1.0), x.flip(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(made(x, flip_vertical=1.0), x.flip(2), atol=1e-4, rtol=0)


def test_the_same_seed_gives_the_same_pictures():
    x = pictures()
    augment = Augment(Augmentation(mixup=0.4, cutmix=0.4), CPU)
    answers = []
    for seed in (1, 2, 1):
        augment.seed(seed)
        answers.append(augment.mix(augment(x), torch.eye(6)))
    assert torch.equal(answers[0][0], answers[2][0])
    assert torch.equal(answers[0][1], answers[2][1])
    assert not torch.equal(answers[0][0], answers[1][0])


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_mixed_targets_are_the_shares_of_the_pictures(kind):
    black_and_white = torch.cat((torch.zeros(3, 1, 32, 32), torch.ones(3, 1, 32, 32)))
    target = torch.eye(2)[[0, 0, 0, 1, 1, 1]]
    augment = Augment(dataclasses.replace(OFF, **{kind: 1.0}), CPU)
    for seed in range(10):
        augment.seed(seed)
        x, y = augment.mix(black_and_white, target)
        torch.testing.assert_close(y.sum(1), torch.ones(6))
        torch.testing.assert_close(x.mean((1, 2, 3)), y[:, 1], atol=1e-5, rtol=0)
