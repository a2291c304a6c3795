"""What was opened before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tumorviewer.language import tr


@dataclass(frozen=True)
class Recent:
    """Paths that were opened together."""

    title: str
    paths: tuple[str, ...]

    @classmethod
    def of(cls, paths: Sequence[Path]) -> Recent:
        """An entry with a title made from the paths themselves."""
        absolute = tuple(str(path.absolute()) for path in paths)
        more = tr(" and {n} more", n=len(paths) - 1) if len(paths) > 1 else ""
        return cls(Path(absolute[0]).name + more, absolute)
