"""Planes of a volume in patient space: its own, those across it, and straight ones.

Shapes: ``_HW`` is (rows, columns) of one plane, ``_N3`` a list of points. Points are LPS+ mm,
voxel indices ``(slice, row, column)`` as in ``study.types``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from tumorviewer.imaging.geometry import compute_normal, map_to_patient
from tumorviewer.study.layout import VoxelLayout, choose_layout_across, find_patient_axes
from tumorviewer.study.types import Placement, Volume

_ALIGNED = 1e-4
"""How far a direction cosine may be from 0 or 1 for planes to need no interpolation."""
_EVEN = 0.1
"""Share of a pixel by which slices may lie off an even row and need no interpolation."""
_GAP = 1.5
"""A step between slices longer than this many usual ones is a gap: nothing is drawn across it."""


class Plane(Enum):
    """Which planes of a volume: as they were acquired, along its other two axes (axial, coronal,
    sagittal, in this order), or along the patient's axes whatever the volume's."""

    OWN = "own"
    SECOND = "second"
    THIRD = "third"
    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


_HEAD, _BACK, _LEFT = 2, 1, 0
_ORDER = (_HEAD, _BACK, _LEFT)
_PATIENT_AXIS = {Plane.AXIAL: _HEAD, Plane.CORONAL: _BACK, Plane.SAGITTAL: _LEFT}
_STRAIGHT = {
    Plane.AXIAL: np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], float).T,
    Plane.CORONAL: np.array([[0, 1, 0], [0, 0, -1], [1, 0, 0]], float).T,
    Plane.SAGITTAL: np.array([[-1, 0, 0], [0, 0, -1], [0, 1, 0]], float).T,
}
"""Columns: direction of slices, of rows and of columns, as :mod:`tumorviewer.study.layout`."""


class PlanePixels(NamedTuple):
    """The pixels of one plane."""

    values: NDArray[Any]
    """``(rows, columns)``, or ``(rows, columns, 3)`` RGB; a view of the volume where it can be."""
    outside: NDArray[np.bool_] | None = None
    """``(rows, columns)``: where the plane is outside the volume; None: nowhere."""
    absent: NDArray[np.bool_] | None = None
    """Where the volume has a gap, or a slice that was not read; None: nowhere."""


@dataclass(frozen=True, eq=False)
class PlaneStack:
    """Parallel planes through a volume, in the order in which they are scrolled through."""

    volume: Volume
    firsts: NDArray[np.float64]
    """``(N, 3)`` centre of the first pixel of each plane."""
    down: NDArray[np.float64]
    """``(3,)`` from a row to the next."""
    right: NDArray[np.float64]
    """``(3,)`` from a column to the next."""
    shape: tuple[int, int]
    """Rows and columns."""
    layout: VoxelLayout | None
    """How the volume's own axes run where its voxels are the planes' pixels; else None."""

    def __len__(self) -> int:
        return len(self.firsts)

    @property
    def is_own(self) -> bool:
        """Whether these are the slices as they were acquired."""
        return self.layout == _AS_IT_IS

    @cached_property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector across the planes, towards later ones."""
        across = np.cross(self.right, self.down)
        across /= np.linalg.norm(across)
        return across if across @ (self.firsts[-1] - self.firsts[0]) >= 0 else -across

    @cached_property
    def step(self) -> float:
        """Usual distance from a plane to the next, mm; the volume's slice spacing for one."""
        depths = self.firsts @ self.normal
        return float(np.median(np.diff(depths))) if len(self) > 1 else self.volume.spacing()[0]

    @cached_property
    def spacing(self) -> tuple[float, float]:
        """Between rows and between columns, mm (1 where unknown)."""
        row, column = float(np.linalg.norm(self.down)), float(np.linalg.norm(self.right))
        known = math.isfinite(row) and math.isfinite(column) and min(row, column) > 0
        return (row, column) if known else (1.0, 1.0)

    def to_patient(self, index: int, row: float, column: float) -> NDArray[np.float64]:
        """LPS+ mm of a point on a plane; whole rows and columns are pixel centres."""
        point: NDArray[np.float64] = self.firsts[index] + self.down * row + self.right * column
        return point

    def on_plane(self, index: int, point: NDArray[np.float64]) -> tuple[float, float]:
        """Row and column of the foot of the perpendicular from a point."""
        row, column = self.along(point - self.firsts[index])
        return row, column

    def along(self, vector: NDArray[np.float64]) -> tuple[float, float]:
        """Rows and columns that a vector of the patient passes within the planes."""
        rows, columns = self._inverse @ vector
        return float(rows), float(columns)

    def distance(self, index: int, point: NDArray[np.float64]) -> float:
        """How far a point lies off a plane, mm, towards later ones."""
        return float((point - self.firsts[index]) @ self.normal)

    def nearest(self, point: NDArray[np.float64]) -> int:
        """The plane that a point is nearest to."""
        return int(np.argmin(np.abs((self.firsts - point) @ self.normal)))

    def section(self, index: int, absent: NDArray[np.bool_]) -> PlanePixels:
        """The pixels of a plane.

        Parameters
        ----------
        absent
            For each slice of the volume whether it has no pixels: not read yet, or unreadable.
        """
        if self.layout is None:
            return self._sampled(index, absent)
        values = self.layout.view(self.volume.array)[index]
        if not absent.any():
            return PlanePixels(values)
        return PlanePixels(values, absent=absent[self._slices[index]])

    def slab(self, index: int, absent: NDArray[np.bool_], thickness: float) -> PlanePixels:
        """The maximum intensity projection of the planes within ``thickness`` mm, this one in
        the middle; absent slices take no part."""
        reach = thickness / 2 + 1e-6
        depths = (self.firsts - self.firsts[index]) @ self.normal
        sections = [self.section(int(at), absent) for at in np.flatnonzero(np.abs(depths) <= reach)]
        values = sections[0].values.copy()
        for one in sections[1:]:
            np.fmax(values, one.values, out=values)
        return PlanePixels(
            values,
            _all([one.outside for one in sections]),
            _all([one.absent for one in sections]),
        )

    def sample(self, volume: Volume, index: int) -> PlanePixels:
        """Another volume of the same frame of reference, interpolated in one of these planes."""
        absent = np.zeros(len(volume.array), bool)
        absent[list(volume.missing)] = True
        grid = _grid(volume)
        return grid.sample(self.firsts[index], self.down, self.right, self.shape, absent)

    @cached_property
    def _inverse(self) -> NDArray[np.float64]:
        return np.linalg.pinv(np.column_stack([self.down, self.right]))

    @cached_property
    def _slices(self) -> NDArray[np.intp]:
        """The volume's slice that each pixel comes from, as ``section`` has them; no copy."""
        assert self.layout is not None
        slices, rows, columns = self.volume.array.shape[:3]
        numbers = np.arange(slices)[:, None, None]
        return self.layout.view(np.broadcast_to(numbers, (slices, rows, columns)))

    def _sampled(self, index: int, absent: NDArray[np.bool_]) -> PlanePixels:
        corner = self.firsts[index]
        return _grid(self.volume).sample(corner, self.down, self.right, self.shape, absent)


