"""Out-of-distribution detection: fitted, chosen, and measured on held-out groups.

The distance, and the stages of the network where it is taken, are chosen on
:func:`.ood_images.make_selection_images`; thresholds are set on held-out items;
:func:`.ood_images.make_report_images` are used once, at the end.

Shapes: N pictures, S side, C channels of all stages together, H W parts of the picture, P
components.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation.bootstrap import Floats, Integers
from trainer.tools.progress import Progress
from trainer.trust import intervals, ood_images, other_sites
from trainer.trust.model_outputs import ModelOutputs
from trainer.trust.separation import Separation
from trainer.trust.stage_features import (
    CELLS,
    FeatureExtractor,
    Features,
    Pictures,
    make_feature_extractor,
)
from tumorviewer.analysis.trust import quality
from tumorviewer.analysis.trust.ood_detector import (
    DISTANCES,
    FeatureSpace,
    raw_scores,
    scale_scores,
    whiten,
)
from tumorviewer.models.trust_measures import ExternalSite, OodMeasures, OodTestSet

Arrays = dict[str, NDArray[np.generic]]

COMPONENTS = 96
KEPT = 2000
"""Training items that are looked at; neighbours are sought among them."""
TURNED = 1000
"""Of those are shown turned as well, to learn the way up."""
UNUSUAL = 0.95
"""Share of held-out items that are not marked for their distance."""
REFUSED = (0.0125, 0.01, 0.0075, 0.005, 0.0025)
"""Shares of held-out items beyond the outer threshold: the first is taken that refuses at most
:data:`MOST` of groups that it was not set by."""
MOST = 0.015
_USUAL_QUALITY = (0.5, 99.5)
"""Percentiles of held-out items that bound what is usual."""


@dataclass(frozen=True)
class OodSources:
    """What the data do not say themselves."""

    outside: tuple[Path, ...] = ()
    """Images of other kinds."""
    elsewhere: tuple[Path, ...] = ()
    """Data sets of the model's own kind from elsewhere."""
    sequences: tuple[str, ...] = ()
    """Of the training data."""
    planes: tuple[str, ...] = ()


