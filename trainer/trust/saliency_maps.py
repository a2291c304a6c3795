"""Which saliency method shows best what a model decided on, on held-out cases with an expert's
outline of the lesion.

The predicted class is explained, on cases that the model gets right and wrong alike. A lesion that
it calls "no tumour" is pointed at by nothing, and counts so.

Shapes: N cases, S side, H W feature map, T thresholds.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainer.tools.progress import Progress
from trainer.training import guidance
from trainer.training.guidance import OutlineStore
from trainer.trust import intervals
from trainer.trust.model_outputs import ModelOutputs
from tumorviewer.analysis.engines.contrast import ContrastiveTarget
from tumorviewer.analysis.engines.map_scaling import scale_maps
from tumorviewer.analysis.methods import DEFAULT_METHOD, METHODS, Method
from tumorviewer.analysis.predict import TorchModel
from tumorviewer.analysis.trust.map_checks import maps_of, measure_road, rank_correlation
from tumorviewer.models import weights
from tumorviewer.models.trust_measures import MapMeasures, MapScores
from tumorviewer.networks import Classifier, create_network
from tumorviewer.networks.ensemble import Ensemble

SOME = 40
"""Cases, of as many groups if there are so many, for what takes seconds each: ROAD, randomisation,
and the slow methods."""
RANDOM = 0.5
"""A method passes if the maps of the network with random weights correlate less than this with
its own (upper end of the interval): they then come from what the network learned."""
_BATCH = 16
_STAGES = 4
_THRESHOLDS = np.linspace(0.05, 0.95, 19, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class OutlinedCases:
    """Held-out pictures with a lesion, what the model says of them, and the outlines."""

    pictures: NDArray[np.uint8]
    """``(N, S, S)`` or ``(N, C, S, S)``."""
    inside: NDArray[np.bool_]
    """``(N, S, S)``."""
    said: NDArray[np.int64]
    """``(N,)``: the predicted class."""
    missed: NDArray[np.bool_]
    """``(N,)``: called "no tumour"."""
    groups: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.said)

    def take(self, rows: NDArray[np.int64]) -> OutlinedCases:
        """Some of them."""
        return OutlinedCases(
            self.pictures[rows],
            self.inside[rows],
            self.said[rows],
            self.missed[rows],
            self.groups[rows],
        )

    def batches(self) -> Iterator[tuple[NDArray[np.int64], int]]:
        """Rows of one predicted class at a time, and that class."""
        for target in np.unique(self.said):
            rows = np.flatnonzero(self.said == target)
            for start in range(0, len(rows), _BATCH):
                yield rows[start : start + _BATCH], int(target)


@dataclass(frozen=True, eq=False)
class CaseScores:
    """How well maps fit outlines, case by case."""

    pointing: NDArray[np.bool_]
    energy: NDArray[np.float64]
    ious: NDArray[np.float64]
    """``(N, T)`` at each of the thresholds."""


def measure_saliency_maps(
    evidence: ModelOutputs, folder: str, cache: Path, progress: Progress
) -> MapMeasures | None:
    """Measure every method that the model's architecture allows.

    Parameters
    ----------
    folder
        Of outlines, as ``guidance.masks``; empty for those that the data's table names.
    cache
        Where drawn outlines are kept.

    Returns
    -------
    Maps or None
        None if no held-out item has an outline.
    """
    dataset = guidance.find_outlined(evidence.material.dataset, folder)
    if not any(dataset.items[row].mask for row in evidence.held):
        return None
    outlines = guidance.load_outlines(dataset, evidence.model.card.preprocessing, cache, progress)
    cases = select_cases(evidence, outlines)
    return compare_methods(evidence.model, evidence.folder, cases, progress) if len(cases) else None


def select_cases(evidence: ModelOutputs, outlines: OutlineStore) -> OutlinedCases:
    """The held-out items that have a lesion."""
    rows = np.array([row for row in evidence.held if outlines.array[row].any()], np.int64)
    card = evidence.model.card
    said = evidence.logits[rows].argmax(1)
    none = card.classes.index(card.no_tumour) if card.no_tumour else -1
    return OutlinedCases(
        np.asarray(evidence.material.pictures.array[rows]),
        np.asarray(outlines.array[rows]) > 127,
        said,
        said == none,
        evidence.groups[rows],
    )


def compare_methods(
    model: TorchModel, folder: Path, cases: OutlinedCases, progress: Progress
) -> MapMeasures:
    """All methods on the same cases, and the one to take.

    Parameters
    ----------
    folder
        The model's bundle.
    """
    methods = [one for one in METHODS.values() if one.suits(model.card)]
    few = cases.take(_spread(cases.groups))
    shaken = randomise_all(folder)
    scores = []
    for done, method in enumerate(methods):
        progress("saliency maps", done, len(methods))
        scores.append(_scores(model, method, few if method.is_slow else cases, few, shaken))
    eligible = [one for one in scores if one.passes and not METHODS[one.method].is_slow]
    best = max(eligible, key=lambda one: one.pointing.value, default=None)
    return MapMeasures(
        default=best.method if best else DEFAULT_METHOD,
        cases=len(cases),
        groups=len(np.unique(cases.groups)),
        scores=tuple(sorted(scores, key=lambda one: -one.pointing.value)),
    )


def _spread(groups_N: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of :data:`SOME` cases, as few of a group as possible."""
    order = np.random.default_rng(0).permutation(len(groups_N))
    drawn, rank = groups_N[order], np.zeros(len(order), np.int64)
    for group in np.unique(drawn):
        rank[drawn == group] = np.arange(np.count_nonzero(drawn == group))
    chosen: NDArray[np.int64] = np.sort(order[np.argsort(rank, kind="stable")[:SOME]])
    return chosen


