"""The stream of changes of stories, and what webhooks are to deliver of it."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "change",
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("story", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("article", sa.Text(), nullable=True),
        sa.Column("others", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("title_before", sa.Text(), nullable=True),
        sa.Column("report_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_change")),
    )
    op.create_index(op.f("ix_change_updated_n"), "change", ["updated", "n"])
    op.create_index(op.f("ix_change_article"), "change", ["article"])
    op.execute("INSERT INTO counter (name, value) VALUES ('change', 0)")
    op.create_table(
        "hook",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place", sa.LargeBinary(), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("read_to", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resumes_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_success_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_hook")),
    )
    op.create_table(
        "outbox",
        sa.Column("hook", sa.Text(), nullable=False),
        sa.Column("change", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("story", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("first_tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["hook"], ["hook.name"], name=op.f("fk_outbox_hook_hook")),
        sa.PrimaryKeyConstraint("hook", "change", name=op.f("pk_outbox")),
    )
    op.create_index(op.f("ix_outbox_hook_state_change"), "outbox", ["hook", "state", "change"])
    op.create_index(op.f("ix_outbox_hook_story"), "outbox", ["hook", "story"])
    op.create_index(op.f("ix_outbox_done_at"), "outbox", ["done_at"])


def downgrade() -> None:
    op.drop_table("outbox")
    op.drop_table("hook")
    op.execute("DELETE FROM counter WHERE name = 'change'")
    op.drop_table("change")
