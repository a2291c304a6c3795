"""Finished models to an ensemble: averaged, weighted or stacked on what none was trained on.

Shapes: N items, M members, K classes. What is mixed is each member's evidence: its centred
log-probabilities after its own temperature (``Ensemble.evidence``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from trainer.data import split
from trainer.data.material import DataSource, PreparedData, prepare_data
from trainer.data.split import SplitSettings
from trainer.evaluation import evaluate, metrics
from trainer.evaluation.predictions import Predictions
from trainer.evaluation.temperature_scaling import fit_temperature
from trainer.runs import publish
from trainer.tools.atomic_files import write_json
from trainer.tools.progress import Progress
from trainer.training.image_store import ImageStore
from tumorviewer.errors import InputError
from tumorviewer.models import Architecture, ModelCard, Weights
from tumorviewer.models import bundle as bundles
from tumorviewer.models.weights import load_weights
from tumorviewer.networks import Classifier
from tumorviewer.networks.ensemble import NAME, Ensemble, assemble_ensemble, describe_member

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FOLDS = 5
"""At most so many parts of the validation groups: each is judged by coefficients that the others
gave."""
_STRENGTH = 1.0
"""Inverse of the L2 penalty of stacking, scikit-learn's C."""


class Mixing(NamedTuple):
    """Coefficients of the mixing layer."""

    weight: Floats
    """``(K, M, K)``."""
    bias: Floats
    """``(K,)``."""

    def logits(self, evidence_NMK: Floats) -> Floats:
        """``(N, K)``."""
        return np.asarray(np.einsum("kmj,nmj->nk", self.weight, evidence_NMK) + self.bias)


def average_members(evidence_NMK: Floats, labels_N: Integers) -> Mixing:  # noqa: ARG001
    """All members count the same; nothing is fitted."""
    _, members, classes = evidence_NMK.shape
    return _on_simplex(np.full(members, 1 / members), classes)


