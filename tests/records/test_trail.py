"""The audit trail: whatever is done to it behind the program's back shows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from made import finding

from tumorviewer.records import Records

Tamper = Callable[[sqlite3.Connection], object]


@pytest.fixture
def ten(folder: Path, picture) -> Path:
    """Records with ten entries in the trail: a study, a finding, a verdict, and seven visits."""
    with Records(folder=folder) as records:
        study = records.worklist.add(picture()).id
        records.findings.add(study, "v", finding())
        records.verdicts.give(study, "glioma", before_answer=True)
        for number in range(7):
            records.trail.note("opened", study, visit=number)
    return folder


def faults_after(folder: Path, tamper: Tamper) -> list[tuple[int | None, str]]:
    with closing(sqlite3.connect(folder / "records.sqlite")) as connection:
        for name in ("trail", "verdicts"):
            connection.execute(f"DROP TRIGGER {name}_no_update")
            connection.execute(f"DROP TRIGGER {name}_no_delete")
        connection.execute("DROP TRIGGER findings_no_update")
        tamper(connection)
        connection.commit()
    with Records(folder=folder) as records:
        return [(fault.number, fault.reason) for fault in records.trail.verify()]


def sql(*statements: str) -> Tamper:
    return lambda connection: [connection.execute(statement) for statement in statements]


def test_an_untouched_trail_is_in_order(ten) -> None:
    assert faults_after(ten, sql()) == []


@pytest.mark.parametrize(
    ("tamper", "number", "reason"),
    [
        (sql("UPDATE trail SET who = 'somebody' WHERE number = 5"), 5, "changed after"),
        (sql("UPDATE trail SET details = '{' WHERE number = 5"), 5, "changed after"),
        (sql("UPDATE trail SET time = '2020' WHERE number = 1"), 1, "changed after"),
        (sql("DELETE FROM trail WHERE number = 4"), 5, "Entries 4 to 4 are missing"),
        (sql("DELETE FROM trail WHERE number < 3"), 3, "before this one are missing"),
        (sql("DELETE FROM trail WHERE number > 8"), 8, "went on to entry 10"),
        (
            sql(
                "DELETE FROM trail WHERE number > 8",
                "UPDATE head SET number = 8, hash = (SELECT hash FROM trail WHERE number = 8)",
            ),
            8,
            "went on to entry 10",
        ),
        (
            sql(
                "UPDATE trail SET number = 99 WHERE number = 5",
                "UPDATE trail SET number = 5 WHERE number = 6",
                "UPDATE trail SET number = 6 WHERE number = 99",
            ),
            5,
            "does not continue",
        ),
        (sql("UPDATE verdicts SET label = 'notumor'"), 3, "verdict 1 was changed"),
        (sql("DELETE FROM verdicts"), 3, "verdict 1 is missing"),
        (sql("UPDATE findings SET tumour = 0"), 2, "finding 1 was changed"),
        (
            sql("INSERT INTO verdicts SELECT 9, study, label, confidence, comment, reader, time, "
                "before_answer, signed, corrects, finding, volume, slices FROM verdicts"),
            None,
            "verdict 9 is not in the trail",
        ),
    ],
)  # fmt: skip
def test_tampering_shows_where_it_is(ten, tamper, number, reason) -> None:
    found = faults_after(ten, tamper)
    assert any(at == number and reason in said for at, said in found), found


def test_a_chain_that_was_forged_anew_shows(ten) -> None:
    def forge(connection: sqlite3.Connection) -> None:
        from tumorviewer.records.entries import AuditEntry

        connection.row_factory = sqlite3.Row
        previous = "0" * 64
        for row in connection.execute("SELECT * FROM trail ORDER BY number").fetchall():
            content = dict(row)
            del content["hash"]
            content |= {"previous": previous, "details": json.loads(row["details"])}
            entry = AuditEntry(**content | ({"who": "x"} if row["number"] == 10 else {}))
            previous = entry.hash
            connection.execute(
                "UPDATE trail SET who = ?, previous = ?, hash = ? WHERE number = ?",
                (entry.who, entry.previous, previous, entry.number),
            )
        connection.execute("UPDATE head SET hash = ?", (previous,))

    ((number, reason),) = faults_after(ten, forge)
    assert number == 10
    assert "not the entry that was written" in reason


def test_a_forgotten_file_of_heads_is_no_fault_and_a_torn_line_neither(ten) -> None:
    (ten / "heads.txt").write_text((ten / "heads.txt").read_text()[:-30])
    assert faults_after(ten, sql()) == []


def test_who_did_what(folder, picture) -> None:
    with Records(folder=folder, reader="dr. one") as records:
        study = records.worklist.add(picture()).id
    with Records(folder=folder, reader="dr. two") as records:
        records.trail.note("exported", study, form="PDF")
        last, first = records.trail.entries(study)
        assert (first.who, last.who) == ("dr. one", "dr. two")
        assert (last.number, last.action, last.details) == (2, "exported", {"form": "PDF"})
        assert len(records.trail.entries(limit=1)) == 1