def _scores(
    model: TorchModel,
    method: Method,
    cases: OutlinedCases,
    few: OutlinedCases,
    shaken: list[Classifier],
) -> MapScores:
    hits = fit_threshold(model, method.key, cases)
    best = int(hits.ious.mean(0).argmax())
    cascade = randomise_in_cascade(model, method, few, shaken)
    final = intervals.average_with_interval(cascade[:, -1], few.groups)
    return MapScores(
        method=method.key,
        cases=len(cases),
        pointing=intervals.average_with_interval(hits.pointing, cases.groups),
        energy=intervals.average_with_interval(hits.energy, cases.groups),
        iou=intervals.average_with_interval(hits.ious[:, best], cases.groups),
        threshold=float(_THRESHOLDS[best]),
        road=intervals.average_with_interval(_faithful(model, method.key, few), few.groups),
        randomised=final,
        cascade=tuple(float(one) for one in cascade.mean(0)),
        passes=max(abs(final.low), abs(final.high)) < RANDOM,
    )


def fit_threshold(model: TorchModel, method: str, cases: OutlinedCases) -> CaseScores:
    """Pointing game, energy and overlap of a method's maps, case by case."""
    count, side = len(cases), cases.inside.shape[-1]
    hits = CaseScores(np.zeros(count, bool), np.zeros(count), np.zeros((count, len(_THRESHOLDS))))
    for rows, target in cases.batches():
        raw = maps_of(model, method, cases.pictures[rows], ContrastiveTarget(target))
        for row, map_SS in zip(rows, scale_maps(raw, side), strict=True):
            if map_SS.any() and not cases.missed[row]:
                _fit(hits, row, map_SS, cases.inside[row])
    return hits


def _fit(
    hits: CaseScores, row: np.int64, map_SS: NDArray[np.float32], inside_SS: NDArray[np.bool_]
) -> None:
    hits.pointing[row] = inside_SS.flat[map_SS.argmax()]
    hits.energy[row] = map_SS[inside_SS].sum() / map_SS.sum()
    above_TP = map_SS.ravel() >= _THRESHOLDS[:, None]
    common_T = above_TP[:, inside_SS.ravel()].sum(1)
    hits.ious[row] = common_T / (above_TP.sum(1) + inside_SS.sum() - common_T)


def _faithful(model: TorchModel, method: str, few: OutlinedCases) -> NDArray[np.float64]:
    """ROAD of each case, deletion minus insertion; 0 where the map is empty."""
    found = np.zeros(len(few))
    for rows, target in few.batches():
        question = ContrastiveTarget(target)
        raw = maps_of(model, method, few.pictures[rows], question)
        for row, map_SS in zip(rows, scale_maps(raw, few.inside.shape[-1]), strict=True):
            deletion, insertion = measure_road(model, few.pictures[row], map_SS, question)
            found[row] = deletion - insertion
    return found


def randomise_in_cascade(
    model: TorchModel, method: Method, few: OutlinedCases, shaken: list[Classifier]
) -> NDArray[np.float64]:
    """Rank correlation of each case's map with those of networks whose weights are random from the
    output down to ever lower layers (cascading randomisation, Adebayo et al., NeurIPS 2018).

    Returns
    -------
    ndarray
        ``(N, stages)``; of a slow method the last stage alone.
    """
    stages = shaken[-1:] if method.is_slow else shaken
    found = np.zeros((len(few), len(stages)))
    for rows, target in few.batches():
        pictures, question = few.pictures[rows], ContrastiveTarget(target)
        own = maps_of(model, method.key, pictures, question)
        for stage, network in enumerate(stages):
            other = maps_of(replace(model, network=network), method.key, pictures, question)
            found[rows, stage] = [rank_correlation(*pair) for pair in zip(own, other, strict=True)]
    return found


def randomise_all(folder: Path) -> list[Classifier]:
    """A bundle's network with random weights in the head, then in quarters of the trunk from the
    top down, to the whole."""
    card, network = weights.load_weights(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        fresh = create_network(
            card.architecture.name, len(card.classes), **card.architecture.options
        )
    network.eval().requires_grad_(False)
    fresh.eval().requires_grad_(False)
    if isinstance(network, Ensemble):
        return [fresh]
    stages = [_with_random(network, fresh, [("head", network.head)])]
    steps = [(f"trunk.{name}", step) for name, step in _steps(network.trunk)][::-1]
    for part in np.array_split(np.arange(len(steps)), _STAGES):
        stages.append(_with_random(stages[-1], fresh, [steps[at] for at in part]))
    return stages


def _with_random(
    network: Classifier, fresh: Classifier, steps: list[tuple[str, nn.Module]]
) -> Classifier:
    copied = deepcopy(network)
    for name, _ in steps:
        copied.get_submodule(name).load_state_dict(fresh.get_submodule(name).state_dict())
    return copied


def _steps(part: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """What runs one after the other, sequences within sequences taken apart."""
    for name, step in part.named_children():
        if isinstance(step, nn.Sequential):
            yield from _steps(step, f"{prefix}{name}.")
        elif any(True for _ in step.parameters()):
            yield f"{prefix}{name}", step
