"""The tables as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
)

REVISION = "0006"
"""Of the newest migration."""

metadata = MetaData()


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _study() -> Column[int]:
    return Column("study", ForeignKey("studies.id"), nullable=False, index=True)


meta = Table("meta", metadata, Column("name", Text, primary_key=True), _text("value"))
studies = Table(
    "studies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("uid", Text),
    *map(_text, ("title", "patient_name", "patient_id", "pseudonym", "description")),
    *map(_text, ("modality", "date", "source", "state")),
    Column("priority", Integer, nullable=False),
    *map(_text, ("on_disk", "added")),
    Column("predicted_class", Text),
    Column("tumour", Float),
    Column("doubt", Float),
    Column("verdict_class", Text),
    Column("disagrees", Boolean, nullable=False, server_default=false()),
    *map(_text, ("words", "refused")),
    *(Column(name, Text) for name in ("vendor", "scanner", "sex")),
    *(Column(name, Float) for name in ("field_strength", "age")),
    Index("studies_pseudonym", "pseudonym"),
    Index("studies_date", "date"),
    sqlite_autoincrement=True,
)
volumes = Table(
    "volumes",
    metadata,
    Column("study", ForeignKey("studies.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("judged", Boolean, nullable=False),
    _text("stamp"),
    _text("files"),
)
findings = Table(
    "findings",
    metadata,
    Column("id", Integer, primary_key=True),
    _study(),
    *map(_text, ("volume", "stamp", "time", "model_name", "model_version", "model_sha256")),
    Column("predicted_class", Text),
    Column("tumour", Float),
    Column("doubt", Float),
    Column("margin", Float),
    _text("document"),
    Column("saliency", LargeBinary),
    sqlite_autoincrement=True,
)
observations = Table(
    "observations",
    metadata,
    Column("finding", ForeignKey("findings.id"), primary_key=True),
    _study(),
    Column("named_class", Text),
    *(Column(name, Float) for name in ("distance", "brightness", "contrast")),
)
"""Figures of findings that are looked at over time; a row for each that is an answer."""
verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Integer, primary_key=True),
    _study(),
    _text("label"),
    Column("confidence", Float),
    *map(_text, ("comment", "reader", "time")),
    Column("before_answer", Boolean, nullable=False),
    Column("signed", Boolean, nullable=False),
    Column("corrects", ForeignKey("verdicts.id"), unique=True),
    Column("finding", ForeignKey("findings.id")),
    Column("volume", Text),
    _text("slices"),
)
annotation_table = Table(
    "marks",
    metadata,
    Column("id", Text, primary_key=True),
    _study(),
    *map(_text, ("time", "document")),
)
trail = Table(
    "trail",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    *map(_text, ("time", "who", "host", "action")),
    Column("study", Text, index=True),
    *map(_text, ("details", "previous", "hash")),
)
head = Table(
    "head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    _text("hash"),
)
session = Table(
    "session", metadata, Column("name", Text, primary_key=True), _text("time"), _text("document")
)
study_answers = Table(
    "study_answers",
    metadata,
    Column("id", Integer, primary_key=True),
    _study(),
    *map(_text, ("stamp", "time", "answer", "document")),
    Column("masks", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""``masks``: the outlines of the candidates, compressed; ``stamp``: of all the study's volumes."""
outbox_table = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    *map(_text, ("destination", "sop_class", "sop_instance", "study_uid", "sha256", "file")),
    _text("state"),
    Column("attempts", Integer, nullable=False),
    *map(_text, ("due", "reason", "added", "changed")),
    UniqueConstraint("destination", "sop_instance", "sha256", name="outbox_object"),
    sqlite_autoincrement=True,
)
