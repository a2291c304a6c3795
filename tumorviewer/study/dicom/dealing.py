"""Repeats that no attribute tells apart, dealt into passes by their instance numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tumorviewer.study.dicom.frames import Frame

Places = list[list[Frame]]
"""Slices by position, those at one position by instance number."""


def deal_repeats(places: Places) -> list[tuple[Frame, ...]]:
    """Part slices at the same positions into passes over the positions.

    By runs of instance numbers through the positions where these give as many passes as there are
    slices at one position, so that a pass that lacks a slice keeps its gap; else by instance
    numbers that count the passes at each position; else the first of each position, the second, …

    Returns
    -------
    list of tuple of Frame
        Each in the order of `places`.
    """
    frames = [frame for place in places for frame in place]
    place_of = {id(frame): at for at, place in enumerate(places) for frame in place}
    at = np.array([place_of[id(frame)] for frame in frames])
    doubled = max(map(len, places))
    for passes in (find_passes(frames, at), _runs_of_new(frames, at), _by_number(places)):
        if len(passes) == doubled and all(_is_distinct(one, place_of) for one in passes):
            return [tuple(sorted(one, key=lambda frame: place_of[id(frame)])) for one in passes]
    return [tuple(place[turn] for place in places if turn < len(place)) for turn in range(doubled)]


def find_passes(frames: Sequence[Frame], along: NDArray[np.generic]) -> list[list[Frame]]:
    """Runs of instance numbers in which positions only grow, or only fall.

    Parameters
    ----------
    frames
        In any order.
    along
        Position of each, of any unit.
    """
    order = _by_instance(frames)
    steps = np.diff(along[order].astype(np.float64))
    forwards = np.sign(steps) if (steps > 0).sum() >= (steps < 0).sum() else -np.sign(steps)
    starts = np.flatnonzero(forwards <= 0) + 1
    return [[frames[at] for at in part] for part in np.split(order, starts)]


def _by_instance(frames: Sequence[Frame]) -> NDArray[np.intp]:
    numbers = [(frame.image.number, frame.index) for frame in frames]
    return np.array(sorted(range(len(frames)), key=numbers.__getitem__), np.intp)


def _runs_of_new(frames: Sequence[Frame], at: NDArray[np.intp]) -> list[list[Frame]]:
    """Runs of instance numbers that come to no position twice."""
    passes: list[list[Frame]] = []
    seen: set[int] = set()
    for one in _by_instance(frames):
        if not passes or int(at[one]) in seen:
            passes.append([])
            seen = set()
        seen.add(int(at[one]))
        passes[-1].append(frames[one])
    return passes


def _by_number(places: Places) -> list[list[Frame]]:
    """By the remainder of instance numbers that count the slices at one position one by one."""
    doubled = max(map(len, places))
    first = min(place[0].image.number for place in places)
    passes: list[list[Frame]] = [[] for _ in range(doubled)]
    for place in places:
        turns = [(frame.image.number - first) % doubled for frame in place]
        if len(place) == doubled and turns != list(range(doubled)):
            return []
        for turn, frame in zip(turns, place, strict=True):
            passes[turn].append(frame)
    return passes


def _is_distinct(frames: Sequence[Frame], place_of: dict[int, int]) -> bool:
    return len({place_of[id(frame)] for frame in frames}) == len(frames) > 0
