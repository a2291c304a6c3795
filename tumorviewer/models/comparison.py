"""A paired comparison of two models, as ``tumorviewer-train compare`` writes it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tumorviewer.errors import InputError
from tumorviewer.language import later, tr
from tumorviewer.models import schema
from tumorviewer.models.card import ModelCard

SCHEMA = 1
BETTER, NOT_WORSE = later("better"), later("not worse")
WORSE, UNDECIDED = later("worse"), later("undecided")
FEW_GROUPS = 20
"""Of a test set: with fewer, an interval is itself uncertain, and the gate stays closed."""
_LIMIT = 2**20
_AGAIN = later("Make it again with `tumorviewer-train compare`.")


@dataclass(frozen=True)
class ComparedModel:
    """Which model: a name may come back with other weights."""

    name: str
    version: str
    sha256: str
    """Of the weights."""

    @classmethod
    def of(cls, card: ModelCard) -> ComparedModel:
        """The model of that card."""
        return cls(card.name, card.version, card.weights.sha256)

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class TestSet:
    """What both models were judged on."""

    name: str
    sha256: str
    """Of the items' content."""
    n: int
    groups: int
    classes: dict[str, int] = field(default_factory=dict)
    """Groups of each class that occurs; empty in old comparisons, where that is not known."""


@dataclass(frozen=True)
class Comparison:
    """What a promotion needs of a comparison, and what its record keeps."""

    candidate: ComparedModel
    current: ComparedModel
    data: TestSet
    verdict: str
    """``better``, ``not worse``, ``worse`` or ``undecided``."""
    words: str = ""
    """The verdict as a sentence."""
    figures: dict[str, Any] = field(default_factory=dict)
    overlap: dict[str, Any] = field(default_factory=dict)
    """By model: the share of the test set that its training saw; null if that is not known."""


def read_comparison(path: Path) -> Comparison:
    """Read a comparison; what a promotion does not need of it is left out.

    Raises
    ------
    InputError
        If it cannot be read or is not a comparison.
    """
    try:
        if path.stat().st_size > _LIMIT:
            raise InputError(str(path), tr("It is too large for a comparison."), tr(_AGAIN))
        content = json.loads(path.read_text("utf-8"))
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            raise InputError(
                str(path), tr("It is no comparison of schema {newest}.", newest=SCHEMA), tr(_AGAIN)
            )
        return _from_json(content)
    except OSError as error:
        reason = tr("It cannot be read: {error}.", error=error.strerror)
        raise InputError(str(path), reason, tr("Check its name and its permissions.")) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            str(path), tr("It is not a comparison: {error}", error=error), tr(_AGAIN)
        ) from error


def _from_json(content: dict[str, Any]) -> Comparison:
    kept = _known(Comparison, content)
    for name, kind in (("candidate", ComparedModel), ("current", ComparedModel), ("data", TestSet)):
        if isinstance(kept.get(name), dict):
            kept[name] = _known(kind, kept[name])
    return schema.of_type(Comparison, kept, "comparison")


def _known(kind: type, content: dict[str, Any]) -> dict[str, Any]:
    names = {one.name for one in dataclasses.fields(kind)}
    return {name: value for name, value in content.items() if name in names}
