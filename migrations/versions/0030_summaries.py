"""Machine-written texts of stories."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "story_summary",
        sa.Column("story", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("facts_hash", sa.LargeBinary(), nullable=False),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("summary", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("story", name="pk_story_summary"),
    )
    op.create_index("ix_story_summary_attempted_at", "story_summary", ["attempted_at"])


def downgrade() -> None:
    op.drop_index("ix_story_summary_attempted_at", "story_summary")
    op.drop_table("story_summary")
