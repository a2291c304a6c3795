"""Saliency maps as files in the volume's own grid, and packed for the records. No torch."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tumorviewer.analysis.finding import Saliency
from tumorviewer.analysis.preprocess import Box
from tumorviewer.files import replace_atomically
from tumorviewer.study.types import Placement, Volume

if TYPE_CHECKING:
    import nibabel

PACKED_BYTES = 256 << 10
"""Larger maps are computed again when they are wanted."""
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


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
        import nibabel  # for a file that is asked for; it takes long

        nibabel.save(_nifti(saliency, volume), beside)
    return path


def _nifti(saliency: Saliency, volume: Volume) -> nibabel.Nifti1Image:
    whole = np.zeros((len(volume.array), *saliency.shape), np.uint8)
    for index in saliency.slices:
        whole[index] = np.rint(_on_slice(saliency, index) * 255)
    affine_RAS = _LPS_TO_RAS @ volume.affine  # NIfTI-1: +x right to left is negative
    import nibabel

    image = nibabel.Nifti1Image(whole, affine_RAS)
    image.header.set_slope_inter(1 / 255, 0)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = f"{saliency.method} for {saliency.target}, research use only"[:79]
    return image


def _on_slice(saliency: Saliency, index: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    map_HW = saliency.on_slice(index)
    assert map_HW is not None
    return map_HW


def pack_saliency(saliency: Saliency) -> bytes | None:
    """Maps as a compressed ``npz`` of 8 bits; None if they are still larger than 256 kB."""
    facts = {
        "method": saliency.method,
        "target": saliency.target,
        "class_agnostic": saliency.class_agnostic,
        "notes": saliency.notes,
        "against": saliency.against,
    }
    arrays: dict[str, Any] = {
        "maps": np.rint(saliency.maps * 255).astype(np.uint8),
        "slices": np.array(saliency.slices),
        "peaks": saliency.peaks,
        "strength": saliency.strength,
        "boxes": np.array(saliency.boxes),
        "shape": np.array(saliency.shape),
        "facts": np.array(json.dumps(facts)),
    }
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    packed = stream.getvalue()
    return packed if len(packed) <= PACKED_BYTES else None


def unpack_saliency(packed: bytes) -> Saliency:
    """The maps that :func:`pack_saliency` packed, within half a grey level."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        facts = json.loads(str(arrays["facts"]))
        rows, columns = arrays["shape"].tolist()
        return Saliency(
            method=facts["method"],
            target=facts["target"],
            class_agnostic=facts["class_agnostic"],
            slices=tuple(arrays["slices"].tolist()),
            maps=arrays["maps"].astype(np.float32) / 255,
            peaks=arrays["peaks"],
            strength=arrays["strength"],
            boxes=tuple(Box(*box) for box in arrays["boxes"].tolist()),
            shape=(rows, columns),
            notes=tuple(facts["notes"]),
            against=facts.get("against", ""),
        )
