"""One readable TOML file to frozen dataclasses and back, with every default shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import Field, asdict, field, fields, is_dataclass, replace
from difflib import get_close_matches
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from tumorviewer.errors import InputError

T = TypeVar("T")


def option(default: T, description: str, choices: tuple[str, ...] = ()) -> T:
    """A dataclass field that explains itself in the configuration file."""
    return field(default=default, metadata={"description": description, "choices": choices})


def build_settings(
    kind: type[T],
    values: Mapping[str, Any],
    source: str,
    where: str = "",
    base: T | None = None,
) -> T:
    """Make the dataclass ``kind`` of ``values``; unknown keys and wrong types are refused.

    What is not named is taken from ``base``, or is the default.

    Raises
    ------
    InputError
        That names the key, with the nearest known one.
    """
    hints = get_type_hints(kind)
    known = {one.name: one for one in fields(cast("Any", kind))}
    made: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{where}{key}"
        if key not in known:
            raise InputError(source, f"There is no option {name!r}.", _suggestion(key, known))
        made[key] = _convert(hints[key], value, known[key], source, name)
    try:
        return kind(**made) if base is None else cast("T", replace(cast("Any", base), **made))
    except ValueError as error:
        raise InputError(source, f"[{where.rstrip('.') or 'configuration'}] {error}.") from error


def _suggestion(key: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(key, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(known)}."


def _convert(hint: Any, value: Any, to: Field[Any], source: str, name: str) -> Any:
    if is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise InputError(source, f"{name!r} is a table, [{name}].")
        table = cast("type[Any]", hint)
        base = to.default_factory() if callable(to.default_factory) else None
        return build_settings(table, value, source, f"{name}.", base)
    if get_origin(hint) is tuple and isinstance(value, list):
        value = tuple(value)
    if hint is float and type(value) is int:
        value = float(value)
    expected = get_origin(hint) or hint
    if type(value) is not expected:
        kind = expected.__name__
        raise InputError(source, f"{name!r} must be {kind}, not {value!r}.")
    if expected is tuple and not all(type(one) is get_args(hint)[0] for one in value):
        raise InputError(source, f"{name!r} must hold {get_args(hint)[0].__name__} only.")
    choices = to.metadata.get("choices", ())
    if choices and value not in choices:
        raise InputError(source, f"{name!r} must be one of {', '.join(choices)}, not {value!r}.")
    return value


def export_plain(settings: Any) -> dict[str, Any]:
    """Nested dictionaries and lists, as JSON and TOML have them."""
    return cast("dict[str, Any]", json.loads(json.dumps(asdict(settings))))


def describe_options(settings: Any, path: str = "") -> list[dict[str, Any]]:
    """Every option with its name (``table.key``), value, meaning and choices, to make a form of."""
    found: list[dict[str, Any]] = []
    for one in fields(settings):
        name, value = f"{path}{one.name}", getattr(settings, one.name)
        if is_dataclass(value):
            found += describe_options(value, f"{name}.")
            continue
        said = {key: one.metadata.get(key, "") for key in ("description", "choices")}
        found.append({"name": name, "value": value, **said, "choices": list(said["choices"])})
    return found


def export_toml(settings: Any, path: str = "") -> str:
    """Every option with its value and, above it, what it means."""
    lines: list[str] = []
    tables: list[str] = []
    for one in fields(settings):
        value = getattr(settings, one.name)
        if is_dataclass(value):
            tables.append(f"\n[{path}{one.name}]\n{export_toml(value, f'{path}{one.name}.')}")
            continue
        if description := one.metadata.get("description"):
            lines.append(f"# {description}")
        lines.append(f"{one.name} = {_literal(value)}")
    return "\n".join(lines + tables) + ("\n" if not path else "")


def _literal(value: Any) -> str:
    if isinstance(value, Mapping):
        inside = ", ".join(f"{json.dumps(key)} = {_literal(one)}" for key, one in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_literal, value))}]"
    return json.dumps(value, ensure_ascii=False)
