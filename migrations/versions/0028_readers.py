"""Readers of the Google Reader API and what they have read; the merges in the change stream by index."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "reader",
        sa.Column("reader_no", number, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_change_no", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reader_no", name="pk_reader"),
        sa.UniqueConstraint("name", name="uq_reader_name"),
    )
    op.create_table(
        "read_mark",
        sa.Column("reader", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("story", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("read_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_starred", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["reader"], ["reader.reader_no"], name="fk_read_mark_reader", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("reader", "story", name="pk_read_mark"),
        sqlite_with_rowid=False,
    )
    # The upgrade from revision 0018 has made these indexes already.
    op.create_index("ix_change_story_change_no", "change", ["story", "change_no"], if_not_exists=True)
    merged = sa.text("kind = 'merged'")
    op.create_index(
        "ix_change_merged",
        "change",
        ["change_no"],
        if_not_exists=True,
        sqlite_where=merged,
        postgresql_where=merged,
    )


def downgrade() -> None:
    op.drop_index("ix_change_merged", "change")
    op.drop_index("ix_change_story_change_no", "change")
    op.drop_table("read_mark")
    op.drop_table("reader")
