"""Which model was in use when, who changed it and why: ``history.jsonl`` beside the models."""

from __future__ import annotations

import getpass
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tumorviewer.errors import InputError
from tumorviewer.files import replace_atomically
from tumorviewer.language import tr
from tumorviewer.models import schema
from tumorviewer.models.comparison import ComparedModel, Comparison

NAME = "history.jsonl"
PROMOTE, ROLL_BACK = "promote", "rollback"


@dataclass(frozen=True)
class Change:
    """One line: the default model was exchanged."""

    time: str
    """ISO 8601, UTC."""
    user: str
    action: str
    """:data:`PROMOTE` or :data:`ROLL_BACK`."""
    before: ComparedModel | None
    """None if there was no default that could be read."""
    after: ComparedModel
    comparison: Comparison | None = None
    override: str = ""
    """Why it was done all the same."""

    def __str__(self) -> str:
        why = f"override: {self.override}" if self.override else ""
        if self.comparison and not why:
            verdict = tr(self.comparison.verdict)
            why = tr("{verdict} on {data}", verdict=verdict, data=self.comparison.data.name)
        line = f"{self.time}  {self.user}  {self.action}  {self.before or 'nothing'} → {self.after}"
        return f"{line}  {why}".rstrip()


def read_journal(root: Path) -> tuple[Change, ...]:
    """Every change of a user's default model, oldest first.

    Raises
    ------
    InputError
        If the journal cannot be read.
    """
    path = root / NAME
    try:
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        return tuple(schema.of_type(Change, json.loads(line), "line") for line in lines)
    except OSError as error:
        reason = tr("It cannot be read: {error}.", error=error.strerror)
        raise InputError(str(path), reason, tr("Check its permissions.")) from error
    except (ValueError, RecursionError) as error:
        reason = tr("The history of the models is damaged: {error}", error=error)
        raise InputError(str(path), reason, tr("Move it aside to begin a new one.")) from error


def append_change(root: Path, changes: Sequence[Change], change: Change) -> None:
    """Write the journal with one more line, wholly or not at all."""
    text = "".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in (*changes, change))
    with replace_atomically(root / NAME) as beside:
        beside.write_text(text, "utf-8")


def current_time() -> str:
    """The time as the journal keeps it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def user_name() -> str:
    """Who is logged in, as far as the system knows."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return "unknown"
