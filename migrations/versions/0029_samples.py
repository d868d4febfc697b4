"""When the sample articles were first read: their dates are relative to it."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("folder", sa.Column("first_start", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("folder", "first_start")
