"""ONNX files answer as the bundles that they come from, in another program."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from trainer import cli
from trainer.runs import onnx_export
from tumorviewer import networks
from tumorviewer.errors import InputError
from tumorviewer.models import Architecture, Preprocessing, bundle, weights


@pytest.fixture(scope="module")
def warm(random_bundle: Path, tmp_path_factory) -> Path:
    """The random bundle with a temperature and small pictures."""
    card, network = weights.load_weights(random_bundle)
    card = dataclasses.replace(card, temperature=2.5, preprocessing=Preprocessing(size=48))
    folder = tmp_path_factory.mktemp("warm") / "random"
    bundle.write_bundle(folder, card, network.state_dict())
    return folder


@pytest.fixture(scope="module")
def exported(warm: Path, tmp_path_factory) -> Path:
    """As a user makes it."""
    out = tmp_path_factory.mktemp("onnx") / "model.onnx"
    with redirect_stdout(io.StringIO()) as said:
        assert cli.main(["export-onnx", str(warm), str(out)]) == 0
    assert "differ from the bundle's by at most" in said.getvalue()
    return out


@pytest.mark.parametrize("count", [1, 2, 7])
def test_any_number_of_pictures_has_the_bundles_calibrated_answers(exported, warm, count) -> None:
    pictures = np.random.default_rng(count).random((count, 1, 48, 48), np.float32)
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    (answers,) = session.run(["probabilities"], {"pictures": pictures})
    card, network = weights.load_weights(warm)
    with torch.inference_mode():
        expected = torch.softmax(network(torch.from_numpy(pictures)) / card.temperature, 1)
    np.testing.assert_allclose(answers, expected.numpy(), atol=1e-5)
    np.testing.assert_allclose(answers.sum(1), 1, atol=1e-5)


def test_the_file_says_what_another_program_must_know(exported, warm) -> None:
    import onnx as format

    format.checker.check_model(exported, full_check=True)
    told = onnxruntime.InferenceSession(exported).get_modelmeta().custom_metadata_map
    card = bundle.read_card(warm)
    assert json.loads(told["classes"]) == list(card.classes)
    assert Preprocessing(**json.loads(told["preprocessing"])) == card.preprocessing
    assert float(told["temperature"]) == 2.5
    assert told["sha256"] == card.weights.sha256
    assert told["notice"] == "Research use only"
    assert [path.name for path in exported.parent.iterdir()] == ["model.onnx"]


@pytest.mark.slow
def test_slices_with_neighbours_and_recurrence_export_too(random_bundle, tmp_path) -> None:
    options = {"backbone": "resnet18", "sequence": "slices", "hidden": 8, "width": 16, "layers": 1}
    torch.manual_seed(0)
    network = networks.create_network("integrated", 4, **options)
    card = dataclasses.replace(
        bundle.read_card(random_bundle),
        architecture=Architecture("integrated", options),
        preprocessing=Preprocessing(size=64, neighbours=1),
    )
    bundle.write_bundle(tmp_path / "slices", card, network.state_dict())
    assert onnx_export.export_onnx(tmp_path / "slices", tmp_path / "s.onnx") < 1e-5
    session = onnxruntime.InferenceSession(tmp_path / "s.onnx")
    assert session.get_inputs()[0].shape[1:] == [3, 64, 64]


def test_what_answers_otherwise_is_refused_and_not_written(warm, tmp_path, monkeypatch) -> None:
    trace = onnx_export._trace

    def spoil(model, *rest):
        return trace(onnx_export.Calibrated(model.network, 1.0), *rest)

    monkeypatch.setattr(onnx_export, "_trace", spoil)
    with pytest.raises(InputError, match="answers otherwise, by up to"):
        onnx_export.export_onnx(warm, tmp_path / "out.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_said_with_its_remedy(warm, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(InputError, match="onnxscript is missing") as refused:
        onnx_export.export_onnx(warm, tmp_path / "out.onnx")
    assert "tumorviewer[train]" in refused.value.remedy


def test_what_cannot_be_exported_is_said(warm, tmp_path, monkeypatch) -> None:
    class Branching(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)[:, :4] if x.sum() > 0 else x.flatten(1)[:, 4:8]

    card, _ = weights.load_weights(warm)
    monkeypatch.setattr(weights, "load_weights", lambda _: (card, Branching()))
    with pytest.raises(InputError, match="architecture cannot be exported"):
        onnx_export.export_onnx(warm, tmp_path / "out.onnx")
