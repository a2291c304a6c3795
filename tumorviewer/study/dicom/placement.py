"""Where the slices of a stack are: an affine to LPS+ mm, and what is odd about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorviewer.language import later, number, trn
from tumorviewer.study.dicom.frames import Frame
from tumorviewer.study.dicom.stacks import UNEVEN, compute_slice_normal, project_positions
from tumorviewer.study.notes import Note, make_note
from tumorviewer.study.types import Placement

_EXACT = 1e-3
"""Slices nearer than this to where the affine has them need no positions of their own, mm."""
_MISSING = 0.05
"""Share of the spacing by which a gap may differ from a whole number of slices."""
_TILT = 0.5
"""Degrees between the slices' normal and the line along which they are stacked."""


@dataclass(frozen=True, eq=False)
class Geometry:
    """The place of a stack's slices."""

    affine: NDArray[np.float64]
    placement: Placement
    positions: NDArray[np.float64] | None
    """``(slices, 3)`` LPS+ mm of the first pixel of each slice where the affine is not exact."""
    notes: tuple[Note, ...]


def locate_stack(frames: Sequence[Frame]) -> Geometry:
    """Find the affine of slices in their order (PS3.3 C.7.6.2.1.1).

    Parameters
    ----------
    frames
        Of one stack.

    Returns
    -------
    Geometry
        Of slices that are not evenly spaced, the affine passes through the first and the last.
    """
    first = frames[0]
    spacing = first.spacing
    if first.position is None or first.orientation is None or spacing is None:
        return _not_placed(frames)
    if not first.in_patient:
        return _not_placed(frames)
    positions = np.array([frame.position for frame in frames], np.float64)
    normal = compute_slice_normal(first.orientation)
    step, notes = _step(frames, positions, normal)
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = np.multiply(first.orientation[3:], spacing[0])
    affine[:3, 2] = np.multiply(first.orientation[:3], spacing[1])
    affine[:3, 3] = positions[0]
    expected = positions[0] + np.outer(np.arange(len(frames)), step)
    is_exact = np.abs(expected - positions).max() < _EXACT
    return Geometry(affine, Placement.PATIENT, None if is_exact else positions, notes)


def _not_placed(frames: Sequence[Frame]) -> Geometry:
    first = frames[0]
    if first.spacing is None:
        return Geometry(_upright(first.aspect, 1.0), Placement.NONE, None, ())
    text = later("Distances are at the detector or on the page, not in the patient.")
    notes = () if first.in_patient else (make_note("not_in_patient", text),)
    return Geometry(_upright(*first.spacing), Placement.SCALED, None, notes)


def _upright(rows: float, columns: float) -> NDArray[np.float64]:
    """Columns along x, rows along y, slices 1 apart along z."""
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = 1.0, rows, columns, 1.0
    return affine


def _step(
    frames: Sequence[Frame], positions: NDArray[np.float64], normal: NDArray[np.float64]
) -> tuple[NDArray[np.float64], tuple[Note, ...]]:
    """The vector from one slice to the next, and what is odd about the slices' distances."""
    if len(frames) == 1:
        return normal * (frames[0].thickness or 1.0), ()
    distances = np.diff(project_positions(frames))
    step = (positions[-1] - positions[0]) / (len(frames) - 1)
    return step, _spacing_notes(distances) + _tilt_notes(step, normal)


def _spacing_notes(distances: NDArray[np.float64]) -> tuple[Note, ...]:
    usual = float(np.median(distances))
    if np.abs(distances - usual).max() <= UNEVEN * usual:
        return ()
    slices = distances / usual
    whole = np.rint(slices)
    gaps = (whole > 1) & (np.abs(slices - whole) < _MISSING)
    if gaps.any() and (np.abs(distances[~gaps] - usual) <= _MISSING * usual).all():
        count = int((whole[gaps] - 1).sum())
        after = ", ".join(str(at + 1) for at in np.flatnonzero(gaps)[:5])
        said = trn(
            "{count} slice is missing, at a spacing of {usual} mm: after slice {after}.",
            "{count} slices are missing, at a spacing of {usual} mm: after slice {after}.",
            count,
            usual=number(usual, ".4g"),
            after=after,
        )
        return (Note("missing_slices", said, {"count": count, "after": after}),)
    least, most = distances.min(), distances.max()
    return (
        make_note(
            "uneven_spacing",
            later("The slices are not evenly spaced: {least} to {most} mm."),
            least=number(least, ".4g"),
            most=number(most, ".4g"),
        ),
    )


def _tilt_notes(step: NDArray[np.float64], normal: NDArray[np.float64]) -> tuple[Note, ...]:
    cosine = float(step @ normal / np.linalg.norm(step))
    angle = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    if angle <= _TILT:
        return ()
    return (
        make_note(
            "tilt",
            later(
                "The slices are stacked at {angle}° to their normal (gantry tilt): the "
                "volume is sheared."
            ),
            angle=number(angle, ".3g"),
        ),
    )
