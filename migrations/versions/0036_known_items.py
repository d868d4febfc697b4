"""Store the hashes of the items of a polled feed, so that the items are not read again."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "known_items",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_known_items"),
        sqlite_with_rowid=False,
    )
