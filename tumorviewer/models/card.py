"""What a model is, ate, scored and must not be used for: the schema of ``card.json``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from tumorviewer.language import later
from tumorviewer.models.trust_measures import Trust

SCHEMA = 1
"""Version of ``card.json`` that this program writes; newer ones are refused."""
LABELS = (later("Glioma"), later("Meningioma"), later("No tumour"), later("Pituitary tumour"))
"""In the cards of the shipped models; shown in the user's language, as other labels stand."""
T = TypeVar("T")


def _setting(default: T, meaning: str) -> T:
    """A field that the trainer's configuration, and the form made of it, explain."""
    return field(default=default, metadata={"description": meaning})


@dataclass(frozen=True)
class Architecture:
    """Which network the weights fit."""

    name: str
    """As in :func:`tumorviewer.networks.list_architectures`."""
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Preprocessing:
    """Parameters of :func:`~tumorviewer.analysis.preprocess.prepare_image`, kept with weights."""

    size: int = _setting(224, "side of the square that the network sees, pixels")
    crop: bool = _setting(True, "whether a picture is first cropped to its foreground, the head")
    margin: float = _setting(
        0.03, "what is left around the foreground, as a share of its longer side"
    )
    neighbours: int = _setting(
        0, "slices on each side that are given with a slice, for networks of sequences"
    )


@dataclass(frozen=True)
class SegmentationRules:
    """How a segmenter's probabilities become candidates; chosen on validation patients."""

    edge: float
    """Probability from which a voxel may belong to a candidate,"""
    seed: float
    """and one that at least one of its voxels must reach."""
    least_ml: float
    """Smallest volume, where millimetres are known."""
    least_mm2: float
    """Smallest largest area in one slice, where millimetres are known."""
    least_share: float
    """Smallest largest area as a share of the head's square, in any case."""
    least_probability: float
    """Least :attr:`CandidateOutline.probability` on a single image,"""
    least_in_volume: float = 0.0
    """and in a volume, whose many slices give many occasions to err."""
    least_to_answer: float = 0.0
    """Probability of the surest candidate from which a study is said to show a tumour; with less,
    neither a tumour nor its absence is stated."""
    sequences: tuple[str, ...] = ()
    """Whose tumours it was trained on, as :mod:`tumorviewer.imaging.sequences` names them."""


@dataclass(frozen=True)
class Weights:
    """The tensors' file and its fingerprint."""

    sha256: str
    bytes: int
    file: str = "model.safetensors"
    dtype: str = "float32"


@dataclass(frozen=True)
class Graphs:
    """The network as ONNX graphs without its weights, which stay in the tensors' file."""

    sha256: dict[str, str]
    """Of each graph, by its name: ``trunk`` is ``trunk.onnx``."""
    folded: dict[str, str]
    """Convolutions into which the batch normalisation of that name is folded."""
    stages: tuple[str, ...] = ()
    """What the graph also answers, as :attr:`OodMeasures.stages`."""
    cells: int = 0
    """As :attr:`OodMeasures.cells`."""


@dataclass(frozen=True)
class ModelCard:
    """Everything that must be known of a model; one to one with ``card.json``."""

    name: str
    """Folder name in the catalogue: lower case letters, digits, ``-`` and ``_``."""
    version: str
    title: str
    architecture: Architecture
    classes: tuple[str, ...]
    """In the order of the logits."""
    labels: dict[str, str]
    """What a reader sees for each class."""
    no_tumour: str | None
    """The class that means that there is no tumour, if the model knows one."""
    preprocessing: Preprocessing
    weights: Weights
    created: str
    """ISO 8601 date."""
    summary: str
    intended_use: str
    limits: tuple[str, ...]
    licence: str
    training: dict[str, Any]
    """Data (name, items, groups, licence, fingerprint), split, settings, command, device, hours."""
    figures: dict[str, Any]
    """Sets of figures by name (``grouped_validation``, …), each with n, groups and intervals."""
    temperature: float = 1.0
    """Logits are divided by it before the softmax (Guo et al., ICML 2017)."""
    references: tuple[str, ...] = ()
    segmentation: SegmentationRules | None = None
    """Of a network that outlines; None for one that only names."""
    trust: Trust | None = None
    """How far its answers may be believed; None if nobody measured it."""
    graphs: Graphs | None = None
    """What ONNX Runtime needs beside the weights; None if only torch runs it."""
    schema: int = SCHEMA
