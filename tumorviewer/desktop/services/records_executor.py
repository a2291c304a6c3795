"""The records as the window sees them: asked on a thread of their own, in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject, Signal

from tumorviewer.desktop.services.jobs import JobQueue, SingleThreadExecutor
from tumorviewer.errors import InputError

if TYPE_CHECKING:
    from tumorviewer.records import Records

T = TypeVar("T")
_Question = tuple[
    Callable[["Records"], Any], Callable[[Any], object], Callable[[InputError], object]
]
_CLOSING_MS = 10_000
"""What was asked before the window closed is still written."""


class RecordsExecutor(QObject):
    """Opens the records when told to, and answers on the GUI thread.

    Parameters
    ----------
    open_records
        Opens them; raises InputError if they cannot be used.
    """

    opened = Signal(tuple)
    """The records are open: what the user must be told about it, a tuple of sentences."""
    refused = Signal(InputError)
    """An :class:`InputError`: the records cannot be opened."""
    failed = Signal(InputError)
    """An :class:`InputError`: something could not be read or written."""

    def __init__(
        self, open_records: Callable[[], Records] | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._open_records = open_records or _own_records
        self._executor = SingleThreadExecutor()
        self._jobs = JobQueue(self._executor, self)
        self._records: Records | None = None
        self._waiting: list[_Question] = []
        self.problem: InputError | None = None
        """Why the records cannot be used; None if they can, or are not open yet."""

    def start(self) -> None:
        """Open the records; what was asked until then is answered afterwards."""
        self._jobs.start(lambda _: self._open_records(), self._opened, self._refuse)

    def ask(
        self,
        work: Callable[[Records], T],
        done: Callable[[T], object] = lambda _: None,
        failed: Callable[[InputError], object] | None = None,
    ) -> None:
        """Queue work on the records; `done` or `failed` follows on the GUI thread."""
        question: _Question = (work, done, failed or self.failed.emit)
        if self._records is None:
            self._waiting.append(question)
        else:
            self._put(self._records, question)

    @property
    def is_open(self) -> bool:
        return self._records is not None

    def close(self) -> bool:
        """Write what was asked for and close; False if that takes too long."""
        if self._records is not None:
            self._executor.start(self._records.close)
        return self._executor.wait(_CLOSING_MS)

    def _opened(self, records: Records) -> None:
        self._records, self.problem = records, None
        waiting, self._waiting = self._waiting, []
        for question in waiting:
            self._put(records, question)
        self.opened.emit(records.notices)

    def _refuse(self, error: InputError) -> None:
        self.problem = error
        self.refused.emit(error)

    def _put(self, records: Records, question: _Question) -> None:
        work, done, failed = question
        self._jobs.start(lambda _: work(records), done, failed)


def _own_records() -> Records:
    from tumorviewer.records import Records

    return Records()
