"""The training items most like a slice, and how their index travels with a model."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tumorviewer.analysis import pipeline, predict
from tumorviewer.analysis.client import _task
from tumorviewer.analysis.examination import Examination
from tumorviewer.analysis.messages import FindSimilar
from tumorviewer.analysis.slices import prepare_volume
from tumorviewer.analysis.trust.similar_cases import SimilarCaseIndex, project_embeddings
from tumorviewer.errors import InputError
from tumorviewer.models import bundle
from tumorviewer.models.trust_measures import Measured, Trust
from tumorviewer.models.trust_measures import SimilarityIndex as Described
from tumorviewer.study.types import Placement, Volume

CLASSES = ("glioma", "meningioma", "notumor", "pituitary")


def arrays(items: int, width: int, groups: np.ndarray | None = None) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    whole = draw.normal(size=(items, width)).astype(np.float32)
    mean, components = whole.mean(0), np.eye(width, dtype=np.float32)
    return {
        "mean": mean,
        "components": components,
        "embeddings": project_embeddings(whole, mean, components).astype(np.float16),
        "labels": draw.integers(0, 4, items).astype(np.uint8),
        "sources": draw.integers(0, 2, items).astype(np.uint16),
        "groups": np.arange(items, dtype=np.int32) if groups is None else groups,
        "slices": np.full(items, -1, np.int32),
        "digests": draw.integers(0, 256, (items, 8)).astype(np.uint8),
    }


def test_the_nearest_by_cosine_come_first():
    made = arrays(300, 16)
    query = np.random.default_rng(1).normal(size=16)
    found = SimilarCaseIndex(made, CLASSES, ("a", "b")).search(query)
    unit = (query - made["mean"]) / np.linalg.norm(query - made["mean"])
    stored = made["embeddings"].astype(float)
    cosines = stored @ unit / np.linalg.norm(stored, axis=1)
    assert [case.row for case in found] == np.argsort(-cosines)[:5].tolist()
    assert [case.similarity for case in found] == pytest.approx(
        np.sort(cosines)[::-1][:5], abs=1e-3
    )
    first = found[0]
    assert first.digest == made["digests"][first.row].tobytes().hex()
    assert first.label == CLASSES[made["labels"][first.row]]


def test_twins_do_not_fill_the_list():
    groups = np.repeat(np.arange(6), 200).astype(np.int32)
    made = arrays(1200, 8, groups)
    made["embeddings"][:200] = made["embeddings"][0]
    found = SimilarCaseIndex(made, CLASSES, ("a", "b")).search(
        made["embeddings"][0].astype(float) + made["mean"]
    )
    assert len({groups[case.row] for case in found}) == len(found) == 5


def test_fewer_groups_than_asked_for():
    made = arrays(40, 8, np.zeros(40, np.int32))
    assert len(SimilarCaseIndex(made, CLASSES, ("a", "b")).search(np.ones(8))) == 1


@pytest.fixture(scope="module")
def indexed(random_bundle, tmp_path_factory):
    """A model with an index of its own answers to noise."""
    folder = tmp_path_factory.mktemp("indexed") / "model"
    shutil.copytree(random_bundle, folder)
    model = predict.load_model(folder, "cpu")
    prepared = prepare_volume(noise(), model.card.preprocessing)
    size = len(Examination(prepared, model).embedding(0))
    described = Described(50, ("a", "b"), size, Measured(1, 1, 1), 1.0, 0.25)
    made = {f"similar.{name}": one for name, one in arrays(50, size).items()}
    bundle.write_trust(folder, Trust(1, 1, similar=described), made)
    return folder


def noise() -> Volume:
    array = np.random.default_rng(0).integers(0, 255, (3, 64, 64), np.uint8)
    return Volume(array, np.eye(4), Placement.PATIENT, "noise")


def test_a_finding_names_what_is_most_like_its_most_telling_slice(indexed):
    model = predict.load_model(indexed, "cpu")
    examination = Examination(prepare_volume(noise(), model.card.preprocessing), model)
    finding = pipeline.make_finding(examination, None)
    assert finding.similar is not None
    assert finding.similar.slice == finding.key_slices[0]
    assert len(finding.similar.cases) == 5
    assert pipeline.find_similar_cases(examination, 2).slice == 2
    assert set(finding.inputs) == {"brightness", "contrast"}


def test_a_model_without_an_index_says_so(random_bundle):
    model = predict.load_model(random_bundle, "cpu")
    examination = Examination(prepare_volume(noise(), model.card.preprocessing), model)
    assert pipeline.make_finding(examination, None).similar is None
    with pytest.raises(InputError, match="no index"):
        pipeline.find_similar_cases(examination, 0)


def test_the_request_travels_with_its_slice(random_bundle):
    task = _task(7, FindSimilar(noise(), random_bundle, 2), None)
    assert (task.id, task.similar_to, task.method, task.maps_only) == (7, 2, None, False)
