"""A bundle as an ONNX file for other programs, checked against the network that it came from.

Input ``pictures``: ``(N, T, S, S)`` float32 in 0–1, any N, prepared as the metadata's
``preprocessing`` says; T is 1, or 2k + 1 with k neighbouring slices on each side. Output
``probabilities``: ``(N, K)``, calibrated: the softmax of the logits by the card's temperature.
"""

from __future__ import annotations

import importlib
import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainer.data import volumes
from tumorviewer.analysis.preprocess import prepare_image
from tumorviewer.errors import InputError
from tumorviewer.files import replace_atomically
from tumorviewer.models import ModelCard, weights
from tumorviewer.models.card import Preprocessing
from tumorviewer.resources import resource_path

if TYPE_CHECKING:
    from torch.onnx import ONNXProgram

TOLERANCE = 1e-4
"""Largest difference of a probability that passes."""
INPUT, OUTPUT = "pictures", "probabilities"
_NEEDED = ("onnx", "onnxscript", "onnxruntime")


class Calibrated(nn.Module):
    """A network that answers with probabilities."""

    def __init__(self, network: nn.Module, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature

    def forward(self, x_NTSS: Tensor) -> Tensor:
        """``(N, K)`` calibrated probabilities."""
        logits: Tensor = self.network(x_NTSS)
        return torch.softmax(logits / self.temperature, 1)


def export_onnx(folder: Path, out: Path) -> float:
    """Write a bundle as an ONNX file, if it answers as the bundle does.

    Returns
    -------
    float
        The largest difference of a probability, over noise and real pictures.

    Raises
    ------
    InputError
        If the bundle is refused, its architecture cannot be exported, a package is missing, the
        answers differ by more than :data:`TOLERANCE`, or ``out`` cannot be written.
    """
    require_packages()
    card, network = weights.load_weights(folder)
    model = Calibrated(network, card.temperature).eval().requires_grad_(False)
    examples_NTSS = draw_examples(card.preprocessing)
    try:
        with replace_atomically(out) as beside:
            _write(_trace(model, examples_NTSS[:2], str(folder)), card, beside)
            worst = measure_difference(model, beside, examples_NTSS)
            if not worst <= TOLERANCE:
                reason = f"The exported network answers otherwise, by up to {worst:.1e}."
                raise InputError(str(folder), reason, "Use the bundle itself.")
    except OSError as error:
        reason = f"It cannot be written: {error.strerror or error}."
        raise InputError(str(out), reason, "Make room or choose another folder.") from error
    return worst


def draw_examples(settings: Preprocessing) -> Tensor:
    """``(N, T, S, S)``: noise, black, white, and the demonstration's pictures as they are prepared.

    A single picture stands for its neighbours too, as it does in training.
    """
    side, channels = settings.size, 2 * settings.neighbours + 1
    noise = np.random.default_rng(0).integers(0, 256, (3, channels, side, side), np.uint8)
    flat = np.full((2, channels, side, side), [[[[0]]], [[[255]]]], np.uint8)
    found = sorted(resource_path("demonstration", "pictures").iterdir())
    real = [prepare_image(volumes.read_grey(path), settings)[0] for path in found]
    parts: list[NDArray[np.uint8]] = [noise, flat]
    parts += [np.broadcast_to(one, (1, channels, side, side)) for one in real]
    return torch.from_numpy(np.concatenate(parts)).float() / 255


def measure_difference(model: nn.Module, path: Path, examples_NTSS: Tensor) -> float:
    """Largest absolute difference of ONNX Runtime's answers on the CPU, for any size of batch."""
    import onnxruntime  # type: ignore[import-untyped]

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch in (examples_NTSS, examples_NTSS[-1:]):
        with torch.inference_mode():
            mine = model(batch).numpy()
        theirs = session.run([OUTPUT], {INPUT: batch.numpy()})[0]
        worst = max(worst, float(np.abs(mine - theirs).max()))
    return worst


def require_packages() -> None:
    """Refuse by name where what an export needs is not installed."""
    for name in _NEEDED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            remedy = "Install it with `pip install 'tumorviewer[train]'`."
            raise InputError("export-onnx", f"The package {name} is missing.", remedy) from error


def _trace(model: nn.Module, examples_NTSS: Tensor, source: str) -> ONNXProgram:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter's own libraries
            program = torch.onnx.export(
                model,
                (examples_NTSS,),
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("N")},),
                dynamo=True,
                verbose=False,
            )
    except (torch.onnx.OnnxExporterError, RuntimeError) as error:
        reason = f"Its architecture cannot be exported: {str(error).splitlines()[0]}"
        raise InputError(source, reason, "Use the bundle itself.") from error
    assert program is not None
    return program


def _write(program: ONNXProgram, card: ModelCard, path: Path) -> None:
    program.model.metadata_props.update(make_metadata(card))
    program.model.producer_name = "TumorViewer"
    program.save(path, external_data=False)


def make_metadata(card: ModelCard) -> dict[str, str]:
    """What another program must know; values are text, JSON where there is structure."""
    told: dict[str, Any] = {
        "classes": list(card.classes),
        "labels": card.labels,
        "no_tumour": card.no_tumour,
        "preprocessing": asdict(card.preprocessing),
        "limits": list(card.limits),
    }
    return {
        "name": card.name,
        "version": card.version,
        "sha256": card.weights.sha256,
        "temperature": repr(card.temperature),
        "intended_use": card.intended_use,
        "licence": card.licence,
        "notice": "Research use only",
        **{name: json.dumps(value, ensure_ascii=False) for name, value in told.items()},
    }
