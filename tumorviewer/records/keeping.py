"""The database file itself: made private, checked, migrated, copied, and restored from a copy."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from tumorviewer.errors import InputError
from tumorviewer.files import replace_atomically
from tumorviewer.language import tr
from tumorviewer.records.states import refresh_worklist
from tumorviewer.records.storage.database import NAME, Database
from tumorviewer.records.storage.tables import REVISION, studies

FILE = "records.sqlite"
HEADS = "heads.txt"
COPIES = "copies"
_PARTS = ("", "-wal", "-shm")
_KEPT_COPIES = 7


def make_private(folder: Path) -> None:
    """Make the folder and the database file, for this user only.

    Raises
    ------
    InputError
        If they cannot be made.
    """
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for each in (folder, folder / COPIES):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
            each.chmod(0o700)
        os.close(os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o600))
        (folder / FILE).chmod(0o600)
    except OSError as error:
        reason = tr(
            "They cannot be kept in {folder}: {error}.",
            folder=folder,
            error=error.strerror or error,
        )
        raise InputError(tr(NAME), reason, tr("Check the rights of the folder.")) from error


def is_sound(path: Path, patience_s: float) -> bool:
    """Whether SQLite finds every page in order; an empty file is.

    Raises
    ------
    InputError
        If somebody holds it locked.
    """
    try:
        with closing(sqlite3.connect(path, timeout=patience_s)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            reason = tr("They are in use by another program, which did not finish in time.")
            raise InputError(tr(NAME), reason, tr("Close it and try again.")) from error
        return False


def is_lost(folder: Path) -> bool:
    """Whether the database is an empty file although there was one: it was copied."""
    parts = [folder / (FILE + part) for part in _PARTS]
    return not any(one.exists() and one.stat().st_size for one in parts) and bool(
        list_copies(folder)
    )


def rescue_database(folder: Path) -> tuple[Path, Path | None]:
    """Put a damaged database aside, and the newest sound copy in its place.

    Returns
    -------
    tuple
        The folder where the damaged one lies; the copy, or None if none was sound.
    """
    aside = folder / f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    aside.mkdir(mode=0o700)
    for name in (*(FILE + part for part in _PARTS), HEADS):
        if (folder / name).exists():
            (folder / name).rename(aside / name)
    copy = next((copy for copy in list_copies(folder) if is_sound(copy, 1)), None)
    if copy is not None:
        with replace_atomically(folder / FILE) as beside:
            shutil.copyfile(copy, beside)
    make_private(folder)
    return aside, copy


def list_copies(folder: Path) -> list[Path]:
    """Copies of the database, the newest first."""
    return sorted((folder / COPIES).glob("????-??-??.sqlite"), reverse=True)


def copy_database(folder: Path, *, only_daily: bool) -> None:
    """Keep today's copy, and of earlier days the last few.

    Parameters
    ----------
    only_daily
        Do nothing if there is one of today.

    Raises
    ------
    InputError
        If there is no room for it, or the database is damaged; the copy of before stays.
    """
    target = folder / COPIES / f"{date.today().isoformat()}.sqlite"
    if only_daily and target.exists():
        return
    try:
        with replace_atomically(target) as beside:
            os.close(os.open(beside, os.O_RDWR | os.O_CREAT, 0o600))
            _back_up(folder / FILE, beside)
    except (OSError, sqlite3.Error) as error:
        raise InputError(
            tr(NAME), tr("They could not be copied: {error}.", error=error), tr("Make room.")
        ) from error
    for old in list_copies(folder)[_KEPT_COPIES:]:
        old.unlink(missing_ok=True)


def _back_up(path: Path, copy: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as into:
        source.backup(into)
    if not is_sound(copy, 1):
        raise sqlite3.DatabaseError("the copy is damaged")


def migrate_database(database: Database) -> None:
    """Bring the tables to this version, and work out anew what the worklist shows.

    Raises
    ------
    InputError
        If they are of a later version, or another program's.
    """
    with database.reading() as connection:
        current = read_revision(connection)
        if database.is_sqlite and not current and sa.inspect(connection).get_table_names():
            raise InputError(
                tr(NAME),
                tr("The database in their place is another program's; nothing was changed in it."),
                tr("Move it to where it belongs: {path}.", path=database.url.database or ""),
            )
    if current == REVISION:
        return
    _check_is_known(current)
    if database.is_sqlite:
        _switch_to_wal(database)
    with database.writing() as connection:
        if read_revision(connection) != REVISION:
            _upgrade(connection)
            for study in connection.execute(sa.select(studies.c.id)).scalars().all():
                refresh_worklist(connection, study)


def read_revision(connection: Connection) -> str | None:
    """The migration that the tables are at; None if there are none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return str(found) if found else None


def _check_is_known(current: str | None) -> None:
    if current is None or current in _known():
        return
    raise InputError(
        tr(NAME),
        tr("They were written by a later version of TumorViewer."),
        tr("Update this one; nothing was changed in them."),
    )


def _known() -> Iterator[str]:
    from alembic.script import ScriptDirectory

    return (script.revision for script in ScriptDirectory(str(_scripts())).walk_revisions())


def _scripts() -> Path:
    return Path(__file__).parent / "storage" / "migrations"


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_scripts()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _switch_to_wal(database: Database) -> None:
    """Once for all: the file remembers it. It cannot be done within a transaction."""
    assert database.url.database
    with closing(sqlite3.connect(database.url.database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
