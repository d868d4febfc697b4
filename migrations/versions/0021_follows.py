"""`article.follows` and `v_follows`; `source_history` in the place of `outlet_history`.

Feeds declare outlets, so the history of an outlet could be made by others. Counting begins anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# An article that left the story which it founded takes no link along.
_VIEW = """
    CREATE VIEW v_follows AS
    SELECT later.id AS story_id, later.title, earlier.id AS earlier_id, earlier.title AS earlier_title
    FROM article
    JOIN story AS founded ON founded.founding_article = article.id
    JOIN story AS later ON later.id = COALESCE(founded.redirect_to, founded.id) AND later.id = article.story
    JOIN story AS named ON named.id = article.follows
    JOIN story AS earlier ON earlier.id = COALESCE(named.redirect_to, named.id)
    WHERE article.follows IS NOT NULL AND earlier.first_published < later.first_published"""


def upgrade() -> None:
    op.add_column("article", sa.Column("follows", sa.Text(), nullable=True))
    op.create_index(
        "ix_article_follows",
        "article",
        ["follows", "story"],
        sqlite_where=sa.text("follows IS NOT NULL"),
        postgresql_where=sa.text("follows IS NOT NULL"),
    )
    op.execute(_VIEW)
    _create_history("source")
    op.drop_table("outlet_history")


def downgrade() -> None:
    _create_history("outlet")
    op.drop_table("source_history")
    op.execute("DROP VIEW v_follows")
    op.drop_index("ix_article_follows", table_name="article")
    op.drop_column("article", "follows")


def _create_history(key: str) -> None:
    op.create_table(
        f"{key}_history",
        sa.Column(key, sa.Text(), nullable=False),
        sa.Column("articles", sa.BigInteger(), nullable=False),
        sa.Column("matched", sa.BigInteger(), nullable=False),
        sa.Column("closed_articles", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("closed_matched", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint(key, name=f"pk_{key}_history"),
        sqlite_with_rowid=False,
    )
