"""What is on its way to archives: put into the outbox, delivered in the background, listed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from tumorviewer.desktop.services.jobs import JobQueue
from tumorviewer.desktop.services.records_executor import RecordsExecutor
from tumorviewer.errors import InputError
from tumorviewer.records.outbox import OutboxEntry, OutboxState

if TYPE_CHECKING:
    from tumorviewer.records import Records

_PENDING = (OutboxState.WAITING, OutboxState.SENT)
_LEAST_WAIT_S = 1


class OutboxController(QObject):
    """Delivers what was put into the outbox, and tries again what did not arrive when it is due."""

    queued = Signal(str, int)
    """So many objects are in the outbox for this archive."""
    listed = Signal(list)
    """All :class:`tumorviewer.records.outbox.OutboxEntry`, in the order in which they were put."""
    failed = Signal(InputError)

    def __init__(self, executor: RecordsExecutor, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._executor = executor
        self._jobs = JobQueue(parent=self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._deliver)
        executor.opened.connect(lambda _: self._plan())

    @property
    def is_delivering(self) -> bool:
        """Whether something is being sent now."""
        return self._jobs.is_busy

    def put(self, destination: str, paths: Sequence[Path]) -> None:
        """Send DICOM files to an archive; `queued` or `failed` follows."""
        done = partial(self._put, destination, len(paths))
        self._executor.ask(partial(_put, destination, tuple(paths)), done, self.failed.emit)

    def retry(self) -> None:
        """Try at once what waits or failed."""
        self._executor.ask(lambda records: records.outbox.retry(), lambda _: self._deliver())

    def list_entries(self) -> None:
        """`listed` follows."""
        self._executor.ask(lambda records: records.outbox.list_entries(), self.listed.emit)

    def close(self) -> bool:
        """Send nothing more; what is being sent goes on the next time. False if that takes long."""
        self._timer.stop()
        return self._jobs.close()

    def _put(self, destination: str, count: int, _: object) -> None:
        self.queued.emit(destination, count)
        self._deliver()

    def _deliver(self) -> None:
        self._executor.ask(lambda records: records, self._start)

    def _start(self, records: Records) -> None:
        self._jobs.start(lambda _: _deliver(records), lambda _: self._plan(), self.failed.emit)

    def _plan(self) -> None:
        """Try again when the next object is due."""
        self._executor.ask(lambda records: records.outbox.list_entries(*_PENDING), self._wait)
        self.list_entries()

    def _wait(self, pending: list[OutboxEntry]) -> None:
        if pending:
            due = min(datetime.fromisoformat(one.due) for one in pending)
            seconds = max((due - datetime.now(UTC)).total_seconds(), _LEAST_WAIT_S)
            self._timer.start(round(seconds * 1000))


def _put(destination: str, paths: tuple[Path, ...], records: Records) -> None:
    from tumorviewer.pacs.delivery import queue_files

    queue_files(records.outbox, destination, paths)


def _deliver(records: Records) -> None:
    from tumorviewer.pacs.addresses import AddressBook
    from tumorviewer.pacs.delivery import Delivery

    Delivery(records.outbox, AddressBook()).run(datetime.now(UTC))
