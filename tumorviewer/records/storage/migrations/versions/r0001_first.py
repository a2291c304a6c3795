"""The first tables."""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Boolean, Float, Integer, LargeBinary, Text

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them, with a new secret for pseudonyms, and an audit trail of no entries."""
    _make_worklist()
    _make_opinions()
    _make_trail()
    if op.get_bind().dialect.name == "sqlite":
        for table in ("verdicts", "trail"):
            _forbid(table, "UPDATE", "DELETE")
        _forbid("findings", "UPDATE")


def _make_worklist() -> None:
    meta = op.create_table("meta", _key("name"), *_texts("value"))
    op.bulk_insert(meta, [{"name": "secret", "value": secrets.token_hex(32)}])
    op.create_table(
        "studies",
        _number("id", primary_key=True),
        sa.Column("key", Text, nullable=False, unique=True),
        sa.Column("uid", Text),
        *_texts("title", "patient_name", "patient_id", "pseudonym", "description"),
        *_texts("modality", "date", "source", "state"),
        _number("priority"),
        *_texts("on_disk", "added"),
        sa.Column("predicted_class", Text),
        *_floats("tumour", "doubt"),
        sa.Column("verdict_class", Text),
        *_texts("words"),
        sqlite_autoincrement=True,
    )
    op.create_index("studies_pseudonym", "studies", ["pseudonym"])
    op.create_index("studies_date", "studies", ["date"])
    op.create_table(
        "volumes",
        sa.Column("study", Integer, sa.ForeignKey("studies.id"), primary_key=True),
        _key("key"),
        _number("position"),
        sa.Column("judged", Boolean, nullable=False),
        *_texts("stamp", "files"),
    )


def _make_opinions() -> None:
    op.create_table(
        "findings",
        _number("id", primary_key=True),
        _study(),
        *_texts("volume", "stamp", "time", "model_name", "model_version", "model_sha256"),
        sa.Column("predicted_class", Text),
        *_floats("tumour", "doubt", "margin"),
        *_texts("document"),
        sa.Column("saliency", LargeBinary),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "verdicts",
        _number("id", primary_key=True),
        _study(),
        *_texts("label"),
        *_floats("confidence"),
        *_texts("comment", "reader", "time"),
        sa.Column("before_answer", Boolean, nullable=False),
        sa.Column("signed", Boolean, nullable=False),
        sa.Column("corrects", Integer, sa.ForeignKey("verdicts.id"), unique=True),
        sa.Column("finding", Integer, sa.ForeignKey("findings.id")),
        sa.Column("volume", Text),
        *_texts("slices"),
    )
    op.create_table("marks", _key("id"), _study(), *_texts("time", "document"))
    op.create_table("session", _key("name"), *_texts("time", "document"))


def _make_trail() -> None:
    op.create_table(
        "trail",
        _number("number", primary_key=True, autoincrement=False),
        *_texts("time", "who", "host", "action"),
        sa.Column("study", Text, index=True),
        *_texts("details", "previous", "hash"),
    )
    head = op.create_table(
        "head",
        _number("id", primary_key=True, autoincrement=False),
        _number("number"),
        *_texts("hash"),
    )
    op.bulk_insert(head, [{"id": 1, "number": 0, "hash": "0" * 64}])


def _forbid(table: str, *verbs: str) -> None:
    for verb in verbs:
        op.execute(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} are never changed'); END"
        )


def _key(name: str) -> sa.Column[Any]:
    return sa.Column(name, Text, primary_key=True)


def _number(name: str, **options: bool) -> sa.Column[Any]:
    return sa.Column(name, Integer, nullable=False, **options)  # type: ignore[arg-type]


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, Text, nullable=False) for name in names]


def _floats(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, Float) for name in names]


def _study() -> sa.Column[Any]:
    return sa.Column("study", Integer, sa.ForeignKey("studies.id"), nullable=False, index=True)
