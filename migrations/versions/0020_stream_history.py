"""Tables of stream history: document frequencies by day, and counts of outlets; `article.date_counts`."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("article", sa.Column("date_counts", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.create_table(
        "stream_period",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("last_inbox_no", sa.BigInteger(), nullable=False),
        sa.Column("articles", sa.Integer(), nullable=False),
        sa.Column("terms", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_stream_period"),
    )
    op.create_table(
        "outlet_history",
        sa.Column("outlet", sa.Text(), nullable=False),
        sa.Column("articles", sa.BigInteger(), nullable=False),
        sa.Column("matched", sa.BigInteger(), nullable=False),
        sa.Column("closed_articles", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("closed_matched", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("outlet", name="pk_outlet_history"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("outlet_history")
    op.drop_table("stream_period")
    op.drop_column("article", "date_counts")
