"""Store unions of storylines, so that they can be taken apart again."""

import sqlalchemy as sa
from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "storyline_union",
        sa.Column("union_no", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kept", sa.Text(), nullable=False),
        sa.Column("gone", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("stories", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("union_no", name="pk_storyline_union"),
    )
    op.create_index("ix_storyline_union_kept", "storyline_union", ["kept"])
    op.create_index("ix_storyline_union_source", "storyline_union", ["source"])
