"""Names for the stacks of one series, from what tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from tumorviewer.study.dicom.stacks import SliceStack, compute_slice_normal

_PLANES = ("sagittal", "coronal", "axial")
_OBLIQUE = 0.8
"""Cosine below which a plane is called oblique (37°)."""


def label_stacks(stacks: Sequence[SliceStack]) -> list[str]:
    """A label for each stack, different from all others; one alone has an empty one."""
    if len(stacks) == 1:
        return [""]
    parts = [dict(stack.kind + stack.split) for stack in stacks]
    names = dict.fromkeys(name for part in parts for name in part)
    telling = [name for name in names if len({part.get(name) for part in parts}) > 1]
    labels = [
        ", ".join(filter(None, (_say(name, part[name], parts) for name in telling if name in part)))
        for part in parts
    ]
    return _numbered(labels)


def _numbered(labels: list[str]) -> list[str]:
    """Tell equal labels apart by a number."""
    counts, turn = Counter(labels), Counter[str]()
    found = []
    for label in labels:
        turn[label] += 1
        suffix = f"no. {turn[label]}" if counts[label] > 1 or not label else ""
        found.append(", ".join(filter(None, (label, suffix))))
    return found


def _say(name: str, value: Any, parts: list[dict[str, Hashable]]) -> str:
    if value is None:
        return ""
    if name in _WORDS:
        return _WORDS[name](value)
    if name not in _ORDINALS:
        return ""
    stated: list[Any] = [part[name] for part in parts if part.get(name) is not None]
    unique = dict.fromkeys(stated)
    values = list(unique) if isinstance(value, tuple) else sorted(unique)
    return f"{_ORDINALS[name]} {values.index(value) + 1}"


def name_plane(orientation: Sequence[float]) -> str:
    """The plane of slices by their row and column cosines."""
    normal = np.abs(compute_slice_normal(orientation))
    nearest = int(normal.argmax())
    return _PLANES[nearest] if normal[nearest] >= _OBLIQUE else f"oblique {_PLANES[nearest]}"


_WORDS: dict[str, Callable[[Any], str]] = {
    "orientation": name_plane,
    "size": lambda size: f"{size[0]} × {size[1]}",
    "spacing": lambda spacing: f"{spacing[1]:g} × {spacing[0]:g} mm",
    "colours": lambda colours: "colour" if colours == "RGB" else "",
    "image_type": lambda parts: " ".join(parts),
    "echo_number": lambda number: f"echo {number}",
    "echo_time": lambda time: f"TE {time:g} ms",
    "b_value": lambda b: f"b {b:g}",
    "stack": lambda stack: f"stack {stack}",
    "view": str,
    "inversion_time": lambda time: f"TI {time:g} ms",
    "sequence": str,
    "contrast_phase": str,
    "repeat": lambda turn: f"repeat {turn}",
}
_ORDINALS = {
    "frame_of_reference": "frame of reference",
    "offset": "block",
    "temporal_position": "time",
    "time_offset": "time",
    "trigger": "phase",
    "gradient": "direction",
    "acquisition": "acquisition",
    "acquisition_time": "time",
    "content_time": "time",
    "object": "object",
    **{f"dimension_{at}": "part" for at in range(1, 10)},
}
