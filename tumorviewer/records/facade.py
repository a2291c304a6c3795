"""The door to the records: opens the database, mends it if it must, and closes it with a copy."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Self

import sqlalchemy as sa

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.records import keeping
from tumorviewer.records.annotations import Annotations
from tumorviewer.records.findings import Findings
from tumorviewer.records.outbox import Outbox
from tumorviewer.records.queue import JudgingQueue
from tumorviewer.records.session import Session
from tumorviewer.records.site.agreement import Agreements
from tumorviewer.records.storage import locks
from tumorviewer.records.storage.database import NAME, Database
from tumorviewer.records.store import RecordStore, user_name
from tumorviewer.records.study_answers import StudyAnswers
from tumorviewer.records.trail import Trail
from tumorviewer.records.verdicts import Verdicts
from tumorviewer.records.worklist import Worklist
from tumorviewer.resources import home_path

_log = logging.getLogger(__name__)


class Records:
    """Everything that is kept, by concern. May be used from several threads at once.

    Parameters
    ----------
    url
        Another database than the user's own, as SQLAlchemy names it.
    reader
        Who works; the user who is logged in by default.
    patience_s
        How long to wait for another program that writes.
    folder
        Where the user's own database, its copies and the trail's heads lie; ``records`` in the
        user's folder by default.

    Raises
    ------
    InputError
        If the records cannot be opened, are in use for too long, or come from a later version.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        reader: str | None = None,
        patience_s: float = 10.0,
        folder: Path | None = None,
    ) -> None:
        self.folder = folder or home_path("records")
        self.notices: tuple[str, ...] = ()
        """What the user must be told about the opening: that a damaged database was replaced."""
        keeping.make_private(self.folder)
        own = sa.URL.create("sqlite", database=str((self.folder / keeping.FILE).absolute()))
        self._database = Database(sa.make_url(url) if url else own, patience_s)
        self._is_own = url is None
        self._store = RecordStore(
            self._database, self.folder / keeping.HEADS, reader or user_name()
        )
        self.worklist = Worklist(self._store)
        self.findings = Findings(self._store)
        self.study_answers = StudyAnswers(self._store)
        self.verdicts = Verdicts(self._store)
        self.annotations = Annotations(self._store)
        self.agreement = Agreements(self._store)
        self.trail = Trail(self._store)
        self.session = Session(self._store, self.folder)
        self.queue = JudgingQueue(self._store, self.folder)
        self.outbox = Outbox(self._store, self.folder / "outbox")
        self._open(patience_s)

    @property
    def reader(self) -> str:
        """Who works."""
        return self._store.who

    def close(self) -> None:
        """Close the database and keep a copy of it; without room for one, that of before stays."""
        self._database.close()
        if self._is_own:
            self._copy(only_daily=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, patience_s: float) -> None:
        """Two windows that start together wait for each other."""
        with locks.hold_lock(self.folder / "opening.lock", patience_s) as is_held:
            if not is_held:
                reason = tr("They are being opened by another program, which does not finish.")
                raise InputError(tr(NAME), reason, tr("Close it and try again."))
            rescued = self._rescue(patience_s)
            keeping.migrate_database(self._database)
            if rescued:
                self._say_rescued(*rescued)
            if self._is_own:
                self._copy(only_daily=True)

    def _copy(self, *, only_daily: bool) -> None:
        try:
            keeping.copy_database(self.folder, only_daily=only_daily)
        except InputError as error:
            self.notices += (
                tr("The records could not be copied: {message}", message=error.message),
            )
            _log.warning("The records could not be copied.")

    def _rescue(self, patience_s: float) -> tuple[Path, Path | None] | None:
        if not self._is_own:
            return None
        is_sound = keeping.is_sound(self.folder / keeping.FILE, patience_s)
        if is_sound and not keeping.is_lost(self.folder):
            return None
        return keeping.rescue_database(self.folder)

    def _say_rescued(self, aside: Path, copy: Path | None) -> None:
        source = (
            tr("restored from the copy of {stem}", stem=copy.stem)
            if copy
            else tr("begun anew: no copy was left")
        )
        self.notices += (
            tr(
                "The records were damaged and have been {source}. The damaged ones are "
                "kept in {aside}. What was entered since then must be entered again.",
                source=source,
                aside=aside,
            ),
        )
        self.trail.note("restored", copy=copy.stem if copy else None, aside=aside.name)
