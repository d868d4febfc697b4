"""What came to the door, counted by source and outcome: nothing may be lost without a trace."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "intake",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("source", "outcome", name=op.f("pk_intake")),
        sqlite_with_rowid=False,
    )
    # What is there is counted; of the rest that came so far nobody knows from where, nor why it is not there.
    op.execute(
        "INSERT INTO intake (source, outcome, count) "
        "SELECT source, CASE WHEN revises THEN 'revision' ELSE 'new' END, count(*) FROM entry "
        "GROUP BY source, revises"
    )
    op.execute(
        "INSERT INTO intake (source, outcome, count) "
        "SELECT '', 'earlier', value - (SELECT count(*) FROM entry) FROM counter "
        "WHERE name = 'entry' AND value > (SELECT count(*) FROM entry)"
    )


def downgrade() -> None:
    op.drop_table("intake")
