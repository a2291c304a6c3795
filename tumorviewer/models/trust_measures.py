"""How far a model's answers may be believed, measured on held-out groups: ``trust`` of a card.

The arrays that belong to it lie beside the card in ``trust.safetensors``, by names that begin with
their owner's: ``familiarity.mean``, ``similar.embeddings``.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Measured:
    """A figure with its 95 % interval, by resampling groups."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bin:
    """One column of a reliability diagram."""

    count: int
    probability: float
    """Mean of what was said."""
    accuracy: Measured
    """Share that was right."""


@dataclass(frozen=True)
class Calibration:
    """Whether 90 % means nine of ten."""

    method: str
    before: dict[str, Measured]
    """``ece``, ``adaptive_ece``, ``brier``, ``log_loss`` of the plain softmax."""
    after: dict[str, Measured]
    """The same once calibrated, each group by what the others say."""
    bins_before: tuple[Bin, ...]
    bins_after: tuple[Bin, ...]
    rivals: dict[str, Measured]
    """Log loss of other methods less that of the chosen one; above 0 they are worse."""


@dataclass(frozen=True)
class CoverageLevel:
    """A promise of prediction sets, and whether it was kept."""

    promise: float
    """Share of cases whose true class shall be in the set."""
    least: float
    """A class is in the set if its probability is at least this."""
    coverage: Measured
    """Share of cases whose true class was, each group by the thresholds of the others."""
    size: Measured
    """Mean number of classes in a set."""
    empty: float
    """Share of sets that hold no class."""
    single: float
    """Share of sets that hold one."""
    coverage_of_classes: dict[str, float]


@dataclass(frozen=True)
class PredictionSets:
    """Conformal prediction: sets of classes that hold the true one as often as promised."""

    method: str
    levels: tuple[CoverageLevel, ...]
    """By rising promise."""


@dataclass(frozen=True)
class JointNaming:
    """The classes that are named together where no single one is."""

    least: float
    """A class is among them if its probability is at least this; the two most probable ones are
    in any case."""
    coverage: Measured
    """Share of these cases whose true class was among them."""
    size: Measured


@dataclass(frozen=True)
class Abstention:
    """When no single class is named."""

    rule: str
    least: float
    """The probability of the most probable class below which none is named."""
    answered: Measured
    """Share of cases for which one is."""
    accuracy: Measured
    """Of those."""
    accuracy_of_all: Measured
    together: JointNaming | None = None
    """None if the model was too rarely unsure to tell."""
    curve_answered: tuple[float, ...] = ()
    """Risk and coverage: if the model answered this share only, the surest first …"""
    curve_error: tuple[float, ...] = ()
    """… it would err in this share of them."""


@dataclass(frozen=True)
class Pooling:
    """What pooling slices does to calibration, on series that stand in for volumes."""

    series: int
    """Held-out pictures of one group and class, pooled as a volume's slices are."""
    groups: int
    said: Measured
    """Mean probability of the predicted class."""
    right: Measured
    """Share of the series that it was right for."""
    ece: Measured
    answered: Measured
    """Share for which a class is named, by the least probability for pictures."""
    accuracy: Measured | None
    """Of those; None if there are none."""


@dataclass(frozen=True)
class OodTestSet:
    """How well one kind of picture is told apart from the model's own kind."""

    kind: str
    count: int
    auroc: Measured
    refused: float
    """Share for which no class is shown."""
    marked: float
    """Share that is marked as unusual, or refused."""


@dataclass(frozen=True)
class ExternalSite:
    """Pictures of the model's own kind from elsewhere, none of them a near-duplicate."""

    name: str
    count: int
    refused: Measured
    marked: Measured


