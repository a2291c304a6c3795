from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer import grouping, split
from trainer.dataset import Dataset, Item
from trainer.split import SplitSettings
from tumorviewer.errors import InputError


def dataset(labels: list[int], splits: str = "") -> Dataset:
    items = tuple(
        Item(Path(f"{index}.png"), f"{index}.png", label, split=splits and splits.split()[index])
        for index, label in enumerate(labels)
    )
    return Dataset(Path("data"), tuple(f"c{one}" for one in range(max(labels) + 1)), items)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), folds=st.integers(2, 6))
def test_a_group_never_parts_and_every_item_is_held_out_once(seed, folds):
    generator = np.random.default_rng(seed)
    groups = generator.integers(0, 60, 400)
    labels = (groups % 3).tolist()
    data = dataset(labels)
    held = np.zeros(len(labels), int)
    for number in range(folds):
        parts = split.choose(data, groups, SplitSettings(f"fold {number}", folds, seed))
        assert not set(groups[parts.train]) & set(groups[parts.validation])
        assert sorted([*parts.train, *parts.validation]) == list(range(len(labels)))
        assert set(np.array(labels)[parts.validation]) == {0, 1, 2}
        held[parts.validation] += 1
    assert (held == 1).all()


def test_the_same_seed_gives_the_same_folds_and_another_others():
    groups = np.arange(90)
    data = dataset((np.arange(90) % 3).tolist())
    first, again, other = (split.folds(data, groups, SplitSettings(seed=s)) for s in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_fewer_groups_than_folds_is_refused():
    data = dataset([0] * 10 + [1] * 10)
    groups = np.array([0] * 10 + list(range(1, 11)))
    with pytest.raises(InputError, match="c0 has 1 groups, fewer than 5"):
        split.choose(data, groups, SplitSettings())


def test_the_official_validation_part_and_none():
    data = dataset([0, 1, 0, 1], "train train val val")
    groups = np.arange(4)
    parts = split.choose(data, groups, SplitSettings("official"))
    assert parts.train.tolist() == [0, 1]
    assert parts.validation.tolist() == [2, 3]
    assert not len(split.choose(data, groups, SplitSettings("none")).validation)
    with pytest.raises(InputError, match="no validation part"):
        split.choose(dataset([0, 1]), groups[:2], SplitSettings("official"))


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40))
def test_united_items_are_the_connected_components(pairs):
    groups = grouping.unite(20, pairs)
    assert all(groups[one] == groups[other] for one, other in pairs)
    neighbours = {index: {index} for index in range(20)}
    for one, other in pairs:
        merged = neighbours[one] | neighbours[other]
        for member in merged:
            neighbours[member] = merged
    assert len(set(groups.tolist())) == len({frozenset(one) for one in neighbours.values()})


def test_names_join_and_empty_names_do_not():
    groups = grouping.from_names(["a", "b", "c", ""], ["", "p", "p", ""])
    assert groups.tolist() == [0, 1, 1, 2]
