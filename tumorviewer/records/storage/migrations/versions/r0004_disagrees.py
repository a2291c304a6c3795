"""Whether reader and model differ, of signed studies too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """It is worked out, as all that the worklist shows, after the last migration."""
    disagrees = sa.Column("disagrees", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("studies", disagrees)