def measure_out_of_distribution(
    evidence: ModelOutputs, aims: OodSources, cache: Path, progress: Progress
) -> tuple[OodMeasures, Arrays]:
    """Fit, choose and measure.

    Parameters
    ----------
    cache
        Keeps what was decoded of ``aims.elsewhere``.

    Returns
    -------
    tuple
        What the card says of it, and its arrays, under names that begin with ``familiarity.``.
    """
    array, settings = evidence.material.pictures.array, evidence.model.card.preprocessing
    held, groups = np.ascontiguousarray(array[evidence.held]), evidence.groups[evidence.held]
    alone = held if held.ndim == 3 else held[:, held.shape[1] // 2]
    look = make_feature_extractor(evidence.model, held[:1], progress)
    known = TrainingFeatures.of(look, array, evidence.split.train)
    held_NCHW = look.look("held-out items", held)
    chosen_by = look.look_at_all(ood_images.make_selection_images(alone, settings))
    judge, rivals = _choose(look, known, held_NCHW, groups, chosen_by)
    reported = look.look_at_all(ood_images.make_report_images(alone, settings, aims.outside))
    usual = _usual_quality(alone)
    described = replace(
        judge.describe(chosen_by, reported),
        rivals=rivals,
        degraded=_degraded(judge, look, ood_images.make_degraded_images(alone), usual),
        sites=_sites(evidence, judge, look, aims.elsewhere, cache),
        quality=usual,
        sequences=aims.sequences,
        planes=aims.planes,
    )
    return described, judge.arrays()


@dataclass(frozen=True, eq=False)
class TrainingFeatures:
    """Features of training items, mirrored by turns as the training mirrors them."""

    upright: Features
    upside_down: Features
    on_side: Features

    @classmethod
    def of(cls, look: FeatureExtractor, array: Pictures, train: Integers) -> TrainingFeatures:
        """Those of some training items."""
        drawn = np.random.default_rng(0).permutation(train)[:KEPT]
        pictures = np.ascontiguousarray(array[np.sort(drawn)])
        pictures[::2] = pictures[::2, ..., ::-1]
        turned = pictures[:: max(1, len(pictures) // TURNED)]
        on_side = np.concatenate(
            [np.rot90(turned[at::2], way, axes=(-2, -1)) for at, way in ((0, 1), (1, -1))]
        )
        return cls(
            look.look("training items", pictures),
            look.look("training items upside down", turned[..., ::-1, :]),
            look.look("training items on their side", on_side),
        )

    def of_channels(self, some: slice) -> TrainingFeatures:
        """At some of the stages only."""
        return TrainingFeatures(
            self.upright[:, some], self.upside_down[:, some], self.on_side[:, some]
        )

    def space(self) -> FeatureSpace:
        """What they span."""
        from sklearn.decomposition import PCA  # type: ignore[import-untyped]

        plain_NC = self.upright.mean((2, 3)).astype(np.float64)
        mean, scale = plain_NC.mean(0), plain_NC.std(0)
        scale += 1e-3 * scale.max()
        standard_NC = (plain_NC - mean) / scale
        fitted = PCA(min(COMPONENTS, *standard_NC.shape), svd_solver="full").fit(standard_NC)
        spread = np.sqrt(fitted.explained_variance_ + 1e-6)
        space = FeatureSpace(
            mean=mean.astype(np.float32),
            scale=scale.astype(np.float32),
            components=fitted.components_.astype(np.float32),
            spread=spread.astype(np.float32),
            items=np.zeros((0, len(spread)), np.float32),
            upright=self._upright(),
            usual=np.array([[0, 1], [0, 1]], np.float32),
        )
        return space._replace(items=whiten(space, standard_NC.astype(np.float32)))

    def _upright(self) -> NDArray[np.float32]:
        """As :attr:`FeatureSpace.upright`, by multinomial regression, stopped early."""
        from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]
        from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

        every = (self.upright, self.upside_down, self.on_side)
        flat_ND = np.concatenate([one.reshape(len(one), -1) for one in every])
        labels = np.repeat(np.arange(3), [len(one) for one in every])
        mean, scale = flat_ND.mean(0), flat_ND.std(0)
        scale += 1e-2 * scale.mean()
        fitted = LogisticRegression(C=1e-3, max_iter=60, class_weight="balanced")
        with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
            fitted.fit((flat_ND - mean) / scale, labels)
        weights = fitted.coef_ / scale
        bias = fitted.intercept_ - weights @ mean
        return np.concatenate([weights, bias[:, None]], axis=1).astype(np.float32)


class OodThresholds:
    """A fitted space with one of the distances, and held-out items to set its thresholds by."""

    def __init__(
        self,
        space: FeatureSpace,
        method: str,
        channels: slice,
        stages: tuple[str, ...],
        held_NCHW: Features,
        groups: Integers,
    ) -> None:
        self.method, self.stages = method, stages
        self._channels, self._groups = channels, groups
        raw_2N = np.stack(raw_scores(space, method, held_NCHW[:, channels]))
        self._space = space._replace(usual=_usual(raw_2N))
        self._held_N = scale_scores(self._space.usual, raw_2N)
        self._separation = Separation(self._held_N, groups)
        self.refused, self.marked, beyond = self._cross_fitted(raw_2N)
        self.unusual, self.outside = _thresholds(self._held_N, beyond)

    def distances(self, features_NCHW: Features) -> Floats:
        """``(N,)`` of other pictures."""
        raw_2N = np.stack(raw_scores(self._space, self.method, features_NCHW[:, self._channels]))
        return scale_scores(self._space.usual, raw_2N)

    def separates(self, found: Mapping[str, Features]) -> float:
        """Mean area under the ROC curve of some kinds."""
        return self._separation.mean({n: self.distances(one) for n, one in found.items()}).value

    def describe(
        self, chosen_by: Mapping[str, Features], reported: Mapping[str, Features]
    ) -> OodMeasures:
        """What the card says."""
        return OodMeasures(
            method=self.method,
            stages=self.stages,
            cells=CELLS,
            unusual=self.unusual,
            outside=self.outside,
            false_alarms=intervals.average_with_interval(self.refused, self._groups),
            marked=intervals.average_with_interval(self.marked, self._groups),
            auroc=self._separation.mean({n: self.distances(one) for n, one in reported.items()}),
            kinds=tuple(self.told_apart(name, one) for name, one in reported.items()),
            chosen_by=tuple(self.told_apart(name, one) for name, one in chosen_by.items()),
            rivals={},
        )

    def told_apart(
        self, kind: str, features_NCHW: Features, is_bad: NDArray[np.bool_] | None = None
    ) -> OodTestSet:
        """Figures of one kind.

        Parameters
        ----------
        is_bad
            Which of the pictures are marked for their quality, if that is looked at.
        """
        found = self.distances(features_NCHW)
        marked = found > self.unusual
        if is_bad is not None:
            marked |= is_bad
        return OodTestSet(
            kind,
            len(found),
            self._separation.of(found),
            refused=round(float(np.mean(found > self.outside)), 6),
            marked=round(float(np.mean(marked)), 6),
        )

    def arrays(self) -> Arrays:
        """For the bundle."""
        kept = self._space._asdict() | {"items": self._space.items.astype(np.float16)}
        return {f"familiarity.{name}": one for name, one in kept.items()}

    def _cross_fitted(
        self, raw_2N: NDArray[np.float32]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_], float]:
        """Which held-out items are refused and marked, each group by the thresholds of the others;
        and the share of :data:`REFUSED` that they were set by."""
        for beyond in REFUSED:
            refused, marked = (np.zeros(raw_2N.shape[1], np.bool_) for _ in range(2))
            for others, own in intervals.leave_groups_out(self._groups):
                usual = _usual(raw_2N[:, others])
                unusual, outside = _thresholds(scale_scores(usual, raw_2N[:, others]), beyond)
                found = scale_scores(usual, raw_2N[:, own])
                refused[own], marked[own] = found > outside, found > unusual
            if refused.mean() <= MOST:
                break
        return refused, marked, beyond


def _choose(
    look: FeatureExtractor,
    known: TrainingFeatures,
    held_NCHW: Features,
    groups: Integers,
    chosen_by: Mapping[str, Features],
) -> tuple[OodThresholds, dict[str, float]]:
    """The distance and the stages that tell the kinds apart best, and how each did."""
    best: OodThresholds | None = None
    rivals: dict[str, float] = {}
    most = -1.0
    for words, stages, channels in look.choices():
        space = known.of_channels(channels).space()
        for method in DISTANCES:
            judge = OodThresholds(space, method, channels, stages, held_NCHW, groups)
            area = rivals[f"{method}, {words}"] = judge.separates(chosen_by)
            if area > most:
                best, most = judge, area
    assert best is not None
    return best, rivals


def _sites(
    evidence: ModelOutputs,
    judge: OodThresholds,
    look: FeatureExtractor,
    elsewhere: Sequence[Path],
    cache: Path,
) -> tuple[ExternalSite, ...]:
    """What becomes of pictures from elsewhere."""
    settings = evidence.model.card.preprocessing
    found = []
    for path in elsewhere:
        pictures = other_sites.find_unseen(
            path, evidence.material.views, settings, cache, look.progress
        )
        if len(pictures):
            distances_N = judge.distances(look.look(path.name, pictures))
            each = np.arange(len(distances_N))
            refused = intervals.average_with_interval(distances_N > judge.outside, each)
            marked = intervals.average_with_interval(distances_N > judge.unusual, each)
            found.append(ExternalSite(path.name, len(each), refused, marked))
    return tuple(found)


def _usual(raw_2N: NDArray[np.float32]) -> NDArray[np.float32]:
    """As :attr:`FeatureSpace.usual`."""
    middle, far = np.quantile(raw_2N, (0.5, 0.99), axis=1)
    return np.stack([middle, np.maximum(far - middle, 1e-6)], axis=1).astype(np.float32)


def _thresholds(held_N: Floats, beyond: float) -> tuple[float, float]:
    """From where an answer is marked, and from where it is refused."""
    unusual, outside = np.quantile(held_N, (UNUSUAL, 1 - beyond))
    return float(unusual), float(outside)


def _usual_quality(held_NSS: Pictures) -> dict[str, tuple[float, ...]]:
    measured = np.array([quality.measure_quality(one) for one in held_NSS])
    ends = np.percentile(measured, _USUAL_QUALITY, axis=0).round(6).T.tolist()
    return dict(zip(quality.Quality._fields, map(tuple, ends), strict=True))


def _degraded(
    judge: OodThresholds,
    look: FeatureExtractor,
    bad: ood_images.ImageSets,
    usual: Mapping[str, Sequence[float]],
) -> tuple[OodTestSet, ...]:
    found = []
    for name, pictures in bad.items():
        is_bad = np.array(
            [bool(quality.find_faults(quality.measure_quality(one), usual)) for one in pictures]
        )
        found.append(judge.told_apart(name, look.look(name, pictures), is_bad))
    return tuple(found)
