from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.data import grouping, split
from trainer.data.dataset import Dataset, LabelledItem
from trainer.data.split import SplitSettings
from tumorviewer.errors import InputError


def dataset(labels: list[int], splits: str = "") -> Dataset:
    items = tuple(
        LabelledItem(
            Path(f"{index}.png"), f"{index}.png", label, split=splits and splits.split()[index]
        )
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
        parts = split.choose_parts(data, groups, SplitSettings(f"fold {number}", folds, seed))
        assert not set(groups[parts.train]) & set(groups[parts.validation])
        assert sorted([*parts.train, *parts.validation]) == list(range(len(labels)))
        assert set(np.array(labels)[parts.validation]) == {0, 1, 2}
        held[parts.validation] += 1
    assert (held == 1).all()


def test_the_same_seed_gives_the_same_folds_and_another_others():
    groups = np.arange(90)
    data = dataset((np.arange(90) % 3).tolist())
    first, again, other = (
        split.assign_folds(data, groups, SplitSettings(seed=s)) for s in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_fewer_groups_than_folds_is_refused():
    data = dataset([0] * 10 + [1] * 10)
    groups = np.array([0] * 10 + list(range(1, 11)))
    with pytest.raises(InputError, match="c0 has 1 group, fewer than 5 folds"):
        split.choose_parts(data, groups, SplitSettings())


def test_the_official_validation_part_and_none():
    data = dataset([0, 1, 0, 1], "train train val val")
    groups = np.arange(4)
    parts = split.choose_parts(data, groups, SplitSettings("official"))
    assert parts.train.tolist() == [0, 1]
    assert parts.validation.tolist() == [2, 3]
    assert not len(split.choose_parts(data, groups, SplitSettings("none")).validation)
    with pytest.raises(InputError, match="no validation part"):
        split.choose_parts(dataset([0, 1]), groups[:2], SplitSettings("official"))


@pytest.mark.parametrize("fold", [0, 3])
def test_nothing_is_chosen_on_the_fold_that_is_reported(fold):
    generator = np.random.default_rng(2)
    groups = generator.integers(0, 80, 400)
    data = dataset((groups % 3).tolist())
    parts = split.choose_parts(data, groups, SplitSettings(f"nested {fold}", 4))
    sides = [set(groups[rows]) for rows in (parts.train, parts.validation, parts.test)]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]
    assert sorted(np.concatenate([parts.train, parts.validation, parts.test])) == list(range(400))
    plain = split.choose_parts(data, groups, SplitSettings(f"fold {fold}", 4))
    assert parts.judged.tolist() == parts.test.tolist() == plain.judged.tolist()


def test_the_papers_random_split_parts_groups_and_says_that_it_leaks():
    groups = np.repeat(np.arange(50), 4)
    data = dataset((groups % 2).tolist())
    settings = SplitSettings("random 5", folds=3)
    parts = split.choose_parts(data, groups, settings)
    assert settings.is_leaky
    assert settings.fold is None
    assert len(parts.validation) == 40
    assert len(set(groups[parts.validation]) & set(groups[parts.train])) > 20
    assert not SplitSettings("nested 1").is_leaky


def test_another_fold_of_the_same_kind():
    assert SplitSettings("nested 1").at(3).validation == "nested 3"
    assert SplitSettings("official").at(3).validation == "fold 3"


@pytest.mark.parametrize(
    ("validation", "reason"),
    [("fold 5", "0 to 4"), ("nested 5", "0 to 4"), ("random 1", "at least 2"), ("some", "must be")],
)
def test_splits_that_do_not_exist_are_refused(validation, reason):
    with pytest.raises(ValueError, match=reason):
        SplitSettings(validation)


def test_one_image_in_a_class_is_refused_by_name():
    data = dataset([0] * 10 + [1])
    with pytest.raises(InputError, match="c1 has 1 picture, fewer than 5 parts"):
        split.choose_parts(data, np.arange(11), SplitSettings("random 5"))
    with pytest.raises(InputError, match="c1 has 1 group, fewer than 5 folds"):
        split.choose_parts(data, np.arange(11), SplitSettings("fold 0"))


def test_an_official_training_part_without_a_class_is_refused():
    data = dataset([0, 0, 1, 0], "train train val val")
    with pytest.raises(InputError, match="c1 has no items in the official training part"):
        split.choose_parts(data, np.arange(4), SplitSettings("official"))


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40))
def test_united_items_are_the_connected_components(pairs):
    groups = grouping.unite_groups(20, pairs)
    assert all(groups[one] == groups[other] for one, other in pairs)
    neighbours = {index: {index} for index in range(20)}
    for one, other in pairs:
        merged = neighbours[one] | neighbours[other]
        for member in merged:
            neighbours[member] = merged
    assert len(set(groups.tolist())) == len({frozenset(one) for one in neighbours.values()})


def test_names_join_and_empty_names_do_not():
    groups = grouping.make_groups(["a", "b", "c", ""], ["", "p", "p", ""])
    assert groups.tolist() == [0, 1, 1, 2]
