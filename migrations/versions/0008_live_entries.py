"""Entries of live blogs and the stories that they tell of."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "live_blog",
        sa.Column("article", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("due_no", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["article"], ["article.n"], name=op.f("fk_live_blog_article_article"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("article", name=op.f("pk_live_blog")),
    )
    op.create_index(op.f("ix_live_blog_due_no"), "live_blog", ["due_no"])
    op.create_table(
        "entry_link",
        sa.Column("article", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("story", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article"], ["article.n"], name=op.f("fk_entry_link_article_article"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("article", "position", name=op.f("pk_entry_link")),
    )
    op.create_index(op.f("ix_entry_link_story"), "entry_link", ["story"])


def downgrade() -> None:
    op.drop_table("entry_link")
    op.drop_table("live_blog")
