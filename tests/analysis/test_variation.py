"""Small changes of a picture, and what becomes of its answer."""

from __future__ import annotations

import numpy as np
import pytest

from tumorviewer.analysis import pipeline
from tumorviewer.analysis.trust import variation


def test_changes_keep_shape_and_grey_scale_and_change_something():
    picture = np.random.default_rng(0).integers(0, 256, (3, 50, 50), dtype=np.uint8)
    for change in variation.CHANGES:
        changed = change(picture)
        assert (changed.shape, changed.dtype) == (picture.shape, np.uint8)
        assert (changed != picture).any()
    assert (variation.mirror(variation.mirror(picture)) == picture).all()
    assert (variation.shift(picture)[:, 2:, 2:] == picture[:, :-2, :-2]).all()
    assert variation.brighten(picture).mean() > picture.mean() > variation.darken(picture).mean()
    ends = np.array([[0, 255]], np.uint8)
    assert (variation.brighten(ends) == ends).all()


def test_the_variation_is_that_of_the_changed_pictures(volume, model):
    finding = pipeline.analyse_volume(volume, model, method=None, varies=True)
    found = finding.variation
    assert found is not None
    assert found.slice == finding.key_slices[0]
    row = finding.slice_probabilities[finding.slices.index(found.slice)]
    assert found.target == finding.classes[int(row.argmax())]
    assert found.unchanged == pytest.approx(row.max())
    assert 0 <= found.low <= found.high <= 1
    assert found.target not in found.others


def test_a_few_slices_are_not_varied_unless_asked(volume, model):
    assert len(volume.array) < 80
    assert pipeline.analyse_volume(volume, model, method=None).variation is None
