"""Frames of one series to stacks of parallel slices, each in the order of its geometry."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tumorviewer.language import later
from tumorviewer.study.dicom.dealing import Places, deal_repeats, find_passes
from tumorviewer.study.dicom.frames import Frame
from tumorviewer.study.notes import Note, make_note

_SAME_DIRECTION = 1e-3
"""Largest difference between the cosines of parallel slices."""
SAME_POSITION = 1e-3
"""Slices nearer to each other than this are at the same position, mm."""
UNEVEN = 0.01
"""Share of the spacing by which it may vary in an even stack."""
_SAME_PIXELS = 0.1
"""Share of a pixel by which the far edges of two images of one spacing may differ."""
_ROTATING = 4
"""Single images in so many directions around one axis are a rotation."""
_COPLANAR = 0.02

_SEPARATE = ("image_type", "echo_number", "echo_time", "b_value", "stack", "view")
"""Attributes whose values are never mixed in one stack."""
_ALIKE = {"echo_time": 0.01, "b_value": 0.03, "inversion_time": 0.01}
"""Share by which values of one setting may differ: writers round them."""
_CONTRAST = ("inversion_time", "sequence", "contrast_phase", "echo_time", "b_value")
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
_IF_DOUBLED = ("offset", *_CONTRAST[:3], *_REPEAT, *_CONTRAST[3:])
"""Attributes that separate stacks only where slices are at the same position, or unevenly spaced;
the first that tells them apart is used."""
_MOST_TOGETHER = 3
"""Attributes that are needed together to tell uneven repeats apart."""

Attributes = tuple[tuple[str, Hashable], ...]
Parts = list[tuple[tuple[Frame, ...], Attributes]]
Reader = Callable[[Frame], Hashable]


@dataclass(frozen=True, eq=False)
class SliceStack:
    """Parallel slices of one size, spacing and kind, in order."""

    frames: tuple[Frame, ...]
    kind: Attributes
    """What separates it from other stacks of its series, by the attributes' names."""
    split: Attributes
    """What separates it from stacks at the same positions; ``repeat`` if nothing in the files."""
    notes: tuple[Note, ...] = ()

    @property
    def contrast(self) -> Attributes:
        """As `kind`, with the part of `split` that changes what is seen and not only when."""
        changed = {"offset", *_CONTRAST}
        return self.kind + tuple(part for part in self.split if part[0] in changed)


def compute_slice_normal(orientation: Sequence[float]) -> NDArray[np.float64]:
    """The direction in which slices are ordered: row cosines × column cosines."""
    return np.cross(orientation[:3], orientation[3:])


def group_stacks(frames: Sequence[Frame]) -> list[SliceStack]:
    """Group the frames of one series.

    Frames whose place is known are ordered by their position along the normal of the slices
    (PS3.3 C.7.6.2.1.1), others by instance number, slice location or file.

    Parameters
    ----------
    frames
        All frames of a series, in any order.

    Returns
    -------
    list of SliceStack
        By the lowest instance number in each.
    """
    kinds = zip(frames, _kinds(frames), strict=True)
    groups: defaultdict[Attributes, list[Frame]] = defaultdict(list)
    for frame, kind in kinds:
        groups[kind].append(frame)
    stacks = []
    for kind, members in groups.items():
        if members[0].is_placed:
            stacks += _placed_stacks(members, kind)
        else:
            stacks.append(_unplaced_stack(members, kind))
    return sorted(_join_rotations(stacks), key=lambda stack: min(map(_number, stack.frames)))


def _number(frame: Frame) -> tuple[int, int]:
    return frame.image.number, frame.index


def _kinds(frames: Sequence[Frame]) -> Iterator[Attributes]:
    """What each frame must have in common with others of its stack."""
    alike: dict[str, dict[float, float]] = {
        name: _representatives(_stated(frames, name), share) for name, share in _ALIKE.items()
    }
    longest = max((max(frame.rows, frame.columns) for frame in frames), default=1)
    distances = [distance for frame in frames for distance in frame.spacing or ()]
    spacings = _representatives(distances, _SAME_PIXELS / longest)
    for frame, direction in zip(frames, _directions(frames), strict=True):
        pixels, attributes = frame.image.format, frame.attributes
        values = {
            "orientation": direction,
            "size": (frame.columns, frame.rows),
            "spacing": frame.spacing and tuple(spacings[distance] for distance in frame.spacing),
            "colours": "RGB" if pixels.is_colour else pixels.photometric,
            "number_type": pixels.is_float,
        }
        stated = {name: attributes.get(name) for name in _SEPARATE}
        for name in alike.keys() & stated.keys():
            stated[name] = alike[name].get(stated[name], stated[name])  # type: ignore[call-overload]
        yield (*values.items(), *stated.items())


def _stated(frames: Sequence[Frame], name: str) -> list[float]:
    values = (frame.attributes.get(name) for frame in frames)
    return [value for value in values if isinstance(value, float | int)]


