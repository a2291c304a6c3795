"""What agreement and drift are told by: scanner and patient of a study, inputs of an answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Float, Integer, Text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Of what was kept before nothing is known; a study that is opened again says it then."""
    for name in ("vendor", "scanner", "sex"):
        op.add_column("studies", sa.Column(name, Text))
    for name in ("field_strength", "age"):
        op.add_column("studies", sa.Column(name, Float))
    op.create_table(
        "observations",
        sa.Column("finding", Integer, sa.ForeignKey("findings.id"), primary_key=True),
        sa.Column("study", Integer, sa.ForeignKey("studies.id"), nullable=False, index=True),
        sa.Column("named_class", Text),
        *(sa.Column(name, Float) for name in ("distance", "brightness", "contrast")),
    )
