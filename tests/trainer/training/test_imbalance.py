"""Weights, the focal loss and oversampling against their formulas; accumulation against a whole."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from torch.nn import functional

from trainer.data.split import Split
from trainer.training import imbalance
from trainer.training.augment import Augmentation
from trainer.training.image_store import ImageStore
from trainer.training.loop import Trainer
from trainer.training.optimise import TrainingSettings
from tumorviewer import networks

CPU = torch.device("cpu")


def batch(count: int = 9, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(0)
    logits = torch.randn(count, classes, generator=chance)
    labels = torch.randint(0, classes, (count,), generator=chance)
    return logits, labels


def test_the_focal_loss_is_the_papers():
    logits, labels = batch()
    p = torch.softmax(logits.double(), 1)[torch.arange(9), labels]
    expected = (-((1 - p) ** 2) * p.log()).mean()
    got = imbalance.compute_loss(logits, functional.one_hot(labels).float(), None, 0.0, 2.0)
    torch.testing.assert_close(got.double(), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("weighted", [False, True])
def test_with_a_vanishing_gamma_it_is_the_cross_entropy(weighted):
    logits, labels = batch()
    target = functional.one_hot(labels).float()
    weights = torch.tensor([0.5, 1.0, 2.0]) if weighted else None
    plain, focal = (
        imbalance.compute_loss(logits, target, weights, 0.1, gamma) for gamma in (0.0, 1e-6)
    )
    torch.testing.assert_close(focal, plain, rtol=1e-4, atol=0)


def test_the_focal_loss_of_certainty_has_a_gradient():
    logits = torch.tensor([[80.0, -80.0]], requires_grad=True)
    imbalance.compute_loss(logits, torch.tensor([[1.0, 0.0]]), None, 0.0, 0.5).backward()
    assert torch.isfinite(logits.grad).all()


def test_weights_of_classes_average_to_one_over_the_pictures():
    labels = np.array([0] * 8 + [1] * 2)
    weights = imbalance.compute_class_weights(labels, 2)
    assert weights[1] == pytest.approx(4 * weights[0])
    assert weights[labels].mean() == pytest.approx(1)


def test_oversampled_classes_are_equally_frequent_and_nothing_is_left_out():
    rows = torch.arange(100, 117)
    labels = torch.tensor([0] * 12 + [1] * 5)
    order = imbalance.shuffle_rows(rows, labels, True, torch.Generator().manual_seed(1))
    drawn = Counter(order.tolist())
    assert [drawn[row] for row in range(100, 112)] == [1] * 12
    assert sorted(drawn[row] for row in range(112, 117)) == [2, 2, 2, 3, 3]


def weights_after_an_epoch(**changes: object) -> dict[str, torch.Tensor]:
    chance = np.random.default_rng(0)
    pictures = chance.integers(0, 256, (26, 62, 62), dtype=np.uint8)
    labels = chance.integers(0, 3, 26)
    torch.manual_seed(0)
    network = networks.create_network("brain_cnn", 3, dropout=0.0)
    settings = TrainingSettings(
        batch=13, optimiser="sgd", lr=0.1, class_weights="balanced", **changes
    )
    split = Split(np.arange(26), np.arange(0))
    trainer = Trainer(
        network, ImageStore(pictures, CPU), labels, split, settings, Augmentation(), CPU
    )
    trainer._train_epoch()
    return network.state_dict()


def test_a_batch_in_unequal_passes_has_the_gradient_of_the_whole():
    whole = weights_after_an_epoch()
    for name, tensor in weights_after_an_epoch(accumulate=4).items():
        torch.testing.assert_close(tensor, whole[name], rtol=1e-4, atol=1e-6)
    assert any(
        not torch.allclose(tensor, whole[name], rtol=1e-4, atol=1e-6)
        for name, tensor in weights_after_an_epoch(clip=1e-3).items()
    )
