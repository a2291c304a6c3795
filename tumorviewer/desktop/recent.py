"""What was opened before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Recent:
    """Paths that were opened together."""

    title: str
    paths: tuple[str, ...]

    @classmethod
    def of(cls, paths: Sequence[Path]) -> Recent:
        """An entry with a title made from the paths themselves."""
        absolute = tuple(str(path.absolute()) for path in paths)
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        return cls(Path(absolute[0]).name + more, absolute)
