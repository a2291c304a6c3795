"""A bundle's network as graphs for ONNX Runtime, put into the bundle beside its weights.

A graph is exported as inference uses the network, batch normalisations folded, and without its
weights: it names the tensors of the bundle's file, so that it is some kilobytes and cannot disagree
with them. What is written answers as torch does, or is not written.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainer.runs.onnx_export import draw_examples, require_packages
from tumorviewer.analysis import predict
from tumorviewer.analysis.engines.feature_watch import FeatureWatch
from tumorviewer.analysis.engines.onnx_contents import WEIGHTS_FILE
from tumorviewer.analysis.engines.onnx_finder import NAME, OUTLINE, OnnxFinder
from tumorviewer.analysis.engines.onnx_model import TRUNK, OnnxModel
from tumorviewer.analysis.engines.torch_finder import TorchFinder
from tumorviewer.errors import InputError
from tumorviewer.models import ModelCard, bundle, weights
from tumorviewer.models.card import Graphs
from tumorviewer.networks.guided import GuidedAttention
from tumorviewer.networks.light import PooledClassifier
from tumorviewer.networks.segmenter import Segmenter, create_segmenter, fold_batch_norms

TOLERANCE = 1e-4
"""Largest difference of a logit, or of a probability of an outline, that passes; of a feature map,
ten times as much."""
_OPSET = 20
_EPSILON = 1e-5


class _Trunk(nn.Module):
    """The trunk with what the measures of trust look at."""

    def __init__(self, trunk: nn.Module, stages: Sequence[str], cells: int) -> None:
        super().__init__()
        self.trunk = trunk
        self._watch = FeatureWatch(self, stages, cells) if stages else None

    def forward(self, x_NTSS: Tensor) -> tuple[Tensor, ...]:
        if self._watch is None:
            return (self.trunk(x_NTSS),)
        with self._watch.watching():
            features = self.trunk(x_NTSS)
        return features, self._watch.stacked()


class _Outline(nn.Module):
    def __init__(self, network: Segmenter) -> None:
        super().__init__()
        self.network = network

    def forward(self, x_N1SS: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.network.features(x_N1SS)
        return self.network.outlines(maps, x_N1SS.shape[-1]).sigmoid(), maps[-1]


class _Name(nn.Module):
    def __init__(self, network: Segmenter) -> None:
        super().__init__()
        self.network = network

    def forward(self, maps_NCHW: Tensor, outlines_N1SS: Tensor) -> Tensor:
        return self.network.classify(maps_NCHW, outlines_N1SS)


def add_graphs(folder: Path) -> ModelCard:
    """Put a bundle's graphs into it, if they answer as the bundle does.

    Raises
    ------
    InputError
        If the bundle is refused, its architecture cannot be exported, a package is missing, or the
        answers differ by more than :data:`TOLERANCE`. The bundle is then as it was.
    """
    require_packages()
    card = bundle.verify_bundle(folder)
    if card.segmentation is None:
        export, measure = _export_classifier, _difference
    else:
        export, measure = _export_finder, _difference_of_finder
    described, graphs = export(folder, card)
    with tempfile.TemporaryDirectory() as room:
        tried = Path(shutil.copytree(folder, Path(room) / card.name))
        worst = measure(tried, bundle.write_graphs(tried, described, graphs))
    if not worst <= TOLERANCE:
        reason = f"The exported network answers otherwise, by up to {worst:.1e}."
        raise InputError(str(folder), reason, "Use the bundle with torch.")
    return bundle.write_graphs(folder, described, graphs)


def _export_classifier(folder: Path, card: ModelCard) -> tuple[Graphs, dict[str, bytes]]:
    _, network = weights.load_weights(folder)
    first = network.head[0] if isinstance(network.head, nn.Sequential) else network.head
    if not isinstance(network, PooledClassifier) and not isinstance(first, GuidedAttention):
        reason = "Its head is none whose maps are known without torch."
        raise InputError(str(folder), reason, "Use the bundle with torch.")
    folded = _fold(network.trunk, "trunk.", folder)
    known = card.trust.familiarity if card.trust else None
    stages, cells = (known.stages, known.cells) if known else ((), 0)
    names = ["features", "stages"] if stages else ["features"]
    examples = draw_examples(card.preprocessing)[:2]
    graph = _serialise(
        _Trunk(network.trunk, stages, cells), (examples,), ["pictures"], names, {}, folder
    )
    return Graphs({}, folded, stages, cells), {TRUNK: graph}


def _export_finder(folder: Path, card: ModelCard) -> tuple[Graphs, dict[str, bytes]]:
    architecture = card.architecture
    network = create_segmenter(architecture.name, len(card.classes), **architecture.options)
    if not network.names:
        reason = "It only outlines, and names nothing."
        raise InputError(str(folder), reason, "Use the bundle with torch.")
    network.load_state_dict(_state(folder, card))
    network.eval().requires_grad_(False)
    folded = _fold(network, "", folder)
    x = draw_examples(card.preprocessing)[:2]
    outlines, maps = _Outline(network)(x)
    made = {
        OUTLINE: _serialise(
            _Outline(network), (x,), ["pictures"], ["outlines", "features"], {"network.": ""},
            folder,
        ),
        NAME: _serialise(
            _Name(network), (maps, outlines[:, :1]), ["features", "outlines"], ["logits"],
            {"network.": ""}, folder,
        ),
    }  # fmt: skip
    return Graphs({}, folded), made


def _state(folder: Path, card: ModelCard) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    found = load_file(folder / card.weights.file)
    return {name: one.float() if one.is_floating_point() else one for name, one in found.items()}


def _fold(network: nn.Module, prefix: str, folder: Path) -> dict[str, str]:
    """Fold batch normalisations in place; convolutions to the names of what was folded in."""
    norms = {
        id(part): f"{prefix}{name}"
        for name, part in network.named_modules()
        if isinstance(part, nn.BatchNorm2d)
    }
    sequences = {
        f"{prefix}{name}.": part
        for name, part in network.named_modules()
        if isinstance(part, nn.Sequential)
    }
    folded = {
        f"{(name if name != f'{prefix}.' else prefix)}{place}": norms[id(part[place + 1])]
        for name, part in sequences.items()
        for place in range(len(part) - 1)
        if isinstance(part[place], nn.Conv2d) and isinstance(part[place + 1], nn.BatchNorm2d)
    }
    every = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    if len(folded) < len(every) or any(part.eps != _EPSILON for part in every):
        reason = "Its batch normalisations do not all follow a convolution as we know it."
        raise InputError(str(folder), reason, "Use the bundle with torch.")
    fold_batch_norms(network)
    return folded


def _serialise(
    module: nn.Module,
    examples: tuple[Tensor, ...],
    inputs: list[str],
    outputs: list[str],
    renamed: dict[str, str],
    folder: Path,
) -> bytes:
    """The graph, its weights replaced by their names, without what the exporter notes of itself."""
    import onnx_ir

    batch = torch.export.Dim("N")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter's own libraries
            program = torch.onnx.export(
                module.eval(),
                examples,
                input_names=inputs,
                output_names=outputs,
                dynamic_shapes=tuple({0: batch} for _ in examples),
                dynamo=True,
                verbose=False,
                opset_version=_OPSET,
            )
    except (torch.onnx.OnnxExporterError, RuntimeError) as error:
        reason = f"Its architecture cannot be exported: {str(error).splitlines()[0]}"
        raise InputError(str(folder), reason, "Use the bundle with torch.") from error
    assert program is not None
    _name_weights(program.model, {name for name, _ in module.named_parameters()}, renamed)
    _strip(program.model)
    graph: bytes = onnx_ir.to_proto(program.model).SerializeToString()
    return graph


def _name_weights(model: Any, weights_: set[str], renamed: dict[str, str]) -> None:
    import onnx_ir

    for name, value in list(model.graph.initializers.items()):
        if name not in weights_:
            continue
        stored = name
        for old, new in renamed.items():
            stored = new + stored.removeprefix(old)
        shape, size = value.const_value.shape, value.const_value.nbytes
        value.name = stored
        value.const_value = onnx_ir.ExternalTensor(
            WEIGHTS_FILE, 0, size, onnx_ir.DataType.FLOAT, shape=shape, name=stored
        )


def _strip(model: Any) -> None:
    """Names of this machine's files, and traces of the exporter's calls."""
    graph = model.graph
    parts = [model, graph, *graph.inputs, *graph.outputs, *graph.initializers.values()]
    for node in graph:
        parts += [node, *node.outputs]
        node.doc_string = None
    for part in parts:
        part.metadata_props.clear()
    model.producer_name = "TumorViewer"


def _difference(folder: Path, card: ModelCard) -> float:
    """Largest of logits, and of features and stages divided by ten."""
    theirs, ours = OnnxModel(folder), predict.load_model(folder, "cpu")
    worst = 0.0
    examples = np.rint(draw_examples(card.preprocessing).numpy() * 255).astype(np.uint8)
    for pictures in (examples, examples[-1:]):
        one, other = theirs.ask(pictures), ours.ask(pictures)
        worst = max(worst, float(np.abs(one.logits - other.logits).max()))
        worst = max(worst, float(np.abs(one.features - other.features).max()) / 10)
        if one.stages is not None and other.stages is not None:
            worst = max(worst, float(np.abs(one.stages - other.stages).max()) / 10)
    return worst


def _difference_of_finder(folder: Path, card: ModelCard) -> float:
    theirs, ours = OnnxFinder(folder, card), TorchFinder.load(folder, card)
    worst = 0.0
    examples = np.rint(draw_examples(card.preprocessing).numpy()[:, 0] * 255).astype(np.uint8)
    for squares in (examples, examples[-1:]):
        outlined, maps = theirs.outline(squares)
        expected, expected_maps = ours.outline(squares)
        assert maps is not None
        assert expected_maps is not None
        worst = max(worst, float(np.abs(outlined - expected).max()))
        logits = [one.classify(expected_maps, expected[0]) for one in (theirs, ours)]
        worst = max(worst, float(np.abs(logits[0] - logits[1]).max()))
    return worst