_AS_IT_IS = VoxelLayout((0, 1, 2), (False, False, False))


def cut_planes(volume: Volume, plane: Plane) -> PlaneStack | None:
    """The planes of a volume.

    A view of its pixels where it has them in these planes; else they are interpolated from the
    slices' real positions, at about the volume's own spacing. Planes across an oblique volume
    follow its own axes, so that nothing is interpolated; ``AXIAL``, ``CORONAL`` and ``SAGITTAL``
    are the patient's.

    Returns
    -------
    Stack or None
        None for all planes but ``OWN`` where the place of the slices is not known, or there is
        only one.
    """
    if plane is Plane.OWN:
        return _own(volume)
    if volume.placement is not Placement.PATIENT or len(volume.array) < 2:
        return None
    layout = choose_layout_across(volume.affine, _array_axis(volume, plane))
    slices, rows, columns = volume.array.shape[:3]
    affine = layout.affine(volume.affine, (slices, rows, columns))
    directions = _STRAIGHT.get(plane)
    if directions is None:
        directions = _perpendicular(affine[:3, :3])
    cosines = np.abs(directions.T @ (affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)))
    if np.abs(cosines - np.eye(3)).max() > _ALIGNED or not _is_even(volume):
        return _boxed(volume, directions, np.linalg.norm(affine[:3, :3], axis=0))
    count, *shape = layout.shape((slices, rows, columns))
    firsts = affine[:3, 3] + np.arange(count)[:, None] * affine[:3, 0]
    return PlaneStack(volume, firsts, affine[:3, 1], affine[:3, 2], (shape[0], shape[1]), layout)


def _own(volume: Volume) -> PlaneStack:
    firsts = np.array([map_to_patient(volume, at, 0, 0) for at in range(len(volume.array))])
    down, right = volume.affine[:3, 1], volume.affine[:3, 2]
    rows, columns = volume.array.shape[1:3]
    return PlaneStack(volume, firsts, down, right, (rows, columns), _AS_IT_IS)


def _array_axis(volume: Volume, plane: Plane) -> int:
    """The axis of the array that a plane lies across."""
    nearest = find_patient_axes(volume.affine)
    if plane in _PATIENT_AXIS:
        return nearest.index(_PATIENT_AXIS[plane])
    others = [axis for axis in _ORDER if axis != nearest[0]]
    return nearest.index(others[plane is Plane.THIRD])


def _is_even(volume: Volume) -> bool:
    """Whether the affine is true of every slice."""
    if volume.positions is None:
        return True
    steps = np.arange(len(volume.positions))[:, None] * volume.affine[:3, 0]
    off = np.linalg.norm(volume.positions - volume.affine[:3, 3] - steps, axis=1).max()
    return bool(off <= _EVEN * min(volume.spacing()[1:]))


