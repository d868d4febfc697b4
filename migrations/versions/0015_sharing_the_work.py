"""Who writes stories, and who asks which host, where several daemons work on one database."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "claim",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_claim")),
    )
    op.create_table(
        "writer",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_writer")),
    )
    op.create_table(
        "prepared",
        sa.Column("entry", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_for", sa.Text(), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_prepared")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE prepared SET UNLOGGED")  # what a crash takes is prepared again


def downgrade() -> None:
    op.drop_table("prepared")
    op.drop_table("writer")
    op.drop_table("claim")
