"""A finding to JSON and back: what ``classify --json`` prints and the records keep. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tumorviewer.analysis.finding import (
    Finding,
    ModelIdentity,
    OodAssessment,
    PredictionSet,
    Saliency,
    SimilarCase,
    SimilarCases,
    Variation,
)
from tumorviewer.analysis.trust.map_verdict import MapCheck, failure_reasons
from tumorviewer.export.wording import explain_finding
from tumorviewer.language import tr
from tumorviewer.study.notes import Note
from tumorviewer.study.types import Volume


def finding_to_json(
    finding: Finding, volume: Volume | None = None, saliency_file: Path | None = None
) -> dict[str, Any]:
    """What ``classify --json`` prints of one finding.

    Parameters
    ----------
    volume
        That the finding is of, to say in words where in the head.
    saliency_file
        Where :func:`tumorviewer.export.saliency_file.save_saliency` put the maps, if it did.
    """
    saliency = finding.saliency
    return {
        "source": finding.source,
        "series_instance_uid": finding.series_instance_uid,
        "volume": finding.volume,
        "model": {
            "name": finding.model.name,
            "version": finding.model.version,
            "sha256": finding.model.sha256,
        },
        "device": finding.device,
        "predicted_class": finding.predicted_class,
        "probabilities": _by_class(finding, finding.probabilities),
        "slices": [
            {"index": index, "probabilities": _by_class(finding, row)}
            for index, row in zip(finding.slices, finding.slice_probabilities, strict=True)
        ],
        "disagreement": None if finding.disagreement is None else finding.disagreement.tolist(),
        "pooling": finding.pooling,
        "key_slices": list(finding.key_slices),
        "saliency": saliency
        and {
            "method": saliency.method,
            "target": saliency.target,
            "file": str(saliency_file) if saliency_file else None,
            **({"check": _check(saliency.checks[0])} if saliency.checks else {}),
        },
        "named_class": finding.named_class,
        "prediction_sets": [
            {"promise": one.promise, "classes": list(one.classes)} for one in finding.sets
        ],
        "abstains": finding.abstains or None,
        "withheld": _withheld(finding),
        "candidates": list(finding.candidates),
        "variation": asdict(finding.variation) if finding.variation else None,
        "kind": asdict(finding.ood) if finding.ood else None,
        "similar": asdict(finding.similar) if finding.similar else None,
        "inputs": finding.inputs,
        "flags": [*finding.flags, *(saliency.notes if saliency else ())],
        "notes": [note.to_json() for note in finding.notes],
        "explanation": explain_finding(finding, volume),
    }


def _withheld(finding: Finding) -> str | None:
    """Why the predicted class is not named; None if it is."""
    if finding.ood is not None and finding.is_outside:
        return " ".join(finding.ood.reasons) or tr("It is not the model's kind of image.")
    return finding.abstains or None


def _check(check: MapCheck) -> dict[str, Any]:
    return {"verdict": check.verdict, "reasons": list(failure_reasons(check)), **asdict(check)}


def _by_class(finding: Finding, probabilities_K: np.ndarray[Any, Any]) -> dict[str, float]:
    return dict(zip(finding.classes, map(float, probabilities_K), strict=True))


def finding_from_json(
    document: Mapping[str, Any], model: ModelIdentity, saliency: Saliency | None = None
) -> Finding:
    """The finding that a document was made of.

    Parameters
    ----------
    document
        As :func:`finding_to_json` makes it, with ``labels``, ``no_tumour`` and ``map_notes``; what
        earlier versions did not write is empty.
    saliency
        The maps, which are kept elsewhere.
    """
    classes = tuple(document["probabilities"])
    shares_NK = [[one["probabilities"][name] for name in classes] for one in document["slices"]]
    flags = document["flags"][: len(document["flags"]) - len(document["map_notes"])]
    return Finding(
        source=document["source"],
        series_instance_uid=document["series_instance_uid"],
        volume=document["volume"],
        model=model,
        classes=classes,
        labels=document["labels"],
        no_tumour=document["no_tumour"],
        probabilities=np.array([document["probabilities"][name] for name in classes]),
        slices=tuple(one["index"] for one in document["slices"]),
        slice_probabilities=np.array(shares_NK),
        pooling=document["pooling"],
        key_slices=tuple(document["key_slices"]),
        saliency=saliency,
        flags=tuple(flags),
        device=document["device"],
        sets=tuple(
            PredictionSet(one["promise"], tuple(one["classes"]))
            for one in document.get("prediction_sets", ())
        ),
        abstains=document.get("abstains") or "",
        candidates=tuple(document.get("candidates", ())),
        variation=_variation(document.get("variation")),
        ood=_ood(document.get("kind")),
        similar=_similar(document.get("similar")),
        inputs=document.get("inputs", {}),
        notes=tuple(Note(**one) for one in document.get("notes", ())),
    )


def _variation(document: dict[str, Any] | None) -> Variation | None:
    if document is None:
        return None
    return Variation(**document | {"others": tuple(document["others"])})


def _ood(document: dict[str, Any] | None) -> OodAssessment | None:
    if document is None:
        return None
    return OodAssessment(document["level"], document["distance"], tuple(document["reasons"]))


def _similar(document: dict[str, Any] | None) -> SimilarCases | None:
    if document is None:
        return None
    cases = tuple(SimilarCase(**one) for one in document["cases"])
    return SimilarCases(document["slice"], cases)
