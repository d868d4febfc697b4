"""Articles that were forgotten: nothing of them is left but the name by which they are refused."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tombstone",
        sa.Column("article", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refused", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("article", name=op.f("pk_tombstone")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_tombstone_at"), "tombstone", ["at"])


def downgrade() -> None:
    op.drop_table("tombstone")
