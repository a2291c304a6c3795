"""Frames of one series to stacks of parallel slices, each in the order of its geometry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorviewer.study.dicom.frames import Frame

_SAME_DIRECTION = 1e-3
"""Largest difference between the cosines of parallel slices."""
SAME_POSITION = 1e-3
"""Slices nearer to each other than this are at the same position, mm."""

_SEPARATE = (
    "image_type",
    "echo_number",
    "echo_time",
    "b_value",
    "stack",
    "view",
    "frame_of_reference",
)
"""Attributes whose values are never mixed in one stack."""
_CONTRAST = ("inversion_time", "sequence", "contrast_phase")
_REPEAT = (
    "temporal_position",
    "time_offset",
    "trigger",
    "gradient",
    "acquisition",
    "acquisition_time",
    "content_time",
    "object",
    *(f"dimension_{at}" for at in range(1, 10)),
)
_IF_DOUBLED = ("offset", *_CONTRAST, *_REPEAT)
"""Attributes that separate stacks only where slices are at the same position; the first that
tells them apart is used."""


@dataclass(frozen=True, eq=False)
class SliceStack:
    """Parallel slices of one size, spacing and kind, in order."""

    frames: tuple[Frame, ...]
    kind: tuple[tuple[str, Hashable], ...]
    """What separates it from other stacks of its series, by the attributes' names."""
    split: tuple[tuple[str, Hashable], ...]
    """What separates it from stacks at the same positions; ``repeat`` if nothing in the files."""

    @property
    def contrast(self) -> tuple[tuple[str, Hashable], ...]:
        """As `kind`, with the part of `split` that changes what is seen and not only when."""
        changed = {"offset", *_CONTRAST}
        return self.kind + tuple(part for part in self.split if part[0] in changed)


def compute_slice_normal(orientation: Sequence[float]) -> NDArray[np.float64]:
    """The direction in which slices are ordered: row cosines × column cosines."""
    return np.cross(orientation[:3], orientation[3:])


def group_stacks(frames: Sequence[Frame]) -> list[SliceStack]:
    """Group the frames of one series.

    Frames whose place is known are ordered by their position along the normal of the slices
    (PS3.3 C.7.6.2.1.1), others by instance number.

    Parameters
    ----------
    frames
        All frames of a series, in any order.

    Returns
    -------
    list of Stack
        By the lowest instance number in each.
    """
    directions = _directions(frames)
    groups: defaultdict[tuple[tuple[str, Hashable], ...], list[Frame]] = defaultdict(list)
    for frame, direction in zip(frames, directions, strict=True):
        groups[_kind(frame, direction)].append(frame)
    stacks = []
    for kind, members in groups.items():
        if members[0].is_placed:
            stacks += [SliceStack(part, kind, split) for part, split in _part(members, _IF_DOUBLED)]
        else:
            stacks.append(SliceStack(tuple(sorted(members, key=_number)), kind, ()))
    return sorted(stacks, key=lambda stack: min(map(_number, stack.frames)))


def _number(frame: Frame) -> tuple[int, int]:
    return frame.image.number, frame.index


def _directions(frames: Sequence[Frame]) -> list[tuple[float, ...] | None]:
    """For each frame the orientation of the first frame that is parallel to it."""
    known: list[tuple[float, ...]] = []
    found = []
    for frame in frames:
        wanted = frame.orientation if frame.is_placed else None
        if wanted is not None:
            match = next((other for other in known if _is_parallel(wanted, other)), None)
            if match is None:
                known.append(wanted)
            wanted = match or wanted
        found.append(wanted)
    return found


def _is_parallel(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(abs(a - b) < _SAME_DIRECTION for a, b in zip(one, other, strict=True))


def _kind(frame: Frame, direction: tuple[float, ...] | None) -> tuple[tuple[str, Hashable], ...]:
    pixels = frame.image.format
    spacing = frame.spacing and tuple(round(distance, 4) for distance in frame.spacing)
    values = {
        "orientation": direction,
        "size": (pixels.columns, pixels.rows),
        "spacing": spacing,
        "colours": "RGB" if pixels.is_colour else pixels.photometric,
        "number_type": pixels.is_float,
    }
    attributes = frame.attributes
    return (*values.items(), *((name, attributes.get(name)) for name in _SEPARATE))


Parts = list[tuple[tuple[Frame, ...], tuple[tuple[str, Hashable], ...]]]


def _part(frames: list[Frame], names: Sequence[str]) -> Parts:
    """Split slices at the same position, by the first attributes that tell them apart.

    An attribute is used if it has no more values than there are slices at one position and every
    part has fewer of them; one that differs from slice to slice has not, and is passed over.
    """
    ordered, places = _order(frames)
    doubled = max(map(len, places))
    if doubled == 1:
        return [(tuple(ordered), ())]
    for at, name in enumerate(names):
        parts = _by(ordered, _reader(name))
        if 1 < len(parts) <= doubled and all(_doubled(part) < doubled for part in parts.values()):
            return [
                (part, ((name, stated), *split))
                for stated, members in parts.items()
                for part, split in _part(members, names[at + 1 :])
            ]
    return _deal(places)


def _order(frames: Sequence[Frame]) -> tuple[list[Frame], list[list[Frame]]]:
    """Frames by position along the normal, and those at each position by number."""
    along = project_positions(frames)
    places: list[list[Frame]] = []
    previous = -np.inf
    for at in np.argsort(along, kind="stable"):
        if along[at] - previous > SAME_POSITION:
            places.append([])
            previous = along[at]
        places[-1].append(frames[at])
    for place in places:
        place.sort(key=_number)
    return [frame for place in places for frame in place], places


def project_positions(frames: Sequence[Frame]) -> NDArray[np.float64]:
    """Distance of each frame's plane from the origin along the common normal, mm."""
    first = frames[0].orientation
    return np.array([frame.position for frame in frames]) @ compute_slice_normal(first or ())


def _doubled(frames: list[Frame]) -> int:
    return max(map(len, _order(frames)[1]))


def _by(frames: list[Frame], read: Callable[[Frame], Hashable]) -> dict[Hashable, list[Frame]]:
    """Frames by a value, those without it first."""
    parts: defaultdict[Hashable, list[Frame]] = defaultdict(list)
    for frame in frames:
        parts[read(frame)].append(frame)
    return dict(sorted(parts.items(), key=lambda part: (part[0] is not None, part[0])))


def _reader(name: str) -> Callable[[Frame], Hashable]:
    if name == "offset":
        return _offset
    if name == "object":
        return lambda frame: frame.image.uid if frame.image.frames > 1 else None
    return lambda frame: frame.attributes.get(name)


def _offset(frame: Frame) -> Hashable:
    """Where in its own plane a slice begins, to the millimetre."""
    axes = np.reshape(frame.orientation or (), (2, 3))
    return tuple(int(part) for part in np.rint(axes @ np.array(frame.position)))


def _deal(places: list[list[Frame]]) -> Parts:
    """Split what nothing tells apart: the first of each position, the second of each, …"""
    most = max(map(len, places))
    return [
        (
            tuple(place[turn] for place in places if turn < len(place)),
            (("repeat", turn + 1),),
        )
        for turn in range(most)
    ]
