"""Why a study could not be judged."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Nothing is known of what was refused before: it is said when it is asked about again."""
    refused = sa.Column("refused", sa.Text, nullable=False, server_default="")
    op.add_column("studies", refused)