def weight_members(evidence_NMK: Floats, labels_N: Integers) -> Mixing:
    """Weights on the simplex with the least log loss of the logarithmic pool, a convex problem."""
    evidence, labels = torch.from_numpy(evidence_NMK), torch.from_numpy(labels_N)
    free = torch.zeros(evidence.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([free], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimiser.zero_grad()
        pooled = torch.einsum("m,nmk->nk", free.softmax(0), evidence)
        loss = functional.cross_entropy(pooled, labels)
        loss.backward()
        return float(loss.detach())

    optimiser.step(closure)
    return _on_simplex(free.detach().softmax(0).numpy(), evidence_NMK.shape[2])


def stack_members(evidence_NMK: Floats, labels_N: Integers) -> Mixing:
    """Multinomial logistic regression on the members' evidence (Wolpert 1992), L2-regularised."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    n, members, classes = evidence_NMK.shape
    model = LogisticRegression(C=_STRENGTH, max_iter=1000)
    model.fit(evidence_NMK.reshape(n, -1), labels_N)
    weight, bias = model.coef_, model.intercept_
    if classes == 2:  # one row, of the second class against the first
        weight, bias = np.stack([-weight[0], weight[0]]) / 2, np.array([-bias[0], bias[0]]) / 2
    return Mixing(weight.reshape(classes, members, classes), bias)


METHODS: dict[str, Callable[[Floats, Integers], Mixing]] = {
    "average": average_members,
    "weighted": weight_members,
    "stacked": stack_members,
}


def _on_simplex(weight_M: Floats, classes: int) -> Mixing:
    return Mixing(np.eye(classes)[:, None] * weight_M[None, :, None], np.zeros(classes))


def crossfit_logits(
    method: Callable[[Floats, Integers], Mixing],
    evidence_NMK: Floats,
    labels_N: Integers,
    folds_N: Integers,
) -> Floats:
    """Calibrated logits ``(N, K)`` of each item by coefficients that its fold had no part in."""
    logits = np.empty((len(labels_N), evidence_NMK.shape[2]))
    for fold in np.unique(folds_N):
        held = folds_N == fold
        mixing = method(evidence_NMK[~held], labels_N[~held])
        temperature = _temperature(method, mixing, evidence_NMK[~held], labels_N[~held])
        logits[held] = mixing.logits(evidence_NMK[held]) / temperature
    return logits


def _temperature(
    method: Callable[[Floats, Integers], Mixing],
    mixing: Mixing,
    evidence_NMK: Floats,
    labels_N: Integers,
) -> float:
    """One for stacking: the regression is calibrated, and sharpening it on the items that it was
    fitted on would undo its penalty."""
    if method is stack_members:
        return 1.0
    return fit_temperature(mixing.logits(evidence_NMK), labels_N)


@dataclass(frozen=True)
class EnsembleRequest:
    """What to make of which models."""

    members: tuple[Path, ...]
    method: str
    out: Path
    device: torch.device
    progress: Progress = field(default_factory=Progress)
    command: str = ""


def build_ensemble(order: EnsembleRequest, source: DataSource) -> dict[str, Any]:
    """Join models to a bundle in ``order.out``; answers what ``figures.json`` there holds.

    The coefficients are fitted on the validation part that all members held out; the figures come
    from coefficients and temperatures fitted without the groups that they are taken on.

    Raises
    ------
    InputError
        If the models do not go together, or were not validated on one part of this data.
    """
    cards, networks = zip(*(load_weights(folder) for folder in order.members), strict=True)
    _check(order.members, cards)
    seen = replace(cards[0].preprocessing, size=max(one.preprocessing.size for one in cards))
    source = replace(source, classes=cards[0].classes)
    material = prepare_data(source, seen, order.progress)
    rows = _held_out_by_all(order.members, cards, material)
    joined = _joined(cards, networks)
    evidence = _evidence(order, joined, material, rows)
    labels = material.dataset.labels()[rows]
    result = _judged(order, material, rows, evidence, cards)
    mixing = METHODS[order.method](evidence, labels)
    joined.mixed_by(*(torch.from_numpy(one).float() for one in mixing))
    result["weights"] = mixing.weight.round(6).tolist()
    result["temperature"] = _temperature(METHODS[order.method], mixing, evidence, labels)
    write_json(order.out / "figures.json", result)
    _publish(order, material, rows, cards, joined, result)
    return result


def _check(folders: Sequence[Path], cards: Sequence[ModelCard]) -> None:
    first = cards[0]
    if len(cards) < 2:
        raise InputError(str(folders[0]), "One model makes no ensemble.", "Name two or more.")
    for folder, card in zip(folders, cards, strict=True):
        if card.architecture.name == NAME:
            raise InputError(str(folder), "It is an ensemble itself.", "Name its members.")
        if card.classes != first.classes:
            reason = f"It knows {', '.join(card.classes)}; the first knows other classes."
            raise InputError(str(folder), reason)
        if replace(card.preprocessing, size=first.preprocessing.size) != first.preprocessing:
            raise InputError(str(folder), "It crops or stacks pictures in another way.")


def _held_out_by_all(
    folders: Sequence[Path], cards: Sequence[ModelCard], material: PreparedData
) -> Integers:
    """The rows that every member was validated on and none trained on."""
    divided = cards[0].training.get("split", {})
    known = {name: divided[name] for name in ("validation", "folds", "seed") if name in divided}
    parts = split.choose_parts(material.dataset, material.groups, SplitSettings(**known))
    fingerprint = material.pictures.fingerprint(parts.validation.tolist())
    for folder, card in zip(folders, cards, strict=True):
        if card.training.get("split", {}).get("validation_sha256") != fingerprint:
            reason = "It was not validated on the same part of this data as the first model."
            remedy = "Name the data and groups that it was trained with; all need the same split."
            raise InputError(str(folder), reason, remedy)
    return parts.validation


def _joined(cards: Sequence[ModelCard], networks: Sequence[Classifier]) -> Ensemble:
    members = [
        describe_member(
            card.architecture.name,
            card.architecture.options,
            card.preprocessing.size,
            card.preprocessing.neighbours,
            network,
        )
        for card, network in zip(cards, networks, strict=True)
    ]
    return assemble_ensemble(
        len(cards[0].classes), members, networks, [card.temperature for card in cards]
    )


@torch.inference_mode()
def _evidence(
    order: EnsembleRequest, joined: Ensemble, material: PreparedData, rows: Integers
) -> Floats:
    """``(N, M, K)`` of some rows."""
    store, parts = ImageStore(material.pictures.array, order.device), []
    joined = joined.to(order.device)
    for pictures in store.batches(torch.from_numpy(rows).split(64)):
        parts.append(joined.evidence(joined.trunk(pictures)).double().cpu())
        order.progress("judging", sum(map(len, parts)), len(rows))
    joined.cpu()
    return torch.cat(parts).numpy()


def _judged(
    order: EnsembleRequest,
    material: PreparedData,
    rows: Integers,
    evidence_NMK: Floats,
    cards: Sequence[ModelCard],
) -> dict[str, Any]:
    """Figures of the ensemble and of each member alone, by the same crossfitting."""
    labels = material.dataset.labels()[rows]
    folds = _folds(material, rows)

    def figures(method: Callable[[Floats, Integers], Mixing], evidence: Floats) -> Predictions:
        probabilities = metrics.apply_softmax(crossfit_logits(method, evidence, labels, folds))
        return Predictions(material, rows, material.dataset.classes, probabilities, folds)

    together = figures(METHODS[order.method], evidence_NMK)
    together.write(order.out / "predictions.csv")
    alone = [figures(average_members, evidence_NMK[:, [place]]) for place in range(len(cards))]
    return {
        "method": order.method,
        "fits": len(np.unique(folds)),
        "figures": {"grouped_validation": evaluate.compute_all_metrics(together)},
        "members": [
            {
                "name": card.name,
                "version": card.version,
                "sha256": card.weights.sha256,
                "figures": evaluate.compute_all_metrics(one),
            }
            for card, one in zip(cards, alone, strict=True)
        ],
    }


def _folds(material: PreparedData, rows: Integers) -> Integers:
    """``(N,)``; as many as the class with the fewest groups allows."""
    items = tuple(material.dataset.items[row] for row in rows.tolist())
    part, groups = replace(material.dataset, items=items), material.groups[rows]
    labels = part.labels()
    fewest = min(len(np.unique(groups[labels == label])) for label in np.unique(labels))
    count = max(2, min(FOLDS, fewest))
    return split.assign_folds(part, groups, SplitSettings("fold 0", count))


def _publish(
    order: EnsembleRequest,
    material: PreparedData,
    rows: Integers,
    cards: Sequence[ModelCard],
    joined: Ensemble,
    result: dict[str, Any],
) -> None:
    names = ", ".join(f"{card.name} {card.version}" for card in cards)
    size = max(card.preprocessing.size for card in cards)
    bundles.write_bundle(
        order.out / "bundle",
        replace(
            cards[0],
            name=f"ensemble-{order.method}",
            version="1",
            title=f"Ensemble ({order.method}) of {names}",
            architecture=Architecture(NAME, {"members": [asdict(one) for one in joined.parts]}),
            preprocessing=replace(cards[0].preprocessing, size=size),
            weights=Weights("", 0),
            created=datetime.now(UTC).date().isoformat(),
            summary=f"{names}, their log-probabilities mixed ({order.method}).",
            limits=tuple(dict.fromkeys(limit for card in cards for limit in card.limits)),
            licence="; ".join(dict.fromkeys(card.licence for card in cards)),
            training=_training(order, rows, cards, result),
            figures=result["figures"],
            temperature=result["temperature"],
            references=tuple(dict.fromkeys(one for card in cards for one in card.references)),
        ),
        joined.state_dict(),
        {
            *material.pictures.sha256,
            *(one for at in order.members for one in bundles.read_training_items(at)),
        },
    )


def _training(
    order: EnsembleRequest,
    rows: Integers,
    cards: Sequence[ModelCard],
    result: dict[str, Any],
) -> dict[str, Any]:
    kept = ("name", "version", "sha256")
    scored = ("accuracy", "macro_f1", "log_loss")
    return {
        "data": cards[0].training.get("data", {}),
        "split": cards[0].training["split"],
        "members": [
            {name: one[name] for name in kept} | {name: one["figures"][name] for name in scored}
            for one in result["members"]
        ],
        "method": order.method,
        "weights": result["weights"],
        "selection": (
            f"Coefficients and temperature were fitted on the {len(rows)} validation items; the "
            f"figures come from {result['fits']} fits, each judged on groups that it did not see. "
            "The members' own epochs were chosen on the same items, which flatters all of them."
        ),
        **publish.describe_provenance(order.device, order.command),
    }
