"""Small pictures for lists."""

from __future__ import annotations

import numpy as np

from tumorviewer.imaging.thumbnails import draw_reader_thumbnail, draw_thumbnail
from tumorviewer.study import Placement, Volume


class Source:
    label, repeats, notes, shape = "", False, (), (4, 20, 40)

    def __init__(self) -> None:
        self.loaded = 0

    def load(self, progress=None) -> Volume:
        array = np.zeros(self.shape, np.int16)
        volume = Volume(array, np.eye(4), Placement.PATIENT, "made")
        for index in (2, 1, 3, 0):
            array[index, :, :20] = 500
            self.loaded += 1
            if progress:
                progress(volume, index)
        return volume


def test_aspect_is_physical_and_the_longer_side_fits() -> None:
    affine = np.diag([1.0, 4.0, 1.0, 1.0])
    volume = Volume(np.ones((1, 20, 40), np.uint8), affine, Placement.PATIENT, "made")
    assert draw_thumbnail(volume, side=80).shape == (80, 40)


def test_colour_stays_colour() -> None:
    array = np.zeros((1, 8, 8, 3), np.uint8)
    array[..., 0] = 200
    picture = draw_thumbnail(Volume(array, np.eye(4), Placement.NONE, "made"))
    assert picture.shape == (96, 96, 3)
    assert picture[50, 50].tolist() == [200, 0, 0]


def test_only_the_first_slice_of_a_source_is_loaded() -> None:
    source = Source()
    picture = draw_reader_thumbnail(source, side=40)
    assert source.loaded == 1
    assert picture.shape == (20, 40)
    assert picture[10, 5] > 200
    assert picture[10, 35] == 0
