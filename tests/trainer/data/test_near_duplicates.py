from __future__ import annotations

import csv
import gzip
from dataclasses import replace
from itertools import compress

import numpy as np
import pytest
import torch
from drawn import texture
from PIL import Image

from trainer.data import dataset, near_duplicates
from trainer.data.near_duplicates import SYMMETRIES
from trainer.tools.progress import Progress

QUIET = Progress("none")


def views_of(pictures: list[Image.Image], root, cache):
    for number, picture in enumerate(pictures):
        folder = root / ("a" if number % 2 else "b")
        folder.mkdir(parents=True, exist_ok=True)
        picture.save(folder / f"{number:03d}.png")
    return near_duplicates.load_thumbnails(dataset.read_dataset(root), cache, QUIET)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Thirty heads, then each symmetry of the first, and others changed as copies are."""
    generator = np.random.default_rng(5)
    heads = [texture(generator) for _ in range(30)]
    turned = [
        Image.fromarray(
            near_duplicates.apply_symmetry(torch.tensor(np.array(head))[None], which)[0].numpy()
        )
        for which, head in enumerate(heads[:8])
    ]
    smaller = heads[8].resize((97, 97), Image.Resampling.BICUBIC)
    brighter = heads[9].point(lambda value: min(255, value * 1.2 + 5))
    padded = Image.new("L", (220, 200))
    padded.paste(heads[10], (40, 10))
    everything = [*heads, *turned, smaller, brighter, padded]
    root = tmp_path_factory.mktemp("twins")
    views = views_of(everything, root / "data", root / "cache")
    names = [int(item.path.stem) for item in dataset.read_dataset(root / "data").items]
    pairs = near_duplicates.find_near_duplicates(views, QUIET)
    return {
        tuple(sorted((names[one], names[other]))): SYMMETRIES[which] for one, other, which in pairs
    }


def test_every_symmetry_and_change_is_found_and_nothing_else(found):
    expected = {(which, 30 + which) for which in range(8)} | {(8, 38), (9, 39), (10, 40)}
    assert set(found) == expected
    assert found[(0, 30)] == "identity"
    assert found[(4, 34)] == "mirrored"
    assert found[(2, 32)] == "rotated 180°"


def test_the_nearest_and_whether_it_is_a_twin(tmp_path):
    generator = np.random.default_rng(6)
    heads = [texture(generator) for _ in range(6)]
    mirrored = heads[2].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    views = views_of([*heads, mirrored, texture(generator)], tmp_path / "data", tmp_path / "c")
    order = [int(item.path.stem) for item in dataset.read_dataset(tmp_path / "data").items]
    row = {number: index for index, number in enumerate(order)}
    asked = views.rows(np.array([row[6], row[7]]))
    known = views.rows(np.array([row[number] for number in range(6)]))
    nearest, is_twin = near_duplicates.find_nearest(asked, known)
    assert nearest[0] == 2
    assert is_twin.tolist() == [True, False]


def test_blank_pictures_are_twins_of_nothing(tmp_path):
    blank = [Image.new("L", (40, 40)), Image.new("L", (50, 50), 200)]
    views = views_of(blank, tmp_path / "data", tmp_path / "cache")
    assert not len(near_duplicates.find_near_duplicates(views, QUIET))


def test_shortened_vectors_lose_no_pair(monkeypatch, tmp_path):
    generator = np.random.default_rng(8)
    heads = [texture(generator, 80) for _ in range(120)]
    heads += [head.rotate(90 * (n % 4)).resize((70, 70)) for n, head in enumerate(heads[:60])]
    views = views_of(heads, tmp_path / "data", tmp_path / "cache")
    whole = near_duplicates.find_near_duplicates(views, QUIET)
    monkeypatch.setattr(near_duplicates, "_MANY", 1)
    monkeypatch.setattr(near_duplicates, "_RANK", 24)
    monkeypatch.setattr(near_duplicates, "_BLOCK", 50)
    assert len(whole) >= 60
    assert (near_duplicates.find_near_duplicates(views, QUIET) == whole).all()


def test_pairs_between_two_sets_are_those_of_both_together(tmp_path):
    generator = np.random.default_rng(9)
    heads = [texture(generator) for _ in range(12)]
    mirrored = [head.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for head in heads[:4]]
    views = views_of([*heads, *mirrored], tmp_path / "data", tmp_path / "cache")
    order = [int(item.path.stem) for item in dataset.read_dataset(tmp_path / "data").items]
    one, other = (
        np.array([row for row, number in enumerate(order) if (number >= 12) == late])
        for late in (False, True)
    )
    pairs = near_duplicates.find_near_duplicates_between(views.rows(one), views.rows(other), QUIET)
    named = {(order[one[a]], order[other[b]], which) for a, b, which in pairs.tolist()}
    assert named == {(number, 12 + number, 4) for number in range(4)}


@pytest.mark.shared
@pytest.mark.slow
def test_no_two_slices_of_the_233_patients_are_near_duplicates(shared_data, tmp_path):
    """Every fourth run of fifty slices: patients follow one another."""
    whole = dataset.read_dataset(shared_data / "cheng", ("glioma", "meningioma", "pituitary"))
    data = only(whole, [int(item.path.stem) // 50 % 4 == 0 for item in whole.items])
    assert len(data.items) == 799
    assert not len(
        near_duplicates.find_near_duplicates(
            near_duplicates.load_thumbnails(data, tmp_path, QUIET), QUIET
        )
    )


@pytest.mark.shared
@pytest.mark.slow
def test_the_published_pairs_are_found(shared_data, tmp_path):
    """Those among the images of every twentieth pair."""
    whole = dataset.read_dataset(shared_data / "nickparvar_training")
    names = {f"nickparvar/Training/{item.name}": item.path for item in whole.items}
    with gzip.open(shared_data / "near_pairs.csv.gz", "rt") as stream:
        listed = [(names.get(line["a"]), names.get(line["b"])) for line in csv.DictReader(stream)]
    known = sorted({tuple(sorted(pair)) for pair in listed if None not in pair})
    assert len(known) > 9000
    sampled = {path for pair in known[::20] for path in pair}
    data = only(whole, [item.path in sampled for item in whole.items])
    views = near_duplicates.load_thumbnails(data, tmp_path, QUIET)
    paths = [item.path for item in data.items]
    pairs = near_duplicates.find_near_duplicates(views, QUIET)[:, :2].tolist()
    found = {tuple(sorted((paths[one], paths[other]))) for one, other in pairs}
    expected = {pair for pair in known if sampled.issuperset(pair)}
    assert len(expected) > 450
    assert len(expected & found) >= 0.98 * len(expected)


def only(data, chosen):
    return replace(data, items=tuple(compress(data.items, chosen)))
