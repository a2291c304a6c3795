"""The index of training items, whom they show, and the worst mistakes, from drawn evidence."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from trainer.data.dataset import read_dataset
from trainer.data.split import Split
from trainer.tools.progress import Progress
from trainer.trust import confident_mistakes, similar_index, training_cohort
from trainer.trust.training_cohort import Facts


@pytest.fixture
def evidence(shapes):
    """Embeddings that tell the three classes apart; every third item is held out."""
    dataset = read_dataset(shapes)
    draw = np.random.default_rng(0)
    labels = dataset.labels()
    embeddings = draw.normal(size=(36, 96)).astype(np.float32)
    embeddings[np.arange(36), labels] += 12
    held = np.arange(0, 36, 3)
    train = np.setdiff1d(np.arange(36), held)
    sha256 = tuple(hashlib.sha256(item.path.read_bytes()).hexdigest() for item in dataset.items)
    pictures = np.stack([np.full((32, 32), 10 * row % 255, np.uint8) for row in range(36)])
    logits = np.eye(3)[labels] * 4
    logits[held[:2]] = [0, 0, 9]
    return SimpleNamespace(
        material=SimpleNamespace(
            dataset=dataset, pictures=SimpleNamespace(array=pictures, sha256=sha256)
        ),
        split=Split(train, held),
        labels=labels,
        groups=np.arange(36) // 2,
        held=held,
        embeddings=embeddings,
        logits=logits,
        model=SimpleNamespace(card=SimpleNamespace(temperature=2.0)),
    )


def test_the_index_holds_what_was_trained_on_and_no_picture(evidence):
    described, arrays = similar_index.build_similar_index(evidence, "shapes", with_pictures=False)
    assert described.items == len(arrays["similar.labels"]) == 24
    assert described.sources == ("shapes",)
    assert described.precision.value > 0.9
    assert described.chance == pytest.approx(1 / 3, abs=0.05)
    assert "similar.pictures" not in arrays
    trained = {evidence.material.pictures.sha256[row][:16] for row in evidence.split.train}
    assert {one.tobytes().hex() for one in arrays["similar.digests"]} == trained
    assert arrays["similar.embeddings"].dtype == np.float16
    assert arrays["similar.embeddings"].shape[1] <= similar_index.DIMENSIONS


def test_embeddings_that_say_nothing_retrieve_by_chance(evidence):
    evidence.embeddings = np.random.default_rng(5).normal(size=(36, 96)).astype(np.float32)
    described, _ = similar_index.build_similar_index(evidence, "shapes", with_pictures=False)
    assert described.precision.value < 0.6
    assert described.precision.low <= described.precision.value <= described.precision.high


def test_pictures_go_along_where_they_may(evidence):
    _, arrays = similar_index.build_similar_index(evidence, "shapes", with_pictures=True)
    assert arrays["similar.pictures"].shape == (24, similar_index.SIDE, similar_index.SIDE)


def test_the_cohort_is_of_what_was_trained_on(evidence):
    known = training_cohort.describe_cohort(evidence, Progress("none"))
    assert known.numbers["side"] == (64.0,) * 9
    assert known.numbers["brightness"][-1] == 250
    assert "field_strength" not in known.numbers


def test_what_few_items_say_is_left_out():
    told = [Facts({"age": 40.0}, {"sex": "F"})] + [Facts({"age": 50.0})] * 3
    known = training_cohort.summarise_facts(told)
    assert known.numbers["age"][0] == 40
    assert known.shares == {}


def test_the_surest_mistakes_come_first_one_of_each_group(evidence):
    worst, arrays = confident_mistakes.find_confident_mistakes(
        evidence, "shapes", with_pictures=False
    )
    assert [one.predicted for one in worst] == ["square", "square"]
    assert arrays == {}
    assert worst[0].digest == evidence.material.pictures.sha256[0][:16]
    evidence.groups = np.zeros(36, int)
    worst, arrays = confident_mistakes.find_confident_mistakes(
        evidence, "shapes", with_pictures=True
    )
    assert len(worst) == len(arrays["mistakes.pictures"]) == 1
