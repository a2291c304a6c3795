"""What a reader must know of a volume: in words for people, with a code and values for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from tumorviewer.language import tr


class Note(str):
    """A sentence in the user's language that also says in data what it is about."""

    __slots__ = ("code", "values")

    code: str
    """Stays the same in every language and version: ``"missing_slices"``."""
    values: Mapping[str, Any]
    """Numbers and texts of the sentence, plain data."""

    def __new__(cls, code: str, text: str, values: Mapping[str, Any]) -> Self:  # noqa: D102
        made = super().__new__(cls, text)
        made.code, made.values = code, dict(values)
        return made

    def __getnewargs__(self) -> tuple[str, str, Mapping[str, Any]]:  # type: ignore[override]
        return self.code, str(self), self.values

    def to_json(self) -> dict[str, Any]:
        """``code``, ``text`` and ``values``, as JSON and the records keep them."""
        return {"code": self.code, "text": str(self), "values": dict(self.values)}


def make_note(code: str, text: str, **values: Any) -> Note:
    """A note of a text marked by :func:`tumorviewer.language.later`, with values in its braces."""
    return Note(code, tr(text, **values), values)
