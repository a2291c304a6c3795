"""Every measure of a card's trust as lines of text: whatever the dataclasses hold is printed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from tumorviewer.models.trust_measures import Measured, Trust

_WIDTH = 34
_INDENT = "  "


def trust_lines(trust: Trust | None) -> Iterator[str]:
    """A readable table; intervals are of 95 %, over groups."""
    if trust is None:
        yield "Nobody measured how far this model's answers may be believed."
        return
    yield f"Measured on {trust.items:,} held-out items in {trust.groups:,} groups."
    for field in dataclasses.fields(trust):
        part = getattr(trust, field.name)
        if dataclasses.is_dataclass(part):
            yield ""
            yield field.name.replace("_", " ").capitalize()
            yield from _of(part, 1)
        elif part is None:
            yield ""
            yield f"{field.name.replace('_', ' ').capitalize()}: not measured"


def _of(part: Any, depth: int) -> Iterator[str]:
    for field in dataclasses.fields(part):
        yield from _entry(field.name, getattr(part, field.name), depth)


def _entry(name: str, value: Any, depth: int) -> Iterator[str]:
    indent, name = _INDENT * depth, name.replace("_", " ")
    if isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
        yield f"{indent}{name}"
        yield from _table(value, depth + 1)
    elif isinstance(value, dict):
        yield f"{indent}{name}"
        for key, each in value.items():
            yield from _entry(key, each, depth + 1)
    elif dataclasses.is_dataclass(value) and not isinstance(value, Measured):
        yield f"{indent}{name}"
        yield from _of(value, depth + 1)
    else:
        yield f"{indent}{name:{_WIDTH - len(indent)}}  {_cell(value)}"


def _table(rows: tuple[Any, ...], depth: int) -> Iterator[str]:
    names = [field.name for field in dataclasses.fields(rows[0])]
    cells = [[name.replace("_", " ") for name in names]]
    cells += [[_cell(getattr(row, name)) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"{_INDENT * depth}{_INDENT.join(padded)}".rstrip()


def _cell(value: Any) -> str:
    match value:
        case Measured():
            return f"{value.value:.4f} ({value.low:.4f} to {value.high:.4f})"
        case float():
            return f"{value:.4f}"
        case None:
            return "-"
        case dict():
            return ", ".join(f"{key} {_cell(each)}" for key, each in value.items())
        case tuple():
            return " ".join(map(_cell, value))
        case _:
            return str(value)
