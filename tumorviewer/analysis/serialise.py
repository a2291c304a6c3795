"""A finding as JSON, and its saliency maps as a file beside it. No torch."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from tumorviewer.analysis.finding import Finding, Saliency
from tumorviewer.analysis.trust.map_verdict import MapCheck, reasons
from tumorviewer.files import replace_atomically
from tumorviewer.study.types import Placement, Volume

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def to_json(finding: Finding, saliency_file: Path | None = None) -> dict[str, Any]:
    """What ``classify --json`` prints of one finding.

    Parameters
    ----------
    saliency_file
        Where :func:`save_saliency` put the maps, if it did.
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
        "candidates": list(finding.candidates),
        "variation": asdict(finding.variation) if finding.variation else None,
        "kind": asdict(finding.kind) if finding.kind else None,
        "similar": asdict(finding.similar) if finding.similar else None,
        "inputs": finding.inputs,
        "flags": [*finding.flags, *(saliency.notes if saliency else ())],
    }


def _check(check: MapCheck) -> dict[str, Any]:
    return {"verdict": check.verdict, "reasons": list(reasons(check)), **asdict(check)}


def _by_class(finding: Finding, probabilities_K: np.ndarray[Any, Any]) -> dict[str, float]:
    return dict(zip(finding.classes, map(float, probabilities_K), strict=True))


def save_saliency(saliency: Saliency, volume: Volume, stem: Path) -> Path:
    """Write the maps in the volume's own grid, complete or not at all.

    A volume that is placed in the patient becomes ``stem.nii.gz``, which any viewer lays over it:
    8 bits, scaled so that values are 0–1, zero where there is no map. Anything else becomes
    ``stem.npz``: ``saliency`` ``(slices, rows, columns)`` float32 and ``slices``, their indices.

    Returns
    -------
    Path
        The file that was written.
    """
    if volume.placement is not Placement.PATIENT:
        path = stem.with_name(f"{stem.name}.npz")
        maps = np.stack([_on_slice(saliency, index) for index in saliency.slices])
        with replace_atomically(path) as beside:
            np.savez_compressed(beside, saliency=maps, slices=np.array(saliency.slices))
        return path
    path = stem.with_name(f"{stem.name}.nii.gz")
    with replace_atomically(path) as beside:
        nibabel.save(_nifti(saliency, volume), beside)
    return path


def _nifti(saliency: Saliency, volume: Volume) -> nibabel.Nifti1Image:
    whole = np.zeros((len(volume.array), *saliency.shape), np.uint8)
    for index in saliency.slices:
        whole[index] = np.rint(_on_slice(saliency, index) * 255)
    affine_RAS = _LPS_TO_RAS @ volume.affine  # NIfTI-1: +x right to left is negative
    image = nibabel.Nifti1Image(whole, affine_RAS)
    image.header.set_slope_inter(1 / 255, 0)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = f"{saliency.method} for {saliency.target}, research use only"[:79]
    return image


def _on_slice(saliency: Saliency, index: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    map_HW = saliency.on_slice(index)
    assert map_HW is not None
    return map_HW
