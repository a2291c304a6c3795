"""Studies are looked for in an archive and fetched into the user's folder, in the background."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from tumorviewer.desktop.services.jobs import BackgroundJob, JobQueue
from tumorviewer.errors import InputError
from tumorviewer.resources import home_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from tumorviewer.pacs.archive import Fetched, StudyMatch, StudyQuery


class FetchController(QObject):
    """One question at a time; what was asked before it is given up."""

    found = Signal(list)
    """All :class:`tumorviewer.pacs.archive.StudyMatch`."""
    progressed = Signal(int)
    """So many objects came so far."""
    fetched = Signal(object)
    """The :class:`tumorviewer.pacs.archive.Fetched`."""
    failed = Signal(InputError)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = JobQueue(parent=self)

    def find(self, archive: str, query: StudyQuery) -> None:
        """`found` or `failed` follows."""
        self.cancel()
        self._jobs.start(lambda _: _find(archive, query), self.found.emit, self.failed.emit)

    def fetch(self, archive: str, study_uid: str) -> None:
        """`fetched` or `failed` follows."""
        self.cancel()
        work = partial(_fetch, archive, study_uid, self.progressed.emit)
        self._jobs.start(work, self.fetched.emit, self.failed.emit)

    def cancel(self) -> None:
        """Give up what was asked for."""
        self._jobs.cancel()

    def close(self) -> bool:
        """End all work; False if it does not end in time."""
        return self._jobs.close()


def _find(archive: str, query: StudyQuery) -> list[StudyMatch]:
    from tumorviewer.pacs.addresses import AddressBook
    from tumorviewer.pacs.connection import connect

    return connect(AddressBook().find(archive)).find(query)


def _fetch(
    archive: str, study_uid: str, tell: Callable[[int], object], job: BackgroundJob
) -> Fetched:
    from tumorviewer.pacs.addresses import AddressBook
    from tumorviewer.pacs.connection import connect

    def progress(count: int) -> None:
        job.check()
        job.tell(tell, count)

    folder = home_path("fetched")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return connect(AddressBook().find(archive)).fetch(study_uid, folder, progress)


def find_folders(fetched: Fetched) -> list[Path]:
    """Where the studies that came lie."""
    return sorted({path.parent for path in fetched.files})
