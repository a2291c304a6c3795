"""What the models said of whole studies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Integer, LargeBinary, Text

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Studies were judged a volume at a time before."""
    op.create_table(
        "study_answers",
        sa.Column("id", Integer, primary_key=True),
        sa.Column("study", Integer, sa.ForeignKey("studies.id"), nullable=False, index=True),
        *(sa.Column(name, Text, nullable=False) for name in ("stamp", "time", "answer")),
        sa.Column("document", Text, nullable=False),
        sa.Column("masks", LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
