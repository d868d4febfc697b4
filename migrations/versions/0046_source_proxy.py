"""Store the proxy that was typed in the browser for a source."""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "source_access",
        sa.Column("proxy", sa.Text, nullable=False, server_default=""),
    )
