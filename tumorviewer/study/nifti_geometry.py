"""Where the voxels of a NIfTI or Analyze file are in the patient, and how far to trust that."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from tumorviewer.language import later, number
from tumorviewer.study.limits import MAX_SPACING_MM, MIN_SPACING_MM
from tumorviewer.study.notes import Note, make_note
from tumorviewer.study.types import Placement

_DISAGREEMENT_MM = 0.1
_TO_MM = {"meter": 1000.0, "micron": 0.001}


class Placed(NamedTuple):
    """An affine and what it is worth."""

    affine: NDArray[np.float64]
    """4×4, ``(i, j, k, 1)`` to LPS+ mm."""
    placement: Placement
    notes: tuple[Note, ...]


def has_spacing(header: Any) -> bool:
    """Whether the header states a spacing along every axis that has more than one voxel."""
    extents = header["dim"][1 : 1 + min(3, max(1, int(header["dim"][0])))]
    spacing = np.abs(header["pixdim"][1:4].astype(np.float64))[: len(extents)][extents != 1]
    return bool(np.all((spacing > MIN_SPACING_MM) & (spacing < MAX_SPACING_MM)))


def locate_voxels(header: Any, shape: tuple[int, int, int]) -> Placed:
    """Choose the affine as nibabel does: sform, then qform, then spacing alone.

    Unlike nibabel, an sform or qform that is not invertible is passed over, and positions that
    the header states in metres or micrometres become millimetres, as ITK has them.

    Parameters
    ----------
    header
        nibabel's, checked; its ``pixdim`` is NaN where no spacing is stated.
    shape
        Extents along i, j and k.
    """
    stated, notes = _stated_affines(header)
    if stated:
        affine, placement = next(iter(stated.values())), Placement.PATIENT
        notes += _shear(affine)
    else:
        affine, placement = _spacing_affine(header, shape)
        notes.append(make_note("not_placed", _UNPLACED[placement]))
    unit = _unit(header) if placement is not Placement.NONE else ""
    factor = _TO_MM.get(unit, 1.0)
    if factor != 1:
        notes.append(make_note("units", _UNITS[unit]))
    if len(stated) == 2:
        notes += _disagreement(stated["sform"], stated["qform"], shape, factor)
    return Placed(np.diag([-factor, -factor, factor, 1.0]) @ affine, placement, tuple(notes))


_UNITS = {
    "meter": later("Positions are stated in metres and shown in millimetres."),
    "micron": later("Positions are stated in microns and shown in millimetres."),
}
_UNPLACED = {
    Placement.SCALED: later("Its orientation in the patient is not stated."),
    Placement.NONE: later("Neither its orientation nor its spacing is stated."),
}


def _stated_affines(header: Any) -> tuple[dict[str, NDArray[np.float64]], list[Note]]:
    """sform and qform, RAS, as far as they are set and usable."""
    stated: dict[str, NDArray[np.float64]] = {}
    notes: list[Note] = []
    for name in ("sform", "qform"):
        if not hasattr(header, f"get_{name}") or not int(header[f"{name}_code"]):
            continue
        try:
            affine = np.asarray(getattr(header, f"get_{name}")(), np.float64)
        except (HeaderDataError, ValueError):
            affine = np.full((4, 4), np.nan)
        if _is_invertible(affine):
            stated[name] = affine
        else:
            text = later("Its {name} is not a usable position and was ignored.")
            notes.append(make_note("position_ignored", text, name=name))
    return stated, notes


def _is_invertible(affine: NDArray[np.float64]) -> bool:
    if not np.isfinite(affine).all():
        return False
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    if steps.min() < MIN_SPACING_MM or steps.max() > MAX_SPACING_MM:
        return False
    return bool(abs(np.linalg.det(affine[:3, :3] / steps)) > 1e-3)


def _shear(affine: NDArray[np.float64]) -> list[Note]:
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosine = float(np.abs(np.triu(directions.T @ directions, 1)).max())
    if cosine < 1e-3:
        return []
    degrees = 90 - math.degrees(math.acos(min(1.0, cosine)))
    return [
        make_note(
            "sheared",
            later("Its axes are {degrees}° from perpendicular: shapes look sheared."),
            degrees=number(degrees, ".1f"),
        )
    ]


def _unit(header: Any) -> str:
    try:
        return str(header.get_xyzt_units()[0])
    except (AttributeError, KeyError):
        return "unknown"


def _spacing_affine(
    header: Any, shape: tuple[int, int, int]
) -> tuple[NDArray[np.float64], Placement]:
    """nibabel's affine of spacing alone, RAS, the origin in the middle."""
    spacing = np.abs(header["pixdim"][1:4].astype(np.float64))
    known = not np.isnan(spacing).all()
    usable = (spacing > MIN_SPACING_MM) & (spacing < MAX_SPACING_MM)
    affine = np.diag([*np.where(usable, spacing, 1.0), 1.0])
    affine[0, 0] *= -1 if header.default_x_flip else 1
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2
    return affine, Placement.SCALED if known else Placement.NONE


def _disagreement(
    sform: NDArray[np.float64],
    qform: NDArray[np.float64],
    shape: tuple[int, int, int],
    factor: float,
) -> list[Note]:
    corners = np.array([(*c, 1) for c in itertools.product(*((0, n - 1) for n in shape))])
    apart = np.linalg.norm((corners @ (sform - qform).T)[:, :3], axis=1).max() * factor
    if apart < _DISAGREEMENT_MM:
        return []
    return [
        make_note(
            "two_positions",
            later(
                "It states two positions (sform and qform) that differ by up to {apart} mm; "
                "the sform is used."
            ),
            apart=number(apart, ".1f"),
        )
    ]
