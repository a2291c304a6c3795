from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.analysis.conftest import head
from tumorviewer.analysis.slices import prepare_volume
from tumorviewer.errors import Cancelled, InputError
from tumorviewer.models import Preprocessing
from tumorviewer.study import Placement

SETTINGS = Preprocessing(size=64)


def test_blank_slices_are_left_out_and_counted(volume):
    prepared = prepare_volume(volume, SETTINGS)
    assert prepared.slices == tuple(range(1, 12))
    assert prepared.pictures.shape == (11, 64, 64)
    assert prepared.pictures.dtype == np.uint8
    assert prepared.count == 12
    assert prepared.areas.argmax() in (5, 6)  # the middle of the head
    assert prepared.flags == ("Not judged, as blank, of one value or not finite: 1 of 12 slices.",)


def array_of(name):
    array = np.zeros((3, 40, 40), np.float32)
    if name == "constant":
        array += 7
    elif name == "nan":
        array += np.nan
    elif name == "inf":
        array += np.inf
    elif name == "nan and inf":
        array[:] = np.where(np.arange(40) % 2, np.nan, -np.inf)
    elif name == "one value among nan":
        array[:, ::2] = np.nan
    elif name == "one hot pixel":
        array[1, 3, 3] = 1e6
    return array


@pytest.mark.parametrize(
    "name",
    ["blank", "constant", "nan", "inf", "nan and inf", "one value among nan", "one hot pixel"],
)
def test_nothing_to_judge_is_refused(name):
    volume = replace(head(), array=array_of(name))
    with pytest.raises(InputError, match="nothing to judge"):
        prepare_volume(volume, SETTINGS)


def test_a_volume_without_pixels_is_refused():
    with pytest.raises(InputError, match="no pixels"):
        prepare_volume(replace(head(), array=np.zeros((0, 4, 4), np.uint8)), SETTINGS)


def test_compression_noise_on_black_is_blank():
    noise = np.random.default_rng(0).integers(0, 5, (1, 50, 50)).astype(np.uint8)
    volume = replace(head(), array=noise, placement=Placement.NONE)
    with pytest.raises(InputError, match="The picture is blank"):
        prepare_volume(volume, SETTINGS)


def test_a_background_that_is_not_a_number_is_said_and_judged():
    array = head().array.astype(np.float32)
    array[array == 0] = np.nan
    prepared = prepare_volume(replace(head(), array=array), SETTINGS)
    assert prepared.slices == tuple(range(1, 12))
    assert any("no finite value" in flag for flag in prepared.flags)


def test_a_segmentation_is_said():
    labels = (head().array > 300).astype(np.int16) * 4
    prepared = prepare_volume(replace(head(), array=labels), SETTINGS)
    assert any("segmentation" in flag for flag in prepared.flags)
    assert not any("segmentation" in flag for flag in prepare_volume(head(), SETTINGS).flags)


def test_colour_is_said():
    grey = np.clip(head().array / 3, 0, 255).astype(np.uint8)
    volume = replace(head(), array=np.stack([grey] * 3, axis=-1), placement=Placement.NONE)
    prepared = prepare_volume(volume, SETTINGS)
    assert any("colour" in flag for flag in prepared.flags)
    assert prepared.shape == (90, 70)
    assert not prepared.ordered


def test_progress_can_stop_it(volume):
    seen = []

    def progress(done, total, text):
        seen.append((done, total))
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        prepare_volume(volume, SETTINGS, progress)
    assert seen == [(0, 12), (1, 12), (2, 12), (3, 12)]
