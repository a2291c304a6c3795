"""Graphs that are put into a bundle: they answer as torch does, or the bundle stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from trainer import cli
from trainer.runs import onnx_graphs
from tumorviewer import networks
from tumorviewer.analysis import predict
from tumorviewer.analysis.engines import choice
from tumorviewer.analysis.engines.onnx_model import OnnxModel
from tumorviewer.errors import InputError
from tumorviewer.models import Architecture, ModelCard, Preprocessing, Weights, bundle


def written(folder, architecture, **options):
    """A bundle with settled batch statistics."""
    torch.manual_seed(0)
    network = networks.create_network(architecture, 3, **options)
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.2)
            part.running_var.uniform_(0.5, 2)
    card = ModelCard(
        name="made",
        version="1",
        title="Made",
        architecture=Architecture(architecture, options),
        classes=("a", "b", "c"),
        labels={"a": "A", "b": "B", "c": "C"},
        no_tumour=None,
        preprocessing=Preprocessing(size=96),
        weights=Weights("", 0),
        created="2026-12-01",
        summary="",
        intended_use="tests",
        limits=(),
        licence="none",
        training={},
        figures={},
    )
    bundle.write_bundle(folder, card, network.state_dict())
    return folder


@pytest.mark.parametrize(
    ("architecture", "options"),
    [("light_guided", {"width": 16}), ("light_residual", {"width": 8}), ("light", {"width": 8})],
)
def test_a_bundle_with_graphs_answers_without_torch(tmp_path, capsys, architecture, options):
    folder = written(tmp_path / "made", architecture, **options)
    assert cli.main(["graphs", str(folder)]) == 0
    assert "trunk.onnx" in capsys.readouterr().out
    card = bundle.verify_bundle(folder)
    assert choice.choose_engine(card, ("trunk",), "cpu", "auto") == "onnx"
    pictures = np.random.default_rng(1).integers(0, 256, (5, 96, 96), np.uint8)
    ours, theirs = OnnxModel(folder).ask(pictures), predict.load_model(folder, "cpu").ask(pictures)
    np.testing.assert_allclose(ours.logits, theirs.logits, atol=1e-4)
    assert np.ptp(theirs.logits) > 0.01


def test_a_network_of_another_head_is_refused_and_its_bundle_stays(tmp_path):
    folder = written(tmp_path / "made", "vit_b_16")
    before = (folder / bundle.CARD).read_bytes()
    with pytest.raises(InputError, match="head is none whose maps are known"):
        onnx_graphs.add_graphs(folder)
    assert (folder / bundle.CARD).read_bytes() == before


def test_graphs_that_answer_otherwise_are_not_put_into_it(tmp_path, monkeypatch):
    folder = written(tmp_path / "made", "light", width=8)
    before = (folder / bundle.CARD).read_bytes()
    monkeypatch.setattr(onnx_graphs, "_difference", lambda *_: 0.5)
    with pytest.raises(InputError, match=r"answers otherwise, by up to 5\.0e-01"):
        onnx_graphs.add_graphs(folder)
    assert not list(folder.glob("*.onnx"))
    assert (folder / bundle.CARD).read_bytes() == before
    assert choice.choose_engine(bundle.verify_bundle(folder), ("trunk",), "cpu", "auto") == "torch"
