"""The database file: private, migrated, and mended when it is damaged."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from tumorviewer.errors import InputError
from tumorviewer.records import Records
from tumorviewer.records.keeping import HEADS
from tumorviewer.records.storage.tables import metadata


def database(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / "records.sqlite", isolation_level=None)


def filled(folder: Path) -> Path:
    """Records with a hundred entries, closed."""
    with Records(folder=folder) as records:
        for number in range(100):
            records.trail.note("opened", visit=number)
    return folder


def damage(folder: Path) -> None:
    with (folder / "records.sqlite").open("r+b") as file:
        for at in range(4096, file.seek(0, os.SEEK_END), 4096):
            file.seek(at)
            file.write(b"\xff" * 200)


def test_only_the_user_may_enter(records, folder, monkeypatch) -> None:
    records.session.keep("a", {})
    records.trail.note("opened")
    inside = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in inside} >= {".sqlite", ".sqlite-wal", ".txt", ".lock"}
    for path in (folder, folder.parent, folder / "copies"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in inside:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_what_is_committed_survives_a_power_cut(records, folder) -> None:
    with records._database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_migrations_make_the_tables_that_the_program_knows(records) -> None:
    with records._database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_tables_suit_another_database() -> None:
    for table in metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=postgresql.dialect()))


def test_another_database_by_url(tmp_path, folder, picture) -> None:
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    with Records(url, folder=folder) as records:
        records.worklist.add(picture())
    with Records(url, folder=folder) as records:
        assert len(records.worklist.find()) == 1
        assert records.trail.verify() == []
    with Records(folder=tmp_path / "own") as records:
        assert records.worklist.find() == []


def test_of_a_later_version_nothing_is_touched(folder) -> None:
    filled(folder)
    with closing(database(folder)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = (folder / "records.sqlite").read_bytes()
    with pytest.raises(InputError, match="later version") as error:
        Records(folder=folder)
    assert "Update" in error.value.remedy
    assert (folder / "records.sqlite").read_bytes() == before


def test_locked_is_waited_for_then_said(folder) -> None:
    with Records(folder=folder, patience_s=0.3) as records, closing(database(folder)) as other:
        other.execute("BEGIN IMMEDIATE")
        start = time.monotonic()
        with pytest.raises(InputError, match="in use by another program"):
            records.trail.note("opened")
        assert time.monotonic() - start >= 0.3
        assert records.trail.entries() == [], "reading waits for nobody"
        other.execute("ROLLBACK")
        assert records.trail.note("opened").number == 1


def test_damaged_is_kept_aside_and_the_last_copy_taken(folder) -> None:
    damage(filled(folder))
    damaged = (folder / "records.sqlite").read_bytes()
    with Records(folder=folder) as records:
        (notice,) = records.notices
        assert "restored from the copy of" in notice
        (aside,) = folder.glob("damaged-*")
        assert str(aside) in notice
        assert (aside / "records.sqlite").read_bytes() == damaged
        assert (aside / HEADS).is_file()
        restored, before, *_ = records.trail.entries()
        assert (restored.action, restored.number) == ("restored", 101)
        assert before.details == {"visit": 99}
        assert records.trail.verify() == []
    with Records(folder=folder) as records:
        assert records.notices == ()


def test_a_damaged_copy_is_not_taken(folder) -> None:
    damage(filled(folder))
    (copy,) = (folder / "copies").iterdir()
    old = copy.with_name("2020-01-01.sqlite")
    old.write_bytes(copy.read_bytes())
    copy.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with Records(folder=folder) as records:
        assert "copy of 2020-01-01" in records.notices[0]
        assert records.trail.entries()[1].number == 100


@pytest.mark.parametrize("content", [b"not a database at all" * 300, b"SQLite format 3\0broken"])
def test_without_a_copy_it_begins_anew(folder, content) -> None:
    folder.mkdir(parents=True)
    (folder / "records.sqlite").write_bytes(content)
    with Records(folder=folder) as records:
        assert "begun anew" in records.notices[0]
        assert records.worklist.find() == []


def test_of_another_program_nothing_is_touched(folder) -> None:
    folder.mkdir(parents=True)
    with closing(database(folder)) as connection:
        connection.execute("CREATE TABLE albums (title)")
    before = (folder / "records.sqlite").read_bytes()
    with pytest.raises(InputError, match="another program's") as error:
        Records(folder=folder)
    assert "records.sqlite" in error.value.remedy
    assert (folder / "records.sqlite").read_bytes() == before


def test_an_empty_file_in_the_place_of_records_that_were_copied_is_no_beginning(folder) -> None:
    filled(folder)
    for part in folder.glob("records.sqlite*"):
        part.unlink()
    (folder / "records.sqlite").touch()
    with Records(folder=folder) as records:
        assert "restored from the copy of" in records.notices[0]
        assert len(records.trail.entries()) == 101


def test_copies_rotate(folder) -> None:
    filled(folder)
    for day in range(1, 10):
        (folder / "copies" / f"2020-01-0{day}.sqlite").write_bytes(b"")
    with Records(folder=folder):
        pass
    assert len(list((folder / "copies").iterdir())) == 7
    assert not (folder / "copies" / "2020-01-03.sqlite").exists()


def test_a_full_disk_costs_the_last_change_only(records, picture) -> None:
    entry = records.worklist.add(picture())
    with records._database.reading() as connection:
        full = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {full}")

    def fill() -> None:
        for number in range(1000):
            records.trail.note("opened", entry.id, text="x" * 1000, number=number)

    with pytest.raises(InputError, match="disk is full"):
        fill()
    kept = len(records.trail.entries())
    with records._database.reading() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    records.trail.note("opened", entry.id)
    assert len(records.trail.entries()) == kept + 1
    assert records.trail.verify() == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(folder) -> None:
    folder.parent.mkdir(parents=True, mode=0o500)
    with pytest.raises(InputError, match="cannot be kept"):
        Records(folder=folder)


def test_a_file_where_the_folder_should_be(folder) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way")
    with pytest.raises(InputError, match="cannot be kept"):
        Records(folder=folder)


def test_importing_the_room_is_cheap() -> None:
    program = "import sys, tumorviewer.records; print('sqlalchemy' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout == "False\n"
