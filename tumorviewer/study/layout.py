"""The order in which a viewer shows the voxels of a file that does not say how to.

Lossless: axes are exchanged and reversed, and the affine follows, so that every voxel keeps its
patient coordinate.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_ISOTROPIC = 1.05
"""Largest over smallest spacing up to which slices are axial, whatever was acquired."""

_LEFT, _BACK, _HEAD = 0, 1, 2
_VIEWS = {
    _HEAD: ((_HEAD, 1), (_BACK, 1), (_LEFT, 1)),
    _BACK: ((_BACK, 1), (_HEAD, -1), (_LEFT, 1)),
    _LEFT: ((_LEFT, -1), (_HEAD, -1), (_BACK, 1)),
}
"""By the patient axis across slices: patient axis and direction of slices, rows and columns."""


class VoxelLayout(NamedTuple):
    """Which voxel axis becomes slice, row and column, and which of them run backwards."""

    axes: tuple[int, int, int]
    reversed: tuple[bool, bool, bool]

    def view(self, array: NDArray[Any]) -> NDArray[Any]:
        """``(i, j, k, …)`` seen as ``(slice, row, column, …)``; no copy."""
        rest = range(3, array.ndim)
        steps = tuple(slice(None, None, -1 if back else 1) for back in self.reversed)
        return array.transpose(*self.axes, *rest)[steps]

    def stored(self, array: NDArray[Any]) -> NDArray[Any]:
        """``(slice, row, column, …)`` seen as ``(i, j, k, …)``; the reverse of :meth:`view`."""
        rest = range(3, array.ndim)
        steps = tuple(slice(None, None, -1 if back else 1) for back in self.reversed)
        return array[steps].transpose(*np.argsort(self.axes), *rest)

    def shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Slices, rows and columns of a file of this shape ``(i, j, k)``."""
        slices, rows, columns = (shape[axis] for axis in self.axes)
        return slices, rows, columns

    def affine(
        self, affine: NDArray[np.float64], shape: tuple[int, int, int]
    ) -> NDArray[np.float64]:
        """The affine of :meth:`view`, from that of ``(i, j, k, 1)`` and the file's shape."""
        to_stored = np.zeros((4, 4))
        to_stored[3, 3] = 1
        for position, (axis, back) in enumerate(zip(self.axes, self.reversed, strict=True)):
            to_stored[axis, position] = -1 if back else 1
            to_stored[axis, 3] = shape[axis] - 1 if back else 0
        return affine @ to_stored


def choose_display_layout(
    affine_LPS: NDArray[np.float64], shape: tuple[int, int, int]
) -> VoxelLayout:
    """Choose slices, rows and columns as they are read in radiology.

    Slices lie across the axis of largest spacing, or are axial where spacing is equal. Columns
    run to the patient's left (axial, coronal) or back (sagittal), rows to the back (axial) or
    feet (coronal, sagittal), and slices along row × column directions, as DICOM's are sorted.

    Parameters
    ----------
    affine_LPS
        4×4, invertible, ``(i, j, k, 1)`` to LPS+ mm.
    shape
        Extents along i, j and k.
    """
    spacing = np.linalg.norm(affine_LPS[:3, :3], axis=0)
    across = _slice_axis(spacing, shape, find_patient_axes(affine_LPS))
    return choose_layout_across(affine_LPS, across)


def choose_layout_across(affine_LPS: NDArray[np.float64], across: int) -> VoxelLayout:
    """As :func:`choose_display_layout`, with slices across a given axis of the array."""
    directions = _directions(affine_LPS)
    nearest = find_patient_axes(affine_LPS)
    view = _VIEWS[nearest[across]]
    axes = tuple(nearest.index(axis) for axis, _ in view)
    back = tuple(
        bool(directions[axis, 1] != wanted) for axis, (_, wanted) in zip(axes, view, strict=True)
    )
    return VoxelLayout((axes[0], axes[1], axes[2]), (back[0], back[1], back[2]))


def find_patient_axes(affine_LPS: NDArray[np.float64]) -> tuple[int, int, int]:
    """The patient axis, 0 to the left, 1 to the back, 2 to the head, nearest to each of the
    array's."""
    first, second, third = (int(axis) for axis in _directions(affine_LPS)[:, 0])
    return first, second, third


def _directions(affine_LPS: NDArray[np.float64]) -> NDArray[np.float64]:
    from nibabel.orientations import io_orientation

    return np.asarray(io_orientation(affine_LPS))


def _slice_axis(
    spacing: NDArray[np.float64], shape: tuple[int, int, int], nearest: tuple[int, int, int]
) -> int:
    if shape.count(1) == 1:
        return shape.index(1)
    if spacing.max() <= _ISOTROPIC * spacing.min():
        return nearest.index(_HEAD)
    return int(np.argmax(spacing))
