"""What ONNX Runtime answers, beside torch: the shipped models, on noise, shapes and patients."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tumorviewer.analysis import pipeline, predict
from tumorviewer.analysis.candidates import find_candidates
from tumorviewer.analysis.engines import choice, onnx_session
from tumorviewer.analysis.engines.onnx_contents import read_contents
from tumorviewer.analysis.engines.onnx_model import OnnxModel
from tumorviewer.analysis.examination import Examination
from tumorviewer.analysis.methods import METHODS
from tumorviewer.analysis.slices import prepare_volume
from tumorviewer.errors import InputError
from tumorviewer.models import bundle, schema
from tumorviewer.resources import resource_path
from tumorviewer.study.opening import open_paths
from tumorviewer.study.types import Placement, Volume

NAMES = ("head-mr-4", "light")
PICTURES = 24


@pytest.fixture(scope="module", params=NAMES)
def both(request):
    """The same bundle by either engine."""
    folder = resource_path("models", request.param)
    return OnnxModel(folder), predict.load_model(folder, "cpu")


@pytest.fixture(scope="module")
def head() -> Volume:
    """Ellipses with a spot, of different sizes, and noise."""
    rng, side = np.random.default_rng(0), 160
    rows, columns = np.indices((side, side)) - side / 2
    slices = []
    for index in range(PICTURES):
        inside = (rows / 70) ** 2 + (columns / (40 + index)) ** 2 < 1
        spot = np.hypot(rows - index, columns + 20) < 4 + index / 2
        slices.append(inside * (90 + rng.normal(0, 12, inside.shape)) + spot * 80)
    array = np.stack(slices).clip(0, 255).astype(np.uint8)
    return Volume(array, np.eye(4), Placement.PATIENT, "made", None, "made")


def test_logits_distances_and_embeddings_are_those_of_torch(both, head):
    ours, theirs = both
    pictures = prepare_volume(head, ours.card.preprocessing).pictures
    one, other = ours.ask(pictures), theirs.ask(pictures)
    np.testing.assert_allclose(one.logits, other.logits, atol=1e-4)
    np.testing.assert_allclose(one.features, other.features, atol=1e-3)
    np.testing.assert_allclose(
        ours.ood.distances(one.stages), theirs.ood.distances(other.stages), atol=1e-3
    )
    np.testing.assert_allclose(ours.embed(one.features), theirs.embed(other.features), atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("against", [None, 2])
def test_maps_are_those_of_torch_or_it_is_said_who_makes_them(both, head, method, against):
    if not METHODS[method].suits(both[0].card) or (against and METHODS[method].class_agnostic):
        return
    few = replace(head, array=head.array[::8])
    examined = [Examination(prepare_volume(few, one.card.preprocessing), one) for one in both]
    if method == "scorecam":
        with pytest.raises(InputError, match="torch can"):
            examined[0].raw_maps(method, 1, [0], against=against)
        return
    positions = [0] if METHODS[method].is_slow else [0, 1, 2]
    one, other = (each.raw_maps(method, 1, positions, against=against) for each in examined)
    assert np.abs(other).max() > 0
    np.testing.assert_allclose(one, other, atol=1e-3 * np.abs(other).max())


def test_findings_refusals_and_similar_cases_are_those_of_torch(both, head):
    one, other = (pipeline.analyse_volume(head, model, method=None) for model in both)
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
    assert (one.key_slices, one.abstains, one.sets) == (
        other.key_slices,
        other.abstains,
        other.sets,
    )
    assert one.ood.level == other.ood.level
    assert one.similar.cases[0].similarity == pytest.approx(
        other.similar.cases[0].similarity, abs=1e-4
    )
    assert "ONNX Runtime" in one.device


def test_the_finder_outlines_and_names_as_torch_does():
    opened = open_paths([resource_path("demonstration")])
    volume = next(
        one.load()
        for study in opened.studies
        for series in study.series
        for one in series.volumes
        if series.volumes[0].shape[0] > 8
    )
    folder = resource_path("models", "finder")
    ours, theirs = (
        find_candidates(volume, choice.load_finder(folder, engine)) for engine in ("onnx", "torch")
    )
    assert np.count_nonzero(ours.brain != theirs.brain) <= 1e-5 * ours.brain.size
    assert len(ours.candidates) == len(theirs.candidates)
    for one, other in zip(ours.candidates, theirs.candidates, strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-4)
        assert one.classes == pytest.approx(other.classes, abs=1e-4)


def test_pictures_of_patients_are_answered_alike(both, shared_data):
    ours, theirs = both
    files = sorted((shared_data / "nickparvar_training").rglob("*.jpg"))[::12][:500]
    for start in range(0, len(files), 50):
        arrays = [np.asarray(Image.open(one).convert("L")) for one in files[start : start + 50]]
        pictures = np.stack(
            [
                prepare_volume(
                    Volume(array[None], np.eye(4), Placement.NONE, "made", None, "made"),
                    ours.card.preprocessing,
                ).pictures[0]
                for array in arrays
            ]
        )
        one, other = ours.ask(pictures), theirs.ask(pictures)
        np.testing.assert_allclose(one.logits, other.logits, atol=1e-4)
        np.testing.assert_allclose(
            ours.ood.distances(one.stages), theirs.ood.distances(other.stages), atol=1e-3
        )


@pytest.fixture
def copied(tmp_path):
    folder = tmp_path / "light"
    shutil.copytree(resource_path("models", "light"), folder)
    return folder


def rewritten(folder, content: bytes) -> None:
    """The card agrees with what the graph is now."""
    card = bundle.read_card(folder)
    bundle.write_graphs(folder, card.graphs, {"trunk": content})


def test_a_damaged_graph_is_refused(copied):
    path = bundle.graph_path(copied, "trunk")
    content = path.read_bytes()
    path.write_bytes(content[:-200])
    with pytest.raises(InputError, match="SHA-256"):
        OnnxModel(copied)
    rewritten(copied, content[:-200])
    with pytest.raises(InputError, match="not an ONNX graph"):
        OnnxModel(copied)


def test_a_graph_of_other_weights_is_refused(copied):
    other = bundle.graph_path(resource_path("models", "head-mr-4"), "trunk").read_bytes()
    rewritten(copied, other)
    with pytest.raises(InputError, match="do not belong together"):
        OnnxModel(copied)


def test_an_operator_that_no_model_needs_and_weights_of_other_files_are_refused(copied):
    content = bundle.graph_path(copied, "trunk").read_bytes()
    with pytest.raises(InputError, match="operator Loop, which"):
        read_contents(content.replace(b"\x22\x04Relu", b"\x22\x04Loop"), "made")
    with pytest.raises(InputError, match="more than a graph without weights"):
        read_contents(content.replace(b"model.safetensors", b"other.safetensors"), "made")


def test_a_constant_of_another_file_is_refused():
    onnx = pytest.importorskip("onnx")
    elsewhere = onnx.TensorProto(name="c", data_type=onnx.TensorProto.FLOAT, dims=[1])
    elsewhere.data_location = onnx.TensorProto.EXTERNAL
    elsewhere.external_data.add(key="location", value="other.bin")
    node = onnx.helper.make_node("Constant", [], ["c"], value=elsewhere)
    out = onnx.helper.make_tensor_value_info("c", onnx.TensorProto.FLOAT, [1])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "made", [], [out]))
    with pytest.raises(InputError, match="Constant, with values of another file"):
        read_contents(model.SerializeToString(), "made")


def test_a_graph_of_a_newer_opset_is_named(copied):
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(bundle.graph_path(copied, "trunk").read_bytes())
    model.opset_import[0].version = 999
    rewritten(copied, model.SerializeToString())
    with pytest.raises(InputError, match=r"ONNX Runtime .* does not take the graph"):
        OnnxModel(copied)


def test_a_graph_that_does_not_answer_what_trust_looks_at_is_not_used(copied):
    card = bundle.read_card(copied)
    text = schema.to_json(replace(card, graphs=replace(card.graphs, stages=(), cells=0)))
    (copied / bundle.CARD).write_text(text, "utf-8")
    assert choice.choose_engine(bundle.read_card(copied), ("trunk",), "cpu", "auto") == "torch"
    with pytest.raises(InputError, match="no graph for ONNX Runtime"):
        choice.load_model(copied, "cpu", "onnx")


def test_without_onnxruntime_torch_answers(monkeypatch):
    monkeypatch.setattr(choice.importlib.util, "find_spec", lambda name: None)
    card = bundle.read_card(resource_path("models", "light"))
    assert choice.choose_engine(card, ("trunk",), "cpu", "auto") == "torch"
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="package onnxruntime is missing"):
        choice.load_model(resource_path("models", "light"), "cpu", "onnx")


def test_an_unknown_engine_is_refused():
    card = bundle.read_card(resource_path("models", "light"))
    with pytest.raises(InputError, match="no engine of that name"):
        choice.choose_engine(card, ("trunk",), "cpu", "abacus")


@pytest.mark.parametrize("name", [*NAMES, "finder"])
def test_graphs_that_ship_hold_no_weights_and_no_path(name):
    folder = resource_path("models", name)
    card = bundle.verify_bundle(folder)
    for graph in card.graphs.sha256:
        content = bundle.graph_path(folder, graph).read_bytes()
        assert len(content) < 64 << 10
        assert b"/home" not in content
        assert b".py" not in content
    assert choice.choose_engine(card, tuple(card.graphs.sha256), "cpu", "onnx") == "onnx"


def test_an_explanation_and_its_check_need_no_torch():
    program = """
import sys, contextlib, io
from tumorviewer import cli
with contextlib.redirect_stdout(io.StringIO()):
    cli.main(["classify", sys.argv[1], "--device", "cpu", "--explain", "gradcam", "--check-map"])
print("torch" in sys.modules)
"""
    picture = resource_path("demonstration", "pictures", "tumour-frontal.jpg")
    command = [sys.executable, "-c", program, str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_threads_are_those_that_were_asked_for(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert onnx_session.count_threads() == 3
    assert onnx_session.describe_cpu() == "cpu (3 threads), ONNX Runtime"