def _perpendicular(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors like these columns (slices, rows, columns) but at right angles: the columns'
    direction stays, and the rows' stays in the plane."""
    right = axes[:, 2] / np.linalg.norm(axes[:, 2])
    down = axes[:, 1] - (axes[:, 1] @ right) * right
    down /= np.linalg.norm(down)
    across = np.cross(right, down)
    return np.column_stack([across if across @ axes[:, 0] > 0 else -across, down, right])


def _boxed(
    volume: Volume, directions: NDArray[np.float64], spacing: NDArray[np.float64]
) -> PlaneStack:
    """Planes along ``directions`` that hold all of the volume."""
    rows, columns = volume.array.shape[1:3]
    ends = (0, len(volume.array) - 1)
    corners = [map_to_patient(volume, i, r, c) for i in ends for r in (0, rows - 1)
               for c in (0, columns - 1)]  # fmt: skip
    along = np.array(corners) @ directions
    low, high = along.min(axis=0), along.max(axis=0)
    count, height, width = (np.ceil((high - low) / spacing - 1e-3).astype(int) + 1).tolist()
    slack = (np.array([count, height, width]) - 1) * spacing - (high - low)
    across, down, right = (directions * spacing).T
    firsts = directions @ (low - slack / 2) + np.arange(count)[:, None] * across
    return PlaneStack(volume, firsts, down, right, (height, width), None)


class _Grid:
    """Finds the voxels of points in the patient, by the slices' real positions."""

    def __init__(self, volume: Volume) -> None:
        self._pixels = volume.array
        self._normal = compute_normal(volume)
        firsts = np.array([map_to_patient(volume, at, 0, 0) for at in range(len(volume.array))])
        self._inverse = np.linalg.pinv(volume.affine[:3, 1:3])
        self._offsets = self._inverse @ firsts.T
        self._depths = firsts @ self._normal
        steps = np.diff(self._depths)
        self._half = float(np.median(steps)) / 2 if len(steps) else volume.spacing()[0] / 2
        self._is_gap = np.append(steps > 2 * _GAP * self._half, False)
        self._knots = self._around_gaps()

    def _around_gaps(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Depths, and the slice number at each: a slice beside a gap reaches half a step in."""
        depths, numbers = list(self._depths), list(range(len(self._depths)))
        for at in np.flatnonzero(self._is_gap)[::-1]:
            near, far = self._depths[at] + self._half, self._depths[at + 1] - self._half
            depths[at + 1 : at + 1] = [near, far]
            numbers[at + 1 : at + 1] = [at, at + 1]
        return np.array(depths), np.array(numbers, float)

    def sample(
        self,
        corner: NDArray[np.float64],
        down: NDArray[np.float64],
        right: NDArray[np.float64],
        shape: tuple[int, int],
        absent: NDArray[np.bool_],
    ) -> PlanePixels:
        """Interpolate a plane linearly; ``corner`` is the centre of its first pixel."""
        rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])[None]

        def ramp(weights: NDArray[np.float64]) -> NDArray[np.float64]:
            start, per_row, per_column = weights @ corner, weights @ down, weights @ right
            return np.asarray(start + per_row * rows + per_column * columns)

        depth = ramp(self._normal)
        at = np.interp(depth, *self._knots)
        numbers = np.arange(len(self._depths))
        row = ramp(self._inverse[0]) - np.interp(at, numbers, self._offsets[0])
        column = ramp(self._inverse[1]) - np.interp(at, numbers, self._offsets[1])
        _, height, width = self._pixels.shape[:3]
        outside = (
            (depth < self._depths[0] - self._half) | (depth > self._depths[-1] + self._half)
            | (row < -0.5) | (row > height - 0.5) | (column < -0.5) | (column > width - 0.5)
        )  # fmt: skip
        values = _interpolate(self._pixels, np.stack([at, row, column]))
        return PlanePixels(values, outside, self._absent(at, absent))

    def _absent(
        self, at: NDArray[np.float64], absent: NDArray[np.bool_]
    ) -> NDArray[np.bool_] | None:
        if not absent.any() and not self._is_gap.any():
            return None
        before, after = np.floor(at).astype(np.intp), np.ceil(at).astype(np.intp)
        between = self._is_gap[before] & (before != after)
        found: NDArray[np.bool_] = absent[before] | absent[after] | between
        return found


_grids: WeakKeyDictionary[Volume, _Grid] = WeakKeyDictionary()


def _grid(volume: Volume) -> _Grid:
    if volume not in _grids:
        _grids[volume] = _Grid(volume)
    return _grids[volume]


def _interpolate(array: NDArray[Any], at_3HW: NDArray[np.float64]) -> NDArray[Any]:
    """Linear, the border voxels going on outwards."""
    from scipy.ndimage import map_coordinates  # type: ignore[import-untyped]

    if array.ndim == 4:
        return np.stack([_interpolate(array[..., c], at_3HW) for c in range(3)], axis=-1)
    exact = array.dtype if array.dtype == np.float64 else np.float32
    values: NDArray[Any] = map_coordinates(array, at_3HW, output=exact, order=1, mode="nearest")
    return np.rint(values).astype(array.dtype) if array.dtype.kind in "iu" else values


def _all(masks: list[NDArray[np.bool_] | None]) -> NDArray[np.bool_] | None:
    known = [mask for mask in masks if mask is not None]
    return np.logical_and.reduce(known) if len(known) == len(masks) else None
