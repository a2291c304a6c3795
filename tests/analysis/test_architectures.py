"""Transformers and sequences from bundle to saliency map; slices with their neighbours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.analysis.conftest import head
from tests.networks.made import SIDE, settle, small_transformers
from tumorviewer import networks
from tumorviewer.analysis import pipeline, predict
from tumorviewer.analysis.methods import METHODS
from tumorviewer.analysis.preprocess import list_neighbours, prepare_image, prepare_series
from tumorviewer.analysis.slices import prepare_volume
from tumorviewer.errors import InputError
from tumorviewer.imaging.display import grey
from tumorviewer.models import Architecture, Preprocessing, bundle, schema
from tumorviewer.study import Placement

__all__ = ["small_transformers"]

SEQUENCE = {"backbone": "squeezenet1_1", "hidden": 8, "width": 8, "layers": 1, "heads": 2}
MADE = {
    "vit_b_16": {},
    "swin_t": {},
    "squeezenet1_1": {},
    "integrated": {**SEQUENCE, "sequence": "slices"},
    "cnn_attention": {"backbone": "squeezenet1_1", "hidden": 8},
}


def write(folder, like, name, options, neighbours=0):
    torch.manual_seed(3)
    network = networks.create_network(name, 4, **options)
    settle(network, 1)
    card = replace(
        bundle.read_card(like),
        name=folder.name,
        architecture=Architecture(name, options),
        preprocessing=Preprocessing(SIDE, neighbours=neighbours),
    )
    bundle.write_bundle(folder, card, network.state_dict())
    return folder


@pytest.mark.parametrize("name", MADE)
def test_every_method_explains_it(name, random_bundle, tmp_path, small_transformers):
    neighbours = 1 if name == "integrated" else 0
    folder = write(tmp_path / "made", random_bundle, name, MADE[name], neighbours)
    model = predict.load_model(folder, "cpu")
    volume = head(slices=4)
    for method, slow in [
        (one.key, one.is_slow) for one in METHODS.values() if one.suits(model.card)
    ]:
        if slow and name not in ("vit_b_16", "swin_t"):
            continue  # 512 passes a slice
        finding = pipeline.analyse_volume(
            volume, model, method=method, slices=[2] if slow else None
        )
        saliency = finding.saliency
        maps = np.stack([saliency.on_slice(index) for index in saliency.slices])
        assert maps.shape == (1 if slow else 3, 90, 70)
        assert np.isfinite(maps).all()
        assert maps.max() > 0 or method == "scorecam", method


def test_saliency_of_slices_is_that_of_the_middle_one(random_bundle, tmp_path):
    folder = write(tmp_path / "made", random_bundle, "integrated", MADE["integrated"], 1)
    model = predict.load_model(folder, "cpu")
    x = torch.rand(1, 3, SIDE, SIDE)
    maps = model.network.trunk(x)
    other = model.network.trunk(x.flip(1))
    torch.testing.assert_close(model.network.shown(maps), model.network.shown(other))
    assert model.network.shown(maps).shape[1] * 3 == maps.shape[1]


def test_neighbours_are_cropped_as_the_slice_and_repeated_at_the_edge(volume):
    settings = Preprocessing(64, neighbours=2)
    prepared = prepare_volume(volume, settings)
    assert prepared.slices == tuple(range(1, 12))
    assert prepared.pictures.shape == (11, 5, 64, 64)
    plain = prepare_volume(volume, Preprocessing(64))
    np.testing.assert_array_equal(prepared.pictures[:, 2], plain.pictures)
    assert prepared.boxes == plain.boxes
    last = prepared.pictures[-1]
    np.testing.assert_array_equal(last[3], last[2])
    np.testing.assert_array_equal(last[4], last[2])
    assert not prepared.pictures[0, 1].any()  # the blank slice below the first judged one


def test_a_place_in_a_neighbour_is_the_same_place_in_the_slice(volume):
    settings = Preprocessing(64, neighbours=1)
    middle = grey(volume, 6)
    half = middle.copy()
    half[45:] = 0  # alone it would be cropped to its upper half
    seen, box = prepare_series(np.stack([half, middle, middle]), settings)
    plain, alone = prepare_image(middle, settings)
    assert box == alone
    np.testing.assert_array_equal(seen[1], plain)
    np.testing.assert_array_equal(seen[0, :28], plain[:28])
    assert not seen[0, 36:].any()


@pytest.mark.parametrize("what", ["single", "unordered"])
def test_without_known_neighbours_the_slice_itself_is_repeated(what):
    volume = head() if what == "unordered" else head(slices=3)
    array = volume.array if what == "unordered" else volume.array[1:2]
    placement = Placement.NONE if what == "unordered" else volume.placement
    volume = replace(volume, array=array, placement=placement)
    prepared = prepare_volume(volume, Preprocessing(32, neighbours=1))
    assert prepared.pictures.shape[1] == 3
    for series in prepared.pictures:
        np.testing.assert_array_equal(series, np.stack([series[1]] * 3))


def test_edges_are_repeated():
    assert list_neighbours(0, 5, 2) == (0, 0, 0, 1, 2)
    assert list_neighbours(4, 5, 1) == (3, 4, 4)
    assert list_neighbours(0, 1, 1) == (0, 0, 0)
    assert list_neighbours(2, 5, 0) == (2,)


def test_cards_without_neighbours_stay_valid(random_bundle):
    text = (random_bundle / "card.json").read_text()
    old = text.replace(',\n    "neighbours": 0', "")
    assert old != text
    assert schema.from_json(old) == schema.from_json(text)
    with pytest.raises(ValueError, match="neighbours must be from 0 to 16"):
        schema.from_json(text.replace('"neighbours": 0', '"neighbours": 17'))


def test_a_network_of_single_pictures_refuses_neighbours(random_bundle, tmp_path):
    folder = write(tmp_path / "made", random_bundle, "brain_cnn", {}, neighbours=1)
    with pytest.raises(InputError, match="takes no neighbouring slices"):
        predict.load_model(folder, "cpu")
