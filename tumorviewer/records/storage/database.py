"""The connection to the database: how it is locked, what is durable, and errors in words.

SQLite is run in WAL mode with ``synchronous=FULL``: what is committed survives a power cut. Writers
begin with ``BEGIN IMMEDIATE`` and so wait for each other at the start of a transaction, where
waiting is possible, and not in its middle, where SQLite must refuse it (https://sqlite.org/wal.html,
https://sqlite.org/lang_transaction.html). Readers wait for nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

from tumorviewer.errors import InputError
from tumorviewer.language import later, tr

NAME = later("the records")
_WRITING = "tumorviewer_writing"
_TOLD = {
    5: (
        later("They are in use by another program, which did not finish in time."),
        later("Try again."),
    ),
    6: (
        later("They are in use by another program, which did not finish in time."),
        later("Try again."),
    ),
    8: (
        later("They cannot be written to."),
        later("Check the rights of the folder and whether the disk is in."),
    ),
    10: (
        later("The disk failed, or is full; the last change was not kept."),
        later("Make room, do it again."),
    ),
    11: (
        later("They are damaged."),
        later("Close the program and open it again: it restores the last copy."),
    ),
    13: (
        later("The disk is full; the last change was not kept."),
        later("Make room, do it again."),
    ),
    14: (later("They cannot be opened."), later("Check the rights of the folder.")),
    26: (
        later("They are damaged."),
        later("Close the program and open it again: it restores the last copy."),
    ),
}
"""By SQLite's primary result code (https://sqlite.org/rescode.html)."""


class Database:
    """Transactions on one database.

    Parameters
    ----------
    url
        As SQLAlchemy has it: ``sqlite:////home/…/records.sqlite``, ``postgresql://…``.
    patience_s
        How long to wait for another program that writes.
    """

    def __init__(self, url: sa.URL, patience_s: float) -> None:
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._engine = _sqlite(url, patience_s) if self.is_sqlite else sa.create_engine(url)
        self._writer = self._engine.execution_options(**{_WRITING: True})
        self.committed: Callable[[Connection], None] = lambda _connection: None
        """Called after each transaction that wrote."""

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database, whoever writes meanwhile.

        Raises
        ------
        InputError
            If the database cannot be read.
        """
        with _in_words(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is kept wholly or not at all.

        Raises
        ------
        InputError
            If it is locked for too long, the disk is full, or it cannot be written.
        """
        with _in_words(), self._writer.connect() as connection:
            with connection.begin():
                yield connection
            self.committed(connection)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _sqlite(url: sa.URL, patience_s: float) -> Engine:
    engine = sa.create_engine(
        url, connect_args={"timeout": patience_s, "isolation_level": None}
    )  # the driver would begin by itself, and too late
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITING)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        refuse_access(error)


def refuse_access(error: DBAPIError) -> NoReturn:
    """Raise a database's error so that its reader can act; what is a fault of ours stays itself."""
    code = getattr(error.orig, "sqlite_errorcode", -1) & 0xFF
    if code in _TOLD:
        reason, remedy = _TOLD[code]
        raise InputError(tr(NAME), tr(reason), tr(remedy)) from error
    if error.connection_invalidated or isinstance(error, sa.exc.OperationalError):
        raise InputError(
            tr(NAME), tr("The database does not answer."), tr("Check its server.")
        ) from error
    raise error
