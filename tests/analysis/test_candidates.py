"""Candidates: what a segmenter's probabilities become in three dimensions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tumorviewer.analysis.candidates import Finder, find_candidates
from tumorviewer.analysis.engines.choice import load_finder
from tumorviewer.analysis.engines.torch_finder import TorchFinder
from tumorviewer.errors import InputError
from tumorviewer.imaging.display import IDENTITY
from tumorviewer.models import bundle
from tumorviewer.models.card import (
    Architecture,
    ModelCard,
    Preprocessing,
    SegmentationRules,
    Weights,
)
from tumorviewer.networks.segmenter import Segmenter, create_segmenter
from tumorviewer.study.types import Placement, Volume

CLASSES = ("glioma", "meningioma", "notumor", "pituitary")
RULES = SegmentationRules(
    edge=0.4,
    seed=0.8,
    least_ml=0.05,
    least_mm2=4.0,
    least_share=0.0,
    least_probability=0.3,
    least_in_volume=0.3,
)


class Painted(Segmenter):
    """Grey level 220 is certainly tumour, 180 perhaps; all that is not black is brain, except 90,
    which is skull."""

    multiple = 1
    names = True

    def __init__(self) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def features(self, x_N1SS: Tensor) -> list[Tensor]:
        return [x_N1SS * 255]

    def outlines(self, maps: list[Tensor], side: int) -> Tensor:
        x = maps[0]
        tumour = torch.where(x > 210, 4.0, torch.where(x > 170, 0.2, -6.0))
        brain = torch.where((x > 10) & (x.sub(90).abs() > 5), 5.0, -5.0)
        return torch.cat((tumour, brain), 1)

    def classify(self, map_NCHW: Tensor, outline_N1SS: Tensor) -> Tensor:
        return torch.tensor([[1.0, 3.0, 0.0, -1.0]]).repeat(len(map_NCHW), 1)


def card(rules: SegmentationRules | None = RULES) -> ModelCard:
    return ModelCard(
        name="painted",
        version="1",
        title="",
        architecture=Architecture("light_unet", {"width": 8}),
        classes=CLASSES,
        labels={name: name for name in CLASSES},
        no_tumour="notumor",
        preprocessing=Preprocessing(size=64),
        weights=Weights("0" * 64, 1),
        created="2026-01-01",
        summary="",
        intended_use="",
        limits=(),
        licence="",
        training={},
        figures={},
        segmentation=rules,
    )


def finder(rules: SegmentationRules = RULES) -> Finder:
    return Finder(card(rules), TorchFinder(Painted()), rules)


def head(slices: int = 12, side: int = 64) -> NDArray[np.uint8]:
    """A disc of brain in every slice."""
    rows, columns = np.mgrid[:side, :side]
    disc = np.hypot(rows - side / 2, columns - side / 2) < side * 0.45
    return np.repeat((disc * 120).astype(np.uint8)[None], slices, 0)


def volume(array: NDArray[np.uint8], spacing: tuple[float, float, float] = (2, 2, 2)) -> Volume:
    return Volume(array, np.diag([*spacing, 1.0]), Placement.SCALED, "painted.nii")


def test_what_is_bright_in_neighbouring_slices_is_one_candidate_outlined_and_named() -> None:
    array = head()
    array[4:8, 20:30, 24:36] = 220
    array[8, 22:28, 26:34] = 180  # weaker, joined by hysteresis
    (one,) = find_candidates(volume(array), finder()).candidates
    truth = np.isin(array, (180, 220))
    overlap = 2 * (one.mask & truth).sum() / (one.mask.sum() + truth.sum())
    assert overlap > 0.9
    assert one.slices == (4, 5, 6, 7, 8)
    assert one.key_slice in (4, 5, 6, 7)
    assert max(one.classes, key=one.classes.__getitem__) == "meningioma"
    assert sum(one.classes.values()) == pytest.approx(1)
    assert "notumor" not in one.classes
    assert one.volume_ml == pytest.approx(one.mask.sum() * 8 / 1000)


def test_what_is_only_perhaps_a_tumour_is_none() -> None:
    array = head()
    array[4:8, 20:30, 24:36] = 180
    assert not find_candidates(volume(array), finder()).candidates


def test_what_lies_outside_the_brain_is_none() -> None:
    class Skulled(Painted):
        def outlines(self, maps: list[Tensor], side: int) -> Tensor:
            both = super().outlines(maps, side)
            return torch.cat((both[:, :1], torch.where(both[:, :1] > 0, -5.0, both[:, 1:])), 1)

    array = head()
    array[4:8, 20:30, 24:36] = 220
    assert not find_candidates(
        volume(array), Finder(card(), TorchFinder(Skulled()), RULES)
    ).candidates


def test_one_slice_is_enough_only_where_slices_are_thick() -> None:
    array = head()
    array[5, 20:30, 24:36] = 220
    assert not find_candidates(volume(array), finder()).candidates
    assert not find_candidates(volume(array, (6.5, 1, 1)), finder()).candidates
    assert find_candidates(volume(array, (20, 1, 1)), finder()).candidates


def test_a_volume_wants_more_certainty_than_a_picture() -> None:
    array = head()
    array[4:8, 20:30, 24:36] = 180
    array[5, 23:26, 29:32] = 220
    surer = replace(RULES, least_in_volume=0.8)
    assert find_candidates(volume(array), finder()).candidates
    assert not find_candidates(volume(array), finder(surer)).candidates
    picture = Volume(array[5:6], np.eye(4), Placement.NONE, "picture.png")
    assert find_candidates(picture, finder(surer)).candidates


def test_a_picture_of_one_slice_has_candidates_without_millimetres() -> None:
    array = head(1)
    array[0, 20:30, 24:36] = 220
    picture = Volume(array, np.eye(4), Placement.NONE, "picture.png")
    (one,) = find_candidates(picture, finder()).candidates
    assert one.volume_ml is None
    assert one.slices == (0,)


def test_several_candidates_are_listed_the_most_probable_first() -> None:
    array = head()
    array[2:5, 16:24, 20:28] = 220
    array[7:10, 36:44, 36:48] = 180
    array[7:10, 38:40, 40:42] = 220
    found = find_candidates(volume(array), finder()).candidates
    assert [one.slices for one in found] == [(2, 3, 4), (7, 8, 9)]
    assert found[0].probability > found[1].probability


def test_slices_with_enough_brain_are_told() -> None:
    array = head()
    array[:3] = 0
    outlines = find_candidates(volume(array), finder())
    assert outlines.brain_slices == tuple(range(3, 12))
    assert outlines.brain.shape == array.shape
    assert not outlines.brain[:3].any()


def test_progress_may_stop_it() -> None:
    def stop(_done: int, _total: int, _what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_candidates(volume(head()), finder(), stop)


def test_a_bundle_of_a_segmenter_is_loaded_and_one_of_a_classifier_refused(tmp_path: Path) -> None:
    network = create_segmenter("light_unet", 4, width=8)
    tensors = {name: one.half() for name, one in network.state_dict().items()}
    bundle.write_bundle(tmp_path / "painted", card(), tensors)
    loaded = load_finder(tmp_path / "painted")
    assert loaded.rules == RULES
    assert find_candidates(volume(head(2)), loaded).brain.shape == (2, 64, 64)
    bundle.write_bundle(tmp_path / "namer", card(None), tensors)
    with pytest.raises(InputError, match="does not outline"):
        load_finder(tmp_path / "namer")


@pytest.mark.parametrize(("step", "count"), [(1.0, 0), (3.0, 1), (6.0, 0)])
def test_planes_across_are_asked_where_they_show_a_head(monkeypatch, step, count) -> None:
    """Not across thick slices, and not across a slab of thin ones, where they are strips."""
    asked = []

    def note(*_: object) -> list[float]:
        asked.append(step)
        return [1.0, 1.0]

    monkeypatch.setattr("tumorviewer.analysis.candidates.look_across", note)
    array = head(24)
    array[10:14, 20:30, 24:36] = 220
    volume = Volume(array, np.diag([step, 1, 1, 1.0]), Placement.PATIENT, "s", windows=(IDENTITY,))
    assert len(find_candidates(volume, finder()).candidates) == 1
    assert len(asked) == count
