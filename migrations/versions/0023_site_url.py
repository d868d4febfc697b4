"""The home page of a source: `source.site_url`."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("source", sa.Column("site_url", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("source", "site_url")
