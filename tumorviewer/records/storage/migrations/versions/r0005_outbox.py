"""What is to be sent to archives, and how far it is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Integer, Text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Nothing was sent before."""
    texts = ("destination", "sop_class", "sop_instance", "study_uid", "sha256", "file", "state")
    op.create_table(
        "outbox",
        sa.Column("id", Integer, primary_key=True),
        *(sa.Column(name, Text, nullable=False) for name in texts),
        sa.Column("attempts", Integer, nullable=False),
        *(sa.Column(name, Text, nullable=False) for name in ("due", "reason", "added", "changed")),
        sa.UniqueConstraint("destination", "sop_instance", "sha256", name="outbox_object"),
        sqlite_autoincrement=True,
    )
