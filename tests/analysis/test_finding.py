from __future__ import annotations

import numpy as np
import pytest

from tumorviewer.analysis.finding import Saliency, join_saliency
from tumorviewer.analysis.preprocess import Box, prepare_image, restore_map
from tumorviewer.models import Preprocessing


def bright_square(rows, columns):
    """A dim head with a bright square, off centre, and where the square is."""
    picture = np.zeros((rows, columns), np.uint8)
    picture[rows // 8 : -rows // 8, columns // 6 : -columns // 6] = 60
    where = (slice(rows // 4, rows // 4 + rows // 6), slice(columns // 2, columns // 2 + rows // 6))
    picture[where] = 255
    return picture, where


@pytest.mark.parametrize("crop", [True, False])
@pytest.mark.parametrize("shape", [(200, 200), (180, 260), (320, 150)])
def test_what_the_network_sees_maps_back_to_where_it_was(shape, crop):
    picture, where = bright_square(*shape)
    seen, box = prepare_image(picture, Preprocessing(size=128, crop=crop))
    back = restore_map((seen / 255).astype(np.float32), box, shape)
    found = back > 0.6
    rows, columns = np.nonzero(found)
    assert rows.min() == pytest.approx(where[0].start, abs=2)
    assert rows.max() == pytest.approx(where[0].stop - 1, abs=2)
    assert columns.min() == pytest.approx(where[1].start, abs=2)
    assert columns.max() == pytest.approx(where[1].stop - 1, abs=2)


def test_a_map_is_drawn_times_its_strength_and_only_where_there_is_one():
    maps = np.ones((2, 8, 8), np.float32)
    saliency = Saliency(
        method="gradcam",
        target="glioma",
        class_agnostic=False,
        slices=(3, 7),
        maps=maps,
        peaks=np.ones(2, np.float32),
        strength=np.array([0.25, 1.0], np.float32),
        boxes=(Box(-5, 10, 30), Box(0, 0, 20)),
        shape=(20, 50),
    )
    assert saliency.on_slice(4) is None
    drawn = saliency.on_slice(3)
    assert drawn.dtype == np.float32
    assert drawn.shape == (20, 50)
    np.testing.assert_allclose(drawn[:, 10:40], 0.25)
    assert not drawn[:, :10].any()
    assert not drawn[:, 40:].any()
    assert saliency.on_slice(7)[:, :20].min() == 1
    assert maps.min() == 1  # untouched


def maps_of(*slices: int, value: float) -> Saliency:
    """Each map, peak and box tells its slice by ``value`` plus index."""
    values = np.array([value + index for index in slices], np.float32)
    return Saliency(
        method="scorecam",
        target="glioma",
        class_agnostic=False,
        slices=slices,
        maps=np.ones((len(slices), 4, 4), np.float32) * values[:, None, None],
        peaks=values - 3,
        strength=values,
        boxes=tuple(Box(int(each), 0, 4) for each in values),
        shape=(4, 4),
    )


def test_joined_maps_are_ascending_and_each_keeps_its_own():
    both = join_saliency(maps_of(2, 7, value=0), maps_of(1, 7, 9, value=0.25), "Glioma")
    assert both.slices == (1, 2, 7, 9)
    assert both.maps[:, 0, 0].tolist() == both.strength.tolist() == [1.25, 2, 7.25, 9.25]
    assert [box.top for box in both.boxes] == [1, 2, 7, 9]
    assert both.notes == (
        "No positive evidence for Glioma on 2 of 4 slices: the map is empty there.",
    )


def test_maps_that_are_all_made_anew_replace_the_others():
    both = join_saliency(maps_of(2, 7, value=0), maps_of(2, 7, value=0.5), "Glioma")
    assert both.slices == (2, 7)
    assert both.strength.tolist() == [2.5, 7.5]
