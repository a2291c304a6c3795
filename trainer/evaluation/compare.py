"""Two models on the same items: paired differences, and whether one may replace the other.

Shapes: N items, K classes of a model, G groups.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data import prepared_images
from trainer.data.material import DataSource, PreparedData, prepare_data
from trainer.evaluation import bootstrap, evaluate
from trainer.evaluation import overlap as overlaps
from trainer.evaluation.bootstrap import Floats, Integers
from trainer.evaluation.metrics import Scorer
from trainer.evaluation.overlap import Overlap
from trainer.evaluation.predictions import Predictions
from trainer.reports import html, plots
from trainer.tools.progress import Progress
from tumorviewer.errors import InputError
from tumorviewer.models import bundle, evidence
from tumorviewer.models.card import ModelCard, Preprocessing
from tumorviewer.models.catalogue import Catalogue
from tumorviewer.models.comparison import (
    BETTER,
    NOT_WORSE,
    SCHEMA,
    UNDECIDED,
    WORSE,
    ComparedModel,
)
from tumorviewer.models.evidence import OverlapBasis

MARGIN = 0.02
"""A candidate is "not worse" if accuracy and macro F1 have fallen by less than this at most."""
DECIDING = {"accuracy": 1, "macro_f1": 1, "log_loss": -1}
"""The figures that decide, and whether more of them is better."""
_SHARES = {"accuracy": "Accuracy", "macro_f1": "F1", "roc_auc": "ROC AUC"}
_TITLES = _SHARES | {"log_loss": "Log loss"}
_FLIPS = 10_000


@dataclass(frozen=True, eq=False)
class ComparedSide:
    """One of the two models and its answers."""

    model: ComparedModel
    judged: Predictions
    overlap: Overlap


def compare_models(
    candidate: str,
    current: str,
    source: DataSource,
    parts: Sequence[str],
    device: str,
    progress: Progress,
    training: tuple[Sequence[Path], Sequence[Path]] = ((), ()),
) -> dict[str, Any]:
    """Judge two models on the same items.

    Parameters
    ----------
    candidate, current
        Each a model's name, a bundle's folder, or a table of its predictions.
    parts
        Of the official split.
    training
        The folders or tables that each was trained on, to look for the items and their twins in.

    Returns
    -------
    dict
        As :mod:`tumorviewer.models.comparison` reads it.

    Raises
    ------
    InputError
        If a model is refused, does not know a class, or a table lacks items.
    """
    bundles = [_bundle(given) for given in (candidate, current)]
    asked = next((card.preprocessing for _, card in filter(None, bundles)), Preprocessing())
    material = prepare_data(source, asked, progress, parts)
    sides = [
        _of_bundle(*found, material, source, device, progress, known)
        if found
        else _of_table(Path(given), material)
        for given, found, known in zip((candidate, current), bundles, training, strict=True)
    ]
    return compare_sides(*sides)


def _bundle(given: str) -> tuple[Path, ModelCard] | None:
    """Folder and card; None for a table of predictions."""
    if given.lower().endswith(".csv"):
        return None
    folder = Catalogue().find(given)
    return folder, bundle.read_card(folder)


def _of_bundle(
    folder: Path,
    card: ModelCard,
    material: PreparedData,
    source: DataSource,
    device: str,
    progress: Progress,
    training: Sequence[Path],
) -> ComparedSide:
    stored = prepared_images.load_images(
        material.dataset, card.preprocessing, source.cache, progress
    )
    judged = evaluate.predict_with_bundle(folder, card, material, stored, device, progress)
    known = (
        evaluate.load_training_thumbnails(training, card.classes, source, progress)
        if training
        else None
    )
    found = overlaps.find_overlap(folder, card, material, known[0] if known else None)
    return ComparedSide(ComparedModel.of(card), judged, found)


def _of_table(table: Path, material: PreparedData) -> ComparedSide:
    judged = Predictions.read(table, material)
    order = np.argsort(judged.rows)
    if len(order) < len(material.dataset.items) or (np.diff(judged.rows[order]) != 1).any():
        reason = "It does not hold each item of the data once."
        raise InputError(str(table), reason, "Compare on the items that both models judged.")
    known = OverlapBasis.OUT_OF_FOLD if (judged.folds >= 0).all() else OverlapBasis.TABLE
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    model = ComparedModel(table.resolve().parent.name, "", digest)
    return ComparedSide(model, judged.part(order), Overlap(None, known))


def compare_sides(candidate: ComparedSide, current: ComparedSide) -> dict[str, Any]:
    """The comparison from both models' answers, which are of the same items in the same order."""
    material, groups = candidate.judged.material, candidate.judged.groups
    figures = _figures(candidate.judged, current.judged)
    verdict = _verdict(figures, candidate.overlap, current.overlap)
    data = {
        "name": material.dataset.root.name,
        "sha256": material.pictures.fingerprint(range(len(groups))),
        "n": len(groups),
        "groups": len(np.unique(groups)),
        "classes": _groups_by_class(candidate.judged),
        "grouped_by": material.grouped_by,
    }
    result = {
        "schema": SCHEMA,
        "candidate": asdict(candidate.model),
        "current": asdict(current.model),
        "data": data,
        "figures": figures,
        "interval": f"95 %, percentiles of {bootstrap.RESAMPLES} bootstrap resamples of groups",
        "mcnemar": run_mcnemar_test(_right(candidate.judged), _right(current.judged), groups),
        "overlap": {"candidate": candidate.overlap.share, "current": current.overlap.share},
        "seen": {"candidate": candidate.overlap.facts(), "current": current.overlap.facts()},
        "verdict": verdict,
    }
    return result | {"words": evidence.describe_comparison(result)}