def _representatives(values: Iterable[float], share: float) -> dict[float, float]:
    """One value for all that differ from the least of them by no more than a share of it."""
    found: dict[float, float] = {}
    cluster: list[float] = []
    for value in [*sorted(set(values)), np.inf]:
        if cluster and value - cluster[0] > share * abs(cluster[0]):
            shortest = min(cluster, key=lambda one: len(repr(one)))
            found |= dict.fromkeys(cluster, shortest)
            cluster = []
        cluster.append(value)
    return found


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


def _unplaced_stack(frames: list[Frame], kind: Attributes) -> SliceStack:
    """Frames without a place, in the best order that the files state."""
    locations = {frame.location for frame in frames}
    numbers = {_number(frame) for frame in frames}
    frames = sorted(frames, key=_number)
    if len(frames) == 1:
        return SliceStack(tuple(frames), kind, ())
    if len(numbers) < len(frames) == len(locations) and None not in locations:
        frames = sorted(frames, key=lambda frame: frame.location or 0.0)
        text = later("Where the slices lie is not stated: they are in the order of Slice Location.")
    elif len(numbers) > 1:
        text = later(
            "Where the slices lie is not stated: they are in the order of their instance numbers."
        )
    else:
        text = later(
            "Neither where the slices lie nor their order is stated: they are in the order of "
            "their files."
        )
    return SliceStack(tuple(frames), kind, (), (make_note("position_not_stated", text),))


def _placed_stacks(frames: list[Frame], kind: Attributes) -> list[SliceStack]:
    """Frames of one kind by their frame of reference, and by what tells repeats apart.

    A series has one frame of reference (PS3.3 C.7.4.1.1.1). Where each file has its own and they
    make even stacks, the files are wrong and not the positions.
    """
    by_frame = _by(frames, lambda frame: frame.attributes.get("frame_of_reference"))
    if len(by_frame) == len(frames) > 2:
        bare = [_without_frame_of_reference(frame) for frame in frames]
        parts = _part(bare, _IF_DOUBLED)
        if all(len(part) > 2 and _is_even(find_places(part)) for part, _ in parts):
            text = later(
                "Every file states a frame of reference of its own; the positions make one volume."
            )
            note = make_note("frame_of_reference_each", text)
            return [SliceStack(part, kind, split, (note,)) for part, split in parts]
    return [
        SliceStack(part, (*kind, ("frame_of_reference", stated)), split)
        for stated, members in by_frame.items()
        for part, split in _part(members, _IF_DOUBLED)
    ]


def _without_frame_of_reference(frame: Frame) -> Frame:
    kept = {name: x for name, x in frame.attributes.items() if name != "frame_of_reference"}
    return replace(frame, attributes=kept)


def _part(frames: Sequence[Frame], names: Sequence[str]) -> Parts:
    """Split slices that repeat, by the attributes that tell the repeats apart.

    At the same positions an attribute is used if it has no more values than there are slices at
    one position and every part has fewer of them; one that differs from slice to slice has not,
    and is passed over. Where the positions move between repeats, so that the slices are unevenly
    spaced, attributes are used that part them into even stacks.
    """
    places = find_places(frames)
    doubled = max(map(len, places))
    is_even = _is_even(places)
    if doubled == 1 and is_even:
        return [(_flat(places), ())]
    if not is_even and (found := _even_parts(frames, names)):
        return found
    if doubled == 1:
        return [(_flat(places), ())]
    for at, name in enumerate(names):
        parts = _by(_flat(places), _reader(name, frames))
        if 1 < len(parts) <= doubled and all(_doubled(part) < doubled for part in parts.values()):
            return [
                (part, ((name, stated), *split))
                for stated, members in parts.items()
                for part, split in _part(members, names[at + 1 :])
            ]
    if found := _even_parts(frames, names):
        return found
    return [(part, (("repeat", turn),)) for turn, part in enumerate(deal_repeats(places), 1)]


def _even_parts(frames: Sequence[Frame], names: Sequence[str]) -> Parts | None:
    """Split by the fewest attributes that leave even stacks of one spacing; None if none do."""
    readers = {name: _reader(name, frames) for name in names if name != "offset"}
    telling = [
        name
        for name, read in readers.items()
        if 2 <= len({read(frame) for frame in frames}) <= len(frames) // 2
    ]
    for count in range(1, _MOST_TOGETHER + 1):
        for chosen in itertools.combinations(telling, count):
            parts = _by_all(frames, {name: readers[name] for name in chosen})
            if _are_even_repeats([part for part, _ in parts]):
                return parts
    passes = find_passes(frames, project_positions(frames))
    if not _are_even_repeats(passes):
        return None
    ordered = enumerate(map(find_places, passes), 1)
    return [(_flat(places), (("repeat", turn),)) for turn, places in ordered]


