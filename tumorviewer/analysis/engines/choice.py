"""Which engine runs a bundle: torch where there is a GPU for it, else ONNX Runtime if the bundle
has a graph, else torch. Torch is imported where it is going to be used, or where a GPU may be.
"""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.models import bundle
from tumorviewer.models.card import ModelCard

if TYPE_CHECKING:
    from tumorviewer.analysis.candidates import Finder
    from tumorviewer.analysis.engines.model import Model

ENGINES = ("auto", "torch", "onnx")
SETTING = "TUMORVIEWER_ENGINE"
"""Environment variable that says what ``auto`` means on a machine."""


def load_model(folder: Path, device: str = "auto", engine: str = "auto") -> Model:
    """Load a bundle that names images.

    Parameters
    ----------
    device
        As :func:`tumorviewer.analysis.device.choose_device`; anything but ``auto`` and ``cpu``
        means torch.
    engine
        One of :data:`ENGINES`.

    Raises
    ------
    InputError
        If the bundle is refused, or device or engine cannot be used.
    """
    from tumorviewer.analysis.engines.onnx_model import TRUNK, OnnxModel

    if choose_engine(bundle.read_card(folder), (TRUNK,), device, engine) == "onnx":
        return OnnxModel(folder)
    from tumorviewer.analysis import predict

    return predict.load_model(folder, device)


def load_finder(folder: Path, engine: str = "auto") -> Finder:
    """Load a bundle that outlines; it runs on the CPU.

    Raises
    ------
    InputError
        If the bundle is damaged, is none of a segmenter, or the engine cannot be used.
    """
    from tumorviewer.analysis.candidates import Finder
    from tumorviewer.analysis.engines.onnx_finder import NAME, OUTLINE, OnnxFinder

    card = bundle.verify_bundle(folder)
    if card.segmentation is None:
        raise InputError(card.name, tr("This model names images; it does not outline."))
    if choose_engine(card, (OUTLINE, NAME), "cpu", engine) == "onnx":
        return Finder(card, OnnxFinder(folder, card), card.segmentation)
    from tumorviewer.analysis.engines.torch_finder import TorchFinder

    return Finder(card, TorchFinder.load(folder, card), card.segmentation)


def choose_engine(card: ModelCard, graphs: tuple[str, ...], device: str, engine: str) -> str:
    """``"torch"`` or ``"onnx"``.

    Raises
    ------
    InputError
        If the engine is unknown, or cannot run the bundle.
    """
    if engine == "auto":
        engine = os.environ.get(SETTING) or "auto"
    if engine not in ENGINES:
        reason = tr("There is no engine of that name.")
        raise InputError(engine, reason, tr("Known are {known}.", known=", ".join(ENGINES)))
    is_ready = _has_graphs(card, *graphs)
    if engine == "onnx" and not is_ready:
        reason = tr("It has no graph for ONNX Runtime.")
        raise InputError(card.name, reason, tr("Choose the engine torch."))
    if engine != "auto":
        return engine
    return "onnx" if is_ready and prefers_onnx(device) else "torch"


def _has_graphs(card: ModelCard, *names: str) -> bool:
    """Whether a card has these graphs, with all that its measures of trust look at."""
    graphs = card.graphs
    if graphs is None or not set(names) <= set(graphs.sha256):
        return False
    known = card.trust.familiarity if card.trust else None
    return known is None or (known.stages, known.cells) == (graphs.stages, graphs.cells)


def prefers_onnx(device: str = "auto") -> bool:
    """Whether ONNX Runtime runs what it can, on a machine that says nothing else."""
    if (os.environ.get(SETTING) or "auto") != "auto":
        return os.environ[SETTING] == "onnx"
    is_installed = importlib.util.find_spec("onnxruntime") is not None
    is_asked = device == "cpu" or (device == "auto" and not has_gpu())
    return is_installed and is_asked


def has_gpu() -> bool:
    """Whether torch is there and can compute on a GPU; torch is asked where a driver is there."""
    is_mac = sys.platform == "darwin" and platform.machine() == "arm64"
    driver = "nvcuda" if sys.platform == "win32" else "cuda"
    if not is_mac and ctypes.util.find_library(driver) is None:
        return False
    if importlib.util.find_spec("torch") is None:
        return False
    from tumorviewer.analysis import device

    return device.choose_device("auto").type != "cpu"


def use_threads() -> None:
    """Let torch, if it is going to compute, use the cores that this process may run on."""
    if "torch" in sys.modules:
        from tumorviewer.analysis import device

        device.use_threads()