@dataclass(frozen=True)
class OodMeasures:
    """What is like the training data, and what is not: arrays ``familiarity.*``."""

    method: str
    stages: tuple[str, ...]
    """Modules of the network whose activations are looked at."""
    cells: int
    """Each is averaged over so many by so many parts of the picture."""
    unusual: float
    """Distance from which an answer is marked."""
    outside: float
    """Distance from which no class is shown."""
    false_alarms: Measured
    """Share of held-out pictures of the model's own kind for which no class is shown, each group by
    the threshold of the others."""
    marked: Measured
    """And of those that are at least marked."""
    auroc: Measured
    """Of all reported kinds together, each counting alike, against the held-out pictures."""
    kinds: tuple[OodTestSet, ...]
    """That the method was not chosen by."""
    chosen_by: tuple[OodTestSet, ...]
    """That it was chosen by."""
    rivals: dict[str, float]
    """Mean AUROC of each way that was tried, over the kinds that it was chosen by."""
    degraded: tuple[OodTestSet, ...] = ()
    """The model's own kind, acquired or exported badly: to be marked rather than refused."""
    sites: tuple[ExternalSite, ...] = ()
    quality: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Least and greatest usual value of each of :class:`tumorviewer.analysis.trust.quality.Quality`
    that is looked at."""
    sequences: tuple[str, ...] = ()
    """Of the training data, as hanging protocols name them; empty if unknown."""
    planes: tuple[str, ...] = ()
    """``axial``, ``coronal``, ``sagittal``, ``oblique``; empty if unknown."""


@dataclass(frozen=True)
class MapScores:
    """One saliency method on held-out cases with an expert's outline."""

    method: str
    cases: int
    """Fewer for a slow method."""
    pointing: Measured
    """Share of cases whose highest point lies inside (Zhang et al., ECCV 2016); no tolerance."""
    energy: Measured
    """Share of the map inside."""
    iou: Measured
    """With the outline, at the threshold that is best over all cases …"""
    threshold: float
    """… which is this share of the maximum."""
    road: Measured
    """Drop of the class's probability, most relevant minus least relevant pixels removed first
    (Rong et al., ICML 2022)."""
    randomised: Measured
    """Rank correlation with the map of the network with random weights (Adebayo et al., NeurIPS
    2018)."""
    cascade: tuple[float, ...]
    """The same with the head alone random, then ever more of the trunk, to the whole."""
    passes: bool
    """Whether that is clearly low: the map then comes from what the network learned."""


@dataclass(frozen=True)
class MapMeasures:
    """Which saliency method shows best what the model decided on."""

    default: str
    """Of the methods that pass and are quick the one that points best."""
    cases: int
    """Held-out pictures of a lesion with an outline. The predicted class is explained, be it right
    or wrong; a lesion that is called "no tumour" is pointed at by nothing."""
    groups: int
    scores: tuple[MapScores, ...]
    """Best pointing first."""


@dataclass(frozen=True)
class Cohort:
    """Whom the model was trained on: name of a quantity to its distribution."""

    numbers: dict[str, tuple[float, ...]]
    """The 0th, 1st, 5th, 25th, 50th, 75th, 95th, 99th and 100th percentile."""
    shares: dict[str, dict[str, float]]
    """Of each value of what is no number: source, sex, vendor."""


@dataclass(frozen=True)
class SimilarityIndex:
    """Training items that a slice is compared with: arrays ``similar.*``, a row for each."""

    items: int
    sources: tuple[str, ...]
    """Data sets that they are from, as ``similar.sources`` counts them."""
    dimensions: int
    """Of an embedding, once its principal components are taken."""
    precision: Measured
    """Share of the five most similar ones, of five groups, that have a held-out item's class."""
    precision_whole: float
    """The same by embeddings as the network gives them."""
    chance: float
    """The same of items drawn at random."""


@dataclass(frozen=True)
class ConfidentMistake:
    """A held-out item that the model is wrong about."""

    digest: str
    """Of its file, as :func:`tumorviewer.models.bundle.item_digest` has it."""
    slice: int
    """Index in its volume; -1 for a picture."""
    label: str
    """Its class."""
    predicted: str
    probability: float
    """Of the predicted class."""
    source: str
    """The data set it is from."""


@dataclass(frozen=True)
class Trust:
    """Everything of it; None for what was not measured."""

    items: int
    """Held-out items that the figures are from."""
    groups: int
    sha256: str = ""
    """Of ``trust.safetensors``; empty if there is none."""
    calibration: Calibration | None = None
    sets: PredictionSets | None = None
    abstention: Abstention | None = None
    pooling: Pooling | None = None
    familiarity: OodMeasures | None = None
    maps: MapMeasures | None = None
    cohort: Cohort | None = None
    similar: SimilarityIndex | None = None
    mistakes: tuple[ConfidentMistake, ...] = ()
    """The most confident ones first; pictures in ``mistakes.pictures`` where they may be shown."""
