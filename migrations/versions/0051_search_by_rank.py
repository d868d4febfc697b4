"""Empty the full-text index, because more words are folded now, and bm25 needs the length of each article.

The daemon fills it again in the background, the newest articles first.
"""

from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE article_search")
        op.execute(
            "CREATE VIRTUAL TABLE article_search USING fts5("
            "words, content='', tokenize=\"ascii tokenchars '_'\")"
        )
    else:
        op.execute("TRUNCATE article_search")
    op.execute(
        "UPDATE counter SET value = (SELECT coalesce(max(inbox_no), 0) FROM article) "
        "WHERE name IN ('searchable', 'unindexed')"
    )
