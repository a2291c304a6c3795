"""A bundle's graph with the bundle's weights, run by ONNX Runtime on the CPU. No torch.

A graph of ours holds no weights: it names them, and they are read from the tensors' file, so that
the two cannot disagree. Before a graph is loaded it is checked for what it may hold: operators that
compute and nothing else, and no weights from any other file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.engines.onnx_contents import read_contents
from tumorviewer.errors import InputError
from tumorviewer.language import later, tr
from tumorviewer.models import bundle
from tumorviewer.models.card import ModelCard

Floats = NDArray[np.float32]
_MOST_THREADS = 8
"""Small networks gain nothing from more."""
_EPSILON = 1e-5
_AGAIN = later("Get the model again from where it came from, or choose the engine torch.")


def read_tensors(folder: Path, card: ModelCard) -> dict[str, Floats]:
    """A bundle's weights in float32, its batch normalisations folded into the convolutions before
    them (PyTorch's ``fuse_conv_bn_eval``).

    Raises
    ------
    InputError
        If they are not those that the card's graphs need.
    """
    from safetensors.numpy import load_file

    found = {
        name: values.astype(np.float32, copy=False)
        for name, values in load_file(folder / card.weights.file).items()
        if values.dtype.kind == "f"
    }
    try:
        for convolution, norm in (card.graphs.folded if card.graphs else {}).items():
            _fold(found, convolution, norm)
    except KeyError as error:
        reason = tr("The tensor {name} is missing.", name=error.args[0])
        raise InputError(str(folder / card.weights.file), reason, tr(_AGAIN)) from error
    return found


def _fold(tensors: dict[str, Floats], convolution: str, norm: str) -> None:
    scale = tensors[f"{norm}.weight"] / np.sqrt(tensors[f"{norm}.running_var"] + _EPSILON)
    weight = tensors[f"{convolution}.weight"]
    shift = tensors.get(f"{convolution}.bias", 0) - tensors[f"{norm}.running_mean"]
    tensors[f"{convolution}.weight"] = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
    tensors[f"{convolution}.bias"] = shift * scale + tensors[f"{norm}.bias"]


class OnnxSession:
    """One graph, ready to run."""

    def __init__(self, folder: Path, name: str, tensors: Mapping[str, Floats]) -> None:
        """Load it.

        Parameters
        ----------
        tensors
            As :func:`read_tensors` answers.

        Raises
        ------
        InputError
            If ONNX Runtime is missing or does not know the graph, or the graph holds what it must
            not or does not fit the weights.
        """
        path = bundle.graph_path(folder, name)
        graph = path.read_bytes()
        shapes = read_contents(graph, str(path)).weights
        for weight, shape in shapes.items():
            if weight not in tensors or tensors[weight].shape != shape:
                reason = tr(
                    "The graph and the weights do not belong together: {name}.", name=weight
                )
                raise InputError(str(path), reason, tr(_AGAIN))
        self._session = _open(graph, str(path), {name: tensors[name] for name in shapes})

    def run(self, **inputs: Floats) -> list[Floats]:
        """The graph's outputs, in its order."""
        answers: list[Floats] = self._session.run(None, inputs)
        return answers


def _open(graph: bytes, source: str, weights: Mapping[str, Floats]) -> Any:
    try:
        import onnxruntime  # type: ignore[import-untyped]
    except ImportError as error:
        reason = tr("The package {name} is missing.", name="onnxruntime")
        remedy = tr("Install it, or choose the engine torch.")
        raise InputError(source, reason, remedy) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = count_threads()
    options.log_severity_level = 4
    # spinning threads would take half as much time again from what runs beside them
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in weights.values()]
    options.add_external_initializers(list(weights), values)
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        said = str(error).strip().partition("\n")[0]
        reason = tr(
            "ONNX Runtime {version} does not take the graph: {error}",
            version=onnxruntime.__version__,
            error=said,
        )
        raise InputError(source, reason, tr(_AGAIN)) from error


def count_threads() -> int:
    """Cores that this process may run on, at most eight; ``OMP_NUM_THREADS``, if it is set, says
    how many instead."""
    stated = os.environ.get("OMP_NUM_THREADS", "")
    if stated.isdecimal() and int(stated):
        return int(stated)
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, _MOST_THREADS)


def describe_cpu() -> str:
    """As a finding states it: ``"cpu (2 threads), ONNX Runtime"``."""
    threads = count_threads()
    return f"cpu ({threads} thread{'s' if threads > 1 else ''}), ONNX Runtime"
