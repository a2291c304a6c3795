"""Whether a file still is what it was when it was opened: another one in its place may be of
another patient."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Self

from tumorviewer.errors import InputError
from tumorviewer.language import tr


class Stamp(NamedTuple):
    """What changes with a file's content."""

    size: int
    changed_ns: int
    """Time of its last change, nanoseconds."""

    @classmethod
    def of(cls, path: Path) -> Self:
        """Of a file as it is now.

        Raises
        ------
        OSError
            If it has gone.
        """
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns)

    def check(self, path: Path, source: str) -> None:
        """Make sure that a file is as it was.

        Raises
        ------
        InputError
            If it is another, or has gone.
        """
        try:
            is_same = self == Stamp.of(path)
        except OSError as error:
            reason = tr("The file has gone since it was opened.")
            raise InputError(source, reason, tr("Bring it back and try again.")) from error
        if not is_same:
            reason = tr("The file has changed since it was opened.")
            raise InputError(source, reason, tr("Open it again."))
