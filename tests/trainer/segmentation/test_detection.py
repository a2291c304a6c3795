"""Average precision as COCO's own arithmetic gives it, and FROC by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision.ops import box_iou

from trainer.segmentation.detection import (
    Detected,
    average_precision,
    free_response,
    intersection_over_union,
    mean_average_precision,
)


def boxes(*rows: tuple[float, float, float, float]) -> NDArray[np.float64]:
    return np.array(rows, np.float64).reshape(-1, 4)


def test_overlaps_are_those_of_torchvision() -> None:
    generator = np.random.default_rng(0)
    corners = generator.uniform(0, 50, (2, 7, 2))
    sizes = generator.uniform(1, 30, (2, 7, 2))
    ours, theirs = np.concatenate((corners, corners + sizes), 2)
    expected = box_iou(torch.from_numpy(ours), torch.from_numpy(theirs)).numpy()
    assert np.allclose(intersection_over_union(ours, theirs), expected)


def test_average_precision_of_an_example_worked_by_hand() -> None:
    """Three boxes, four detections in the order hit, false, hit, false: precision 1 up to a recall
    of 1/3 and 2/3 up to 2/3, so (34 · 1 + 33 · 2/3) / 101 over COCO's 101 recalls."""
    box, far = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 60.0, 60.0)
    images = [
        Detected(boxes(box), np.array([0.9]), boxes(box)),
        Detected(boxes(far, box), np.array([0.8, 0.7]), boxes(box)),
        Detected(boxes(far), np.array([0.6]), boxes(box)),
    ]
    assert average_precision(images, 0.5) == pytest.approx((34 + 33 * 2 / 3) / 101)


def test_a_second_detection_of_the_same_box_is_false() -> None:
    box = (0.0, 0.0, 10.0, 10.0)
    images = [Detected(boxes(box, box), np.array([0.9, 0.8]), boxes(box, (20, 20, 30, 30)))]
    assert average_precision(images, 0.5) == pytest.approx(51 / 101)


def test_ap50_95_averages_ten_overlaps() -> None:
    """A box that overlaps by 0.72 counts at 0.50, 0.55, 0.60, 0.65 and 0.70."""
    images = [Detected(boxes((0, 0, 10, 7.2)), np.array([0.9]), boxes((0, 0, 10, 10)))]
    assert mean_average_precision(images) == pytest.approx(0.5)


def test_false_findings_on_images_without_a_box_cost_precision() -> None:
    box = (0.0, 0.0, 10.0, 10.0)
    images = [
        Detected(boxes(box), np.array([0.5]), boxes(box)),
        Detected(boxes(box), np.array([0.9]), boxes()),
    ]
    assert average_precision(images, 0.5) == pytest.approx(0.5)


def test_weights_count_an_image_as_often_as_it_was_drawn() -> None:
    box, far = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 60.0, 60.0)
    one = Detected(boxes(box), np.array([0.9]), boxes(box))
    other = Detected(boxes(far), np.array([0.95]), boxes(box))
    drawn = average_precision([one, other], 0.5, np.array([2.0, 1.0]))
    assert drawn == pytest.approx(average_precision([one, one, other], 0.5))


def test_froc_accepts_so_many_false_findings_an_image() -> None:
    curve = free_response([0.9, 0.8, 0.4, 0.2], [0.7, 0.5, 0.3], 5, 10, (0.0, 0.1, 0.2, 1.0))
    assert curve == [(0.0, 0.4), (0.1, 0.4), (0.2, 0.6), (1.0, 0.8)]