def _groups_by_class(judged: Predictions) -> dict[str, int]:
    found = {
        name: len(np.unique(judged.groups[judged.labels == at]))
        for at, name in enumerate(judged.classes)
    }
    return {name: groups for name, groups in found.items() if groups}


def _right(judged: Predictions) -> NDArray[np.bool_]:
    return np.asarray(judged.predicted == judged.labels)


def _figures(candidate: Predictions, current: Predictions) -> dict[str, dict[str, Any]]:
    """Figures of both, their difference, and its interval: the same groups are drawn for both."""
    scorers = [Scorer(one.probabilities, one.labels) for one in (candidate, current)]

    def pair(weight_N: Floats) -> list[list[float]]:
        overall = [scorer.overall(weight_N) for scorer in scorers]
        return [[one[name] for name in _TITLES] for one in overall]

    whole = np.array(pair(np.ones(len(candidate.rows))))
    drawn = np.array([pair(weight) for weight in bootstrap.draw_resamples(candidate.groups)])
    return {
        name: {
            "candidate": bootstrap.round_metric(whole[0, at]),
            "current": bootstrap.round_metric(whole[1, at]),
            "difference": bootstrap.round_metric(whole[0, at] - whole[1, at]),
            "interval": bootstrap.compute_interval(drawn[:, 0, at] - drawn[:, 1, at]),
            "candidate_interval": bootstrap.compute_interval(drawn[:, 0, at]),
            "current_interval": bootstrap.compute_interval(drawn[:, 1, at]),
        }
        for at, name in enumerate(_TITLES)
    }


def run_mcnemar_test(
    candidate_N: NDArray[np.bool_], current_N: NDArray[np.bool_], groups_N: Integers, seed: int = 0
) -> dict[str, Any]:
    """Whether two models err equally often on the items on which they differ.

    Parameters
    ----------
    candidate_N, current_N
        Where each is right.

    Returns
    -------
    dict
        ``p``: McNemar's exact test (Psychometrika, 1947), for independent items. ``p_by_group``:
        both models exchanged in whole groups at random, which holds for dependent items too; with
        an item a group it tends to ``p``.
    """
    from scipy.stats import binomtest  # type: ignore[import-untyped]

    gain, loss = int((candidate_N & ~current_N).sum()), int((current_N & ~candidate_N).sum())
    index = np.unique(groups_N, return_inverse=True)[1]
    of_groups = np.bincount(index, candidate_N.astype(float) - current_N)
    of_groups = of_groups[of_groups != 0]
    flips = np.random.default_rng(seed).choice((-1.0, 1.0), (_FLIPS, len(of_groups)))
    as_extreme = np.abs(flips @ of_groups) >= abs(of_groups.sum())
    return {
        "candidate_only_right": gain,
        "current_only_right": loss,
        "p": bootstrap.round_metric(binomtest(gain, gain + loss).pvalue if gain + loss else 1.0),
        "p_by_group": bootstrap.round_metric((as_extreme.sum() + 1) / (_FLIPS + 1)),
        "note": "p takes items for independent, and is too small where groups hold several; "
        "p_by_group exchanges the models in whole groups.",
    }


def _verdict(figures: dict[str, dict[str, Any]], candidate: Overlap, current: Overlap) -> str:
    low, high = _ends(figures)
    is_not_worse = low[:2].min() > -MARGIN
    if high.min() < 0:
        found = UNDECIDED if low.max() > 0 else WORSE
    elif is_not_worse:
        found = BETTER if low.max() > 0 else NOT_WORSE
    else:
        found = UNDECIDED
    if candidate.is_validation and current.is_validation:
        return found
    favoured = current.share if found == WORSE else candidate.share
    return UNDECIDED if favoured else found


def _ends(figures: dict[str, dict[str, Any]]) -> Floats:
    """``(2, 3)``: least and largest gain of the candidate in each deciding figure."""
    gains = [sign * np.array(figures[name]["interval"]) for name, sign in DECIDING.items()]
    return np.sort(np.array(gains, np.float64), axis=1).T


def render_comparison(result: dict[str, Any]) -> str:
    """The comparison as a page."""
    figure = html.draw_figure(
        lambda axes: plots.plot_differences(axes, result["figures"], _SHARES),
        width_mm=150,
        height_mm=45,
    )
    return html.render_page(
        "comparison.html",
        result=result,
        titles=_TITLES,
        chart=html.export_svg(figure),
    )
