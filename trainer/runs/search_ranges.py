"""What a search may try: ranges of settings, in a file that is laid out as the configuration."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tumorviewer.errors import InputError

if TYPE_CHECKING:
    from optuna.trial import Trial

_FIXED = ("split", "data", "card")
"""Tables that no range may touch: they decide what is compared."""
Scalar = str | int | float | bool


@dataclass(frozen=True)
class Range:
    """What one setting may be."""

    key: str
    """``table.key``."""
    choices: tuple[Scalar, ...] = ()
    low: float = 0
    high: float = 0
    log: bool = False
    step: float | None = None

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def suggest(self, trial: Trial) -> Scalar:
        """The value that a trial takes."""
        if self.choices:
            chosen = trial.suggest_categorical(self.key, self.choices)
            assert chosen is not None
            return chosen
        if self.is_whole:
            step = int(self.step or 1)
            return trial.suggest_int(
                self.key, int(self.low), int(self.high), step=step, log=self.log
            )
        return trial.suggest_float(self.key, self.low, self.high, step=self.step, log=self.log)


def read_ranges(path: Path) -> tuple[Range, ...]:
    """Ranges from a TOML file that is laid out as the configuration, each value a table
    ``{ low, high[, log, step] }`` or ``{ choices = […] }``.

    Raises
    ------
    InputError
        If it cannot be read, holds none, or one makes no sense.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(str(path), f"The ranges cannot be read: {error}.") from error
    found = tuple(_ranges(path, content, ""))
    if not found:
        example = "[training]\nlr = { low = 1e-4, high = 1e-2, log = true }"
        raise InputError(str(path), "It declares no range.", f"For example: {example}")
    return found


def _ranges(path: Path, table: Mapping[str, Any], where: str) -> list[Range]:
    ranges: list[Range] = []
    for name, value in table.items():
        key = f"{where}{name}"
        if not isinstance(value, dict) or key in _FIXED:
            reason = f"{key} is no range" if key not in _FIXED else f"[{key}] cannot be searched"
            raise InputError(str(path), f"{reason}.", "Use { low, high } or { choices = […] }.")
        if value.keys() & {"low", "high", "choices"}:
            ranges.append(_range(path, key, value))
        else:
            ranges += _ranges(path, value, f"{key}.")
    return ranges


def _range(path: Path, key: str, value: dict[str, Any]) -> Range:
    if not (_is_choice(value) if "choices" in value else _is_interval(value)):
        remedy = "Use { low, high } with low < high (log: 0 < low, no step), or { choices = […] }."
        raise InputError(str(path), f"The range of {key} makes no sense.", remedy)
    if "choices" in value:
        return Range(key, tuple(value["choices"]))
    return Range(key, **value)


def _is_choice(value: dict[str, Any]) -> bool:
    choices = value["choices"]
    return (
        value.keys() == {"choices"}
        and isinstance(choices, list)
        and bool(choices)
        and all(isinstance(one, Scalar) for one in choices)
    )


def _is_interval(value: dict[str, Any]) -> bool:
    ends = (value.get("low"), value.get("high"))
    numbers = [one for one in ends if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) < 2 or not value.keys() <= {"low", "high", "log", "step"}:
        return False
    low, high = numbers
    return low < high and not (value.get("log") and (low <= 0 or "step" in value))
