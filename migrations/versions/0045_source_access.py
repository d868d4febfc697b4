"""Store headers and the selectors of a page that were typed in the browser for a source."""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "source_access",
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("headers", sa.LargeBinary, nullable=False),
        sa.Column("selectors", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_source_access"),
        sqlite_with_rowid=False,
    )