def _by_all(frames: Sequence[Frame], readers: Mapping[str, Reader]) -> Parts:
    """Frames, in the order of their places, by several attributes."""
    parts = _by(frames, lambda one: tuple(_sortable(read(one)) for read in readers.values()))
    return [
        (
            _flat(find_places(members)),
            tuple((name, read(members[0])) for name, read in readers.items()),
        )
        for members in parts.values()
    ]


def _are_even_repeats(parts: Sequence[Sequence[Frame]]) -> bool:
    """Whether parts are even stacks of one spacing that lie among each other."""
    if len(parts) < 2 or min(map(len, parts)) < 2:
        return False
    stacks = [find_places(part) for part in parts]
    if not all(max(map(len, places)) == 1 and _is_even(places) for places in stacks):
        return False
    ends = [(float(along[0]), float(along[-1])) for along in map(_along, stacks)]
    steps = [
        (last - first) / (len(part) - 1) for (first, last), part in zip(ends, parts, strict=True)
    ]
    ends.sort()
    overlaps = any(one[1] > other[0] for one, other in itertools.pairwise(ends))
    return overlaps and max(steps) - min(steps) <= UNEVEN * max(steps)


def find_places(frames: Sequence[Frame]) -> Places:
    """Frames by position along the normal, those at each position by instance number."""
    along = project_positions(frames)
    places: Places = []
    previous = -np.inf
    for at in np.argsort(along, kind="stable"):
        if along[at] - previous > SAME_POSITION:
            places.append([])
            previous = along[at]
        places[-1].append(frames[at])
    for place in places:
        place.sort(key=_number)
    return places


def project_positions(frames: Sequence[Frame]) -> NDArray[np.float64]:
    """Distance of each frame's plane from the origin along the common normal, mm."""
    first = frames[0].orientation
    return np.array([frame.position for frame in frames]) @ compute_slice_normal(first or ())


def _along(places: Places) -> NDArray[np.float64]:
    return project_positions([place[0] for place in places])


def _is_even(places: Places) -> bool:
    distances = np.diff(_along(places))
    if not len(distances):
        return True
    usual = float(np.median(distances))
    return bool(np.abs(distances - usual).max() <= UNEVEN * usual)


def _flat(places: Places) -> tuple[Frame, ...]:
    return tuple(frame for place in places for frame in place)


def _doubled(frames: list[Frame]) -> int:
    return max(map(len, find_places(frames)))


def _by(frames: Iterable[Frame], read: Reader) -> dict[Hashable, list[Frame]]:
    """Frames by a value, those without it first."""
    parts: defaultdict[Hashable, list[Frame]] = defaultdict(list)
    for frame in frames:
        parts[read(frame)].append(frame)
    return dict(sorted(parts.items(), key=lambda part: _sortable(part[0])))


def _sortable(value: Hashable) -> tuple[bool, Hashable]:
    return value is not None, value


def _reader(name: str, frames: Sequence[Frame]) -> Reader:
    if name == "offset":
        return lambda frame: _offset(frame, frames[0])
    if name == "object":
        return lambda frame: frame.image.uid if frame.image.frames > 1 else None
    if name == "inversion_time":
        alike = _representatives(_stated(frames, name), _ALIKE[name])
        return lambda frame: alike.get(frame.attributes.get(name))  # type: ignore[call-overload]
    return lambda frame: frame.attributes.get(name)


def _offset(frame: Frame, first: Frame) -> Hashable:
    """Where in its own plane a slice begins, beside the first, to the millimetre."""
    axes = np.reshape(frame.orientation or (), (2, 3))
    apart = np.subtract(frame.position or (), first.position or ())
    return tuple(int(part) for part in np.rint(axes @ apart))


def _join_rotations(stacks: list[SliceStack]) -> list[SliceStack]:
    """Single images that turn around one axis, as projections do, become one stack to scroll."""
    others = [stack for stack in stacks if len(stack.frames) > 1 or not stack.frames[0].is_placed]
    groups: defaultdict[Attributes, list[SliceStack]] = defaultdict(list)
    for stack in stacks:
        if stack not in others:
            groups[stack.kind[1:]].append(stack)
    for kind, singles in groups.items():
        others += [_rotation(singles, kind)] if _is_rotation(singles) else singles
    return others


def _is_rotation(singles: list[SliceStack]) -> bool:
    if len(singles) < _ROTATING:
        return False
    normals = [compute_slice_normal(stack.frames[0].orientation or ()) for stack in singles]
    spread = np.linalg.svd(np.array(normals), compute_uv=False)
    return bool(spread[2] <= _COPLANAR * spread[0] < spread[1])


def _rotation(singles: list[SliceStack], kind: Attributes) -> SliceStack:
    frames = sorted((stack.frames[0] for stack in singles), key=_number)
    bare = tuple(replace(frame, position=None, orientation=None) for frame in frames)
    text = later(
        "The images turn around one axis: each is seen from another direction, in the order of "
        "their instance numbers."
    )
    return SliceStack(bare, (("orientation", None), *kind), (), (make_note("rotation", text),))
