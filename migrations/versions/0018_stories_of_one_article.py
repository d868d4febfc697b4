"""A story of one article tells what that article says: SQL reads it there.

From here on the evidence of articles is pressed (store/codecs.py); what is there is when its text is packed.
"""

import sqlalchemy as sa
from alembic import op

from aggregator.store import codecs

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_AT_ONCE = 500

_STORIES = """
    SELECT id, title, summary, {text} AS text, language, first_published, last_published, updated,
           article_count, outlet_count, report_count, {differ} AS disagreement_count,
           {day} AS day
    FROM story WHERE redirect_to IS NULL"""
# Without a text of its own: told for one article alone, or so old that it is told on demand.
_TEXT = """
           CASE WHEN text <> '' THEN text
                WHEN text = '' AND article_count = 1 THEN
                    (SELECT CASE WHEN article.packed IS NULL THEN article.text END
                     FROM article WHERE article.story = story.id LIMIT 1)
           END"""
_DIFFER = "CASE WHEN text IS NOT NULL THEN disagreement_count END"
_FORMER_TEXT = "NULLIF(text, '')"
_FORMER_DIFFER = "CASE WHEN NULLIF(text, '') IS NOT NULL THEN disagreement_count END"


def _make_view(text: str, differ: str) -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    day = "substr(last_published, 1, 10)"
    if not is_sqlite:
        day = "to_char(last_published AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
    query = _STORIES.format(text=text, differ=differ, day=day)
    if is_sqlite:
        op.execute("DROP VIEW v_stories")
        op.get_bind().exec_driver_sql(f"CREATE VIEW v_stories AS {query}")
    else:  # in its place: others may have views on it, and rights to it
        op.get_bind().exec_driver_sql(f"CREATE OR REPLACE VIEW v_stories AS {query}")


def upgrade() -> None:
    _make_view(_TEXT, _DIFFER)


def downgrade() -> None:
    """Stories of one article are told anew by the older program, as long as their article has its text."""
    article, last = sa.table("article", sa.column("n"), sa.column("evidence", sa.LargeBinary())), -1
    connection, at_once = op.get_bind(), sa.select(article).order_by(article.c.n).limit(_AT_ONCE)
    while rows := connection.execute(at_once.where(article.c.n > last)).all():
        last = rows[-1].n
        for row in rows:
            plain = codecs.unpressed(row.evidence)
            if plain != row.evidence:
                connection.execute(sa.update(article).where(article.c.n == row.n).values(evidence=plain))
    op.execute(
        "UPDATE story SET text = NULL, merged = NULL "
        "WHERE text = '' AND article_count = 1 AND redirect_to IS NULL "
        "AND EXISTS (SELECT 1 FROM article WHERE article.story = story.id AND article.packed IS NULL)"
    )
    _make_view(_FORMER_TEXT, _FORMER_DIFFER)
