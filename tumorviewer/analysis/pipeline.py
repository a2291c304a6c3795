"""Volume and model to Finding: prepare, predict, pool, explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.engines.map_scaling import scale_maps
from tumorviewer.analysis.engines.model import Model
from tumorviewer.analysis.examination import Examination
from tumorviewer.analysis.finding import (
    Finding,
    ModelIdentity,
    OodAssessment,
    Saliency,
    SimilarCases,
    Variation,
    describe_maps,
)
from tumorviewer.analysis.methods import BEST, Method, choose_method
from tumorviewer.analysis.pooling import PooledAnswer, pool_slices
from tumorviewer.analysis.slices import ReportProgress, prepare_volume
from tumorviewer.analysis.trust import conformal, out_of_distribution, training_cohort, variation
from tumorviewer.errors import InputError
from tumorviewer.language import percent, tr
from tumorviewer.models import ModelCard
from tumorviewer.study.types import Volume


def analyse_volume(
    volume: Volume,
    model: Model,
    *,
    method: str | None = BEST,
    target: str | None = None,
    slices: Sequence[int] | None = None,
    checks_map: bool = False,
    varies: bool = False,
    progress: ReportProgress | None = None,
) -> Finding:
    """Ask a model about a volume.

    Parameters
    ----------
    method
        One of :data:`tumorviewer.analysis.methods.METHODS`, or :data:`BEST` for the one that points
        best for this model; None for no saliency maps.
    target
        The class to explain; None for the predicted one.
    slices
        Which slices to explain; None for all that were judged, or the deciding ones if the method
        is slow.
    checks_map
        Whether the map of the most telling slice is checked.
    varies
        Whether small changes of that slice are tried, also where this costs more than a tenth.
    progress
        Called before and after each batch; it may raise to stop.

    Raises
    ------
    InputError
        If no slice can be judged, or the method, the class or a slice does not exist.
    """
    examination = examine_volume(volume, model, progress)
    return analyse_examination(
        examination,
        method=method,
        target=target,
        slices=slices,
        checks_map=checks_map,
        varies=varies,
        progress=progress,
    )


def examine_volume(
    volume: Volume, model: Model, progress: ReportProgress | None = None
) -> Examination:
    """A volume prepared for a model, to be asked several things.

    Raises
    ------
    InputError
        If no slice can be judged.
    """
    return Examination(prepare_volume(volume, model.card.preprocessing, progress), model)


def analyse_examination(
    examination: Examination,
    *,
    method: str | None = BEST,
    target: str | None = None,
    slices: Sequence[int] | None = None,
    checks_map: bool = False,
    varies: bool = False,
    progress: ReportProgress | None = None,
) -> Finding:
    """As :func:`analyse_volume`, for a volume that is prepared."""
    finding = make_finding(examination, method, target, slices, progress)
    if varies and finding.variation is None:
        finding = replace(finding, variation=measure_variation(examination, finding.key_slices[0]))
    if checks_map and finding.saliency is not None:
        return _with_check(examination, finding, finding.saliency, progress)
    return finding


def _with_check(
    examination: Examination, finding: Finding, saliency: Saliency, progress: ReportProgress | None
) -> Finding:
    from tumorviewer.analysis.trust import map_checks

    asked = map_checks.CheckedMap(
        saliency.method, saliency.target, saliency.against, finding.key_slices[0]
    )
    checked = (map_checks.check_map(examination, asked, progress),)
    return replace(finding, saliency=replace(saliency, checks=checked))


def make_finding(
    examination: Examination,
    method: str | None = BEST,
    target: str | None = None,
    slices: Sequence[int] | None = None,
    progress: ReportProgress | None = None,
) -> Finding:
    """As :func:`analyse_volume`, for a volume that is prepared."""
    card, prepared = examination.model.card, examination.prepared
    _check(card, method, target)
    probabilities_NK = examination.probabilities(progress)
    pooled = _pooled(examination, probabilities_NK)
    openness = conformal.apply_thresholds(
        card, pooled.probabilities, is_volume=len(prepared.slices) > 1
    )
    predicted = card.classes[int(np.argmax(pooled.probabilities))]
    ood = _ood(examination, pooled.key)
    is_refused = ood is not None and ood.level == "outside"
    saliency = (
        explain_slices(examination, method, target or predicted, slices, progress)
        if method and not is_refused
        else None
    )
    return Finding(
        source=prepared.source,
        series_instance_uid=prepared.series_instance_uid,
        volume=prepared.label,
        model=ModelIdentity(card.name, card.version, card.weights.sha256),
        classes=card.classes,
        labels=card.labels,
        no_tumour=card.no_tumour,
        probabilities=pooled.probabilities,
        slices=prepared.slices,
        slice_probabilities=probabilities_NK,
        pooling=pooled.rule,
        key_slices=tuple(prepared.slices[position] for position in pooled.key),
        saliency=saliency,
        flags=prepared.flags
        + _split(card, pooled.probabilities)
        + openness.flags
        + examination.flags,
        device=examination.model.computed_by,
        disagreement=examination.disagreement,
        sets=openness.sets,
        abstains=openness.abstains,
        candidates=openness.candidates,
        variation=variation.vary_slice(examination, pooled.key[0])
        if variation.is_cheap(examination)
        else None,
        ood=ood,
        similar=_similar(examination, pooled.key[0]),
        inputs=_inputs(prepared.pictures[list(pooled.key)]),
        notes=prepared.notes,
    )


def _ood(examination: Examination, key: Sequence[int]) -> OodAssessment | None:
    familiar, distances_N = examination.model.ood, examination.distances
    if familiar is None or distances_N is None:
        return None
    return out_of_distribution.assess_distribution(
        examination.prepared, familiar.known, distances_N, key
    )


def _inputs(pictures: NDArray[np.uint8]) -> dict[str, float]:
    measured = training_cohort.measure_intensities(pictures)
    return {key: float(np.median(values)) for key, values in measured.items()}


def measure_variation(examination: Examination, index: int) -> Variation:
    """What small changes do to the answer of one slice of a volume, by its index in it.

    Raises
    ------
    InputError
        If the slice was not judged, or cannot be judged again.
    """
    (position,) = _positions(examination.prepared.slices, [index])
    return variation.vary_slice(examination, position)


def find_similar_cases(examination: Examination, index: int) -> SimilarCases:
    """The training items most like one slice of a volume, by its index in it.

    Raises
    ------
    InputError
        If the slice was not judged, or the model has no index of its training items.
    """
    (position,) = _positions(examination.prepared.slices, [index])
    found = _similar(examination, position)
    if found is None:
        reason = tr("It carries no index of its training cases.")
        raise InputError(examination.model.card.name, reason, tr("Choose another model."))
    return found


def _similar(examination: Examination, position: int) -> SimilarCases | None:
    known = examination.model.similar
    if known is None:
        return None
    cases = known.search(examination.embedding(position))
    return SimilarCases(examination.prepared.slices[position], tuple(cases))


def explain_slices(
    examination: Examination,
    method: str,
    target: str,
    slices: Sequence[int] | None = None,
    progress: ReportProgress | None = None,
    against: str = "",
) -> Saliency:
    """Saliency maps of a volume for one class; what prediction computed is not computed again.

    Parameters and errors as for :func:`analyse_volume`.

    Parameters
    ----------
    against
        Another class: why ``target`` and not this one? Empty for no such question.
    """
    card, prepared = examination.model.card, examination.prepared
    _check(card, method, target)
    made_by = choose_method(card, method)
    other = _other(card, made_by, target, against)
    probabilities_NK = examination.probabilities(progress)
    if slices is not None:
        positions = _positions(prepared.slices, slices)
    elif made_by.is_slow:
        positions = sorted(_pooled(examination, probabilities_NK).key)
    else:
        positions = list(range(len(prepared.slices)))
    explained = card.classes.index(target)
    raw = examination.raw_maps(made_by.key, explained, positions, progress, other)
    peaks = np.maximum(raw, 0).max(axis=(1, 2))
    return Saliency(
        method=made_by.key,
        target=target,
        class_agnostic=made_by.class_agnostic,
        slices=tuple(prepared.slices[position] for position in positions),
        maps=scale_maps(raw, prepared.settings.size),
        peaks=peaks,
        strength=_strength(card, probabilities_NK[positions]),
        boxes=tuple(prepared.boxes[position] for position in positions),
        shape=prepared.shape,
        notes=describe_maps(made_by.key, card.labels.get(target, target), peaks),
        against=against,
    )


def _check(card: ModelCard, method: str | None, target: str | None) -> None:
    if method is not None:
        choose_method(card, method)
    if target is not None and target not in card.classes:
        raise InputError(
            target,
            tr("{name} knows no such class.", name=card.name),
            tr("It knows {classes}.", classes=", ".join(card.classes)),
        )


def _other(card: ModelCard, method: Method, target: str, against: str) -> int | None:
    if not against:
        return None
    _check(card, method.key, against)
    if method.class_agnostic:
        reason = tr("{title} shows the same map whatever the class.", title=method.title)
        raise InputError(against, reason, tr("Choose another saliency method."))
    if against == target:
        raise InputError(against, tr("A class cannot be explained against itself."))
    return card.classes.index(against)


def _pooled(examination: Examination, probabilities_NK: NDArray[np.float64]) -> PooledAnswer:
    card, prepared = examination.model.card, examination.prepared
    no_tumour = card.classes.index(card.no_tumour) if card.no_tumour else None
    return pool_slices(probabilities_NK, prepared.areas, no_tumour, ordered=prepared.ordered)


def _split(card: ModelCard, probabilities_K: NDArray[np.float64]) -> tuple[str, ...]:
    """A warning where "no tumour" is the most probable class and a tumour still more probable."""
    if card.no_tumour is None:
        return ()
    absent = float(probabilities_K[card.classes.index(card.no_tumour)])
    if absent < probabilities_K.max() or absent >= 0.5:
        return ()
    return (
        tr(
            "A tumour of some kind is more probable ({share}) than none, but the model cannot "
            "tell which.",
            share=percent(1 - absent),
        ),
    )


def _positions(judged: Sequence[int], asked: Sequence[int]) -> list[int]:
    position = {index: at for at, index in enumerate(judged)}
    if not asked or (missing := sorted(set(asked) - set(position))):
        which = tr("Slice {n}", n=missing[0] + 1) if asked else tr("No slice")
        raise InputError(which, tr("It was not judged, so it cannot be explained."))
    return sorted({position[index] for index in asked})


def _strength(card: ModelCard, probabilities_NK: NDArray[np.float64]) -> NDArray[np.float32]:
    """Probability of a tumour on each slice; 1 if the model knows no "no tumour"."""
    if card.no_tumour is None:
        return np.ones(len(probabilities_NK), np.float32)
    absent = probabilities_NK[:, card.classes.index(card.no_tumour)]
    return (1 - absent).astype(np.float32)
