"""The earlier story that a new story continues: `article.follows` and `v_follows`."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_VIEW = """
    CREATE VIEW v_follows AS
    SELECT DISTINCT later.id AS story_id, later.title, earlier.id AS earlier_id,
           earlier.title AS earlier_title
    FROM article
    JOIN story AS later ON later.id = article.story
    JOIN story AS named ON named.id = article.follows
    JOIN story AS earlier ON earlier.id = COALESCE(named.redirect_to, named.id)
    WHERE article.follows IS NOT NULL AND earlier.id <> later.id"""


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


def downgrade() -> None:
    op.execute("DROP VIEW v_follows")
    op.drop_index("ix_article_follows", table_name="article")
    op.drop_column("article", "follows")
