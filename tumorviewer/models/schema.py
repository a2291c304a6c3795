"""``card.json`` to a :class:`ModelCard` and back; whatever does not fit is refused by name."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import types
import typing
from collections.abc import Iterator
from typing import Any, TypeVar

from tumorviewer.language import tr
from tumorviewer.models.card import SCHEMA, ModelCard

_T = TypeVar("_T")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_NUMBER_LIMIT = 4096
"""Widest or deepest that an architecture's option may ask for, before any memory is taken."""
_NEIGHBOURS_LIMIT = 16
_MEMBERS_LIMIT = 16
"""Tables that an option may hold: the members of an ensemble, with options of their own."""


class NewerSchemaError(ValueError):
    """A card that only a later version of this program understands."""

    def __init__(self, schema: int) -> None:
        super().__init__(
            tr(
                "it has schema {schema}, this version reads up to {newest}.",
                schema=schema,
                newest=SCHEMA,
            )
        )


def to_json(card: ModelCard) -> str:
    """The text of ``card.json``."""
    return json.dumps(dataclasses.asdict(card), indent=2, ensure_ascii=False) + "\n"


def from_json(text: str) -> ModelCard:
    """Read a card strictly: no field unknown, missing, or of another type.

    Raises
    ------
    ValueError
        With a sentence that names the field.
    """
    try:
        content = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        json.dumps(content, ensure_ascii=False).encode()  # lone surrogates cannot be shown
    except RecursionError:
        raise ValueError(tr("it is nested too deeply.")) from None
    _check_schema(content)
    card: ModelCard = _value(ModelCard, content, "card")
    for problem in (*_problems(card), *_problems_of_parts(card)):
        raise ValueError(f"{problem}.")
    return card


def of_type(kind: type[_T], content: Any, what: str) -> _T:
    """A dataclass from what JSON gives, as strictly as a card.

    Raises
    ------
    ValueError
        With a sentence that names the field, below ``what``.
    """
    built: _T = _value(kind, content, what)
    return built


def _problems(card: ModelCard) -> Iterator[str]:
    """Values that have the right type and make no sense."""
    if not NAME.fullmatch(card.name):
        yield tr("name may hold only a–z, 0–9, - and _, at most 64 of them")
    if len(card.classes) < 2 or len(set(card.classes)) < len(card.classes):
        yield tr("classes must be two or more, all different")
    if set(card.labels) != set(card.classes):
        yield tr("labels must have one entry for each class")
    if card.no_tumour not in (None, *card.classes):
        yield tr("no_tumour must be one of the classes")
    if not 0 < card.temperature < math.inf:
        yield tr("temperature must be a positive number")
    if not all(map(_is_modest, card.architecture.options.values())):
        yield tr(
            "architecture.options may hold only short text and numbers up to {limit}",
            limit=_NUMBER_LIMIT,
        )


def _problems_of_parts(card: ModelCard) -> Iterator[str]:
    if not 16 <= card.preprocessing.size <= 2048:
        yield tr("preprocessing.size must be from 16 to 2048")
    if not 0 <= card.preprocessing.margin <= 1:
        yield tr("preprocessing.margin must be from 0 to 1")
    if not 0 <= card.preprocessing.neighbours <= _NEIGHBOURS_LIMIT:
        yield tr("preprocessing.neighbours must be from 0 to {limit}", limit=_NEIGHBOURS_LIMIT)
    if not re.fullmatch(r"[\w-]+\.safetensors", card.weights.file):
        yield tr("weights.file must name a .safetensors file in the bundle's own folder")
    if not re.fullmatch(r"[0-9a-f]{64}", card.weights.sha256):
        yield tr("weights.sha256 must be 64 hexadecimal digits")
    if card.weights.bytes <= 0:
        yield tr("weights.bytes must be positive")
    if card.graphs and not all(map(NAME.fullmatch, card.graphs.sha256)):
        yield tr("graphs.sha256 may name only graphs in the bundle's own folder")


def _check_schema(content: Any) -> None:
    schema = content.get("schema") if isinstance(content, dict) else None
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise ValueError(tr("schema is missing or not a version number."))
    if schema > SCHEMA:
        raise NewerSchemaError(schema)


def _is_modest(value: object, depth: int = 2) -> bool:
    if isinstance(value, str):
        return len(value) <= 100
    if isinstance(value, list):
        tables = depth == 2 and len(value) <= _MEMBERS_LIMIT
        return tables and all(isinstance(one, dict) and _is_modest(one, 1) for one in value)
    if isinstance(value, dict):
        return 0 <= depth < 2 and all(_is_modest(one, depth - 1) for one in value.values())
    return isinstance(value, bool | int | float) and abs(value) <= _NUMBER_LIMIT


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError(tr("a field is given twice."))
    return content


def _no_constant(text: str) -> Any:
    raise ValueError(tr("{text} is not a number in JSON.", text=text))


def _build(kind: Any, content: dict[str, Any], path: str) -> Any:
    """A dataclass from a JSON object."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if unknown := sorted(set(content) - set(fields)):
        raise ValueError(tr("{path}{unknown} is not a known field.", path=path, unknown=unknown[0]))
    for name, field in fields.items():
        optional = (field.default, field.default_factory) != (dataclasses.MISSING,) * 2
        if name not in content and not optional:
            raise ValueError(tr("{path}{name} is missing.", path=path, name=name))
    hints = typing.get_type_hints(kind)
    return kind(**{name: _value(hints[name], content[name], f"{path}{name}") for name in content})


def _value(kind: Any, value: Any, path: str) -> Any:
    """A field's value as its annotation wants it."""
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return _build(kind, value, f"{path}.")
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return None if value is None else _value(arguments[0], value, path)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(arguments[0], item, path) for item in value)
    if origin is dict and isinstance(value, dict):
        return {key: _value(arguments[1], item, f"{path}.{key}") for key, item in value.items()}
    if kind is float and type(value) is int:
        return float(value)
    if kind is Any or type(value) is kind:
        return value
    raise ValueError(
        tr(
            "{path} must be {words}, not {words2}.",
            path=path,
            words=_words(kind),
            words2=_words(type(value)),
        )
    )


def _words(kind: Any) -> str:
    known = {
        str: "text",
        int: tr("a whole number"),
        float: tr("a number"),
        bool: tr("true or false"),
    }
    known |= {list: tr("a list"), dict: tr("an object"), type(None): "null"}
    default = tr("a list") if typing.get_origin(kind) is tuple else tr("an object")
    return known.get(kind, default)
