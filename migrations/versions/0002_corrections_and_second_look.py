"""What persons decided, what is asked of the writer, and what the second look goes by."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column(
        "story", sa.Column("touched_no", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.execute("UPDATE story SET touched_no = -1")  # what is there already is not looked at again
    op.add_column("story", sa.Column("standing", sa.LargeBinary(), nullable=True))
    op.create_index(op.f("ix_story_touched_no"), "story", ["touched_no"])
    given_way = sa.text("redirect_to IS NOT NULL")
    op.create_index(
        "ix_story_redirect_to", "story", ["redirect_to"], sqlite_where=given_way, postgresql_where=given_way
    )
    op.drop_index(op.f("ix_article_story"), table_name="article")
    op.create_index(op.f("ix_article_story_copy_of_effective"), "article", ["story", "copy_of", "effective"])
    op.create_table(
        "correction",
        sa.Column("n", _NUMBER, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_correction")),
    )
    op.create_table(
        "bond",
        sa.Column("correction", sa.BigInteger(), nullable=False),
        sa.Column("article", sa.Text(), nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("side", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["correction"], ["correction.n"], name=op.f("fk_bond_correction_correction")),
        sa.PrimaryKeyConstraint("correction", "article", "relation", name=op.f("pk_bond")),
    )
    op.create_index(op.f("ix_bond_article"), "bond", ["article"])
    op.create_table(
        "request",
        sa.Column("n", _NUMBER, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_request")),
    )
    op.create_index(op.f("ix_request_state_n"), "request", ["state", "n"])


def downgrade() -> None:
    for name in ("request", "bond", "correction"):
        op.drop_table(name)
    op.drop_index(op.f("ix_article_story_copy_of_effective"), table_name="article")
    op.create_index(op.f("ix_article_story"), "article", ["story"])
    op.drop_index("ix_story_redirect_to", table_name="story")
    op.drop_index(op.f("ix_story_touched_no"), table_name="story")
    op.drop_column("story", "standing")
    op.drop_column("story", "touched_no")
