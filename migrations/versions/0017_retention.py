"""Old articles: a packed text, and why an article has a tombstone."""

import sqlalchemy as sa
import zstandard
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_AT_ONCE = 500
# A longer address is not indexed: Postgres refuses a row whose key has more than 2704 bytes.
_ADDRESSES = ("entry", "url"), ("entry", "page_url"), ("article", "url")
_COUNTERS = (
    "packed_to",
    "stripped_to",
    "texts_to",
    "stories_to",
    "entries_to",
    "unlinked_to",
    "untold_to",
    "settled_to",
    "index_stale",
    "index_merging",
    "retained_at",
    "steady_from",
)
# As revision 0013 made it, but for the text: a packed one is no text for SQL.
_ARTICLES = """
    SELECT article.story AS story_id, article.id AS article_id,
           (SELECT story.title FROM story WHERE story.id = article.story) AS story_title,
           article.outlet, article.url, article.title, article.lead, {text} AS text,
           article.author, article.language, article.published, article.published_origin,
           article.published_precision, article.seen, article.effective, article.role,
           article.copy_of, article.wire,
           article.original, article.source AS source_key, {day} AS day
    FROM article"""
_STORIES = """
    SELECT id, title, summary, {text} AS text, language, first_published, last_published, updated,
           article_count, outlet_count, report_count,
           CASE WHEN {text} IS NOT NULL THEN disagreement_count END AS disagreement_count,
           {day} AS day
    FROM story WHERE redirect_to IS NULL"""


def _make_views(article_text: str, story_text: str) -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    day = "substr({}, 1, 10)" if is_sqlite else "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
    for name, query, text, at in (
        ("v_story_articles", _ARTICLES, article_text, "article.effective"),
        ("v_stories", _STORIES, story_text, "last_published"),
    ):
        if is_sqlite:
            op.execute(f"DROP VIEW {name}")
        making = "CREATE VIEW" if is_sqlite else "CREATE OR REPLACE VIEW"  # others may have views on it
        op.get_bind().exec_driver_sql(f"{making} {name} AS {query.format(text=text, day=day.format(at))}")


def upgrade() -> None:
    op.add_column("article", sa.Column("packed", sa.LargeBinary(), nullable=True))
    op.add_column("tombstone", sa.Column("kind", sa.Text(), server_default="forgotten", nullable=False))
    of_articles = sa.text("article IS NOT NULL")
    op.create_index(
        "ix_story_log_article",
        "story_log",
        ["article"],
        sqlite_where=of_articles,
        postgresql_where=of_articles,
    )
    for table, name in _ADDRESSES:
        short = sa.text(f"length({name}) <= 600")
        op.create_index(f"ix_{table}_{name}", table, [name], sqlite_where=short, postgresql_where=short)
    _make_views("CASE WHEN article.packed IS NULL THEN article.text END", "NULLIF(text, '')")


def downgrade() -> None:
    """Packed texts are plain again; those that were kept no longer stay empty."""
    article = sa.table("article", sa.column("n"), sa.column("text"), sa.column("packed"))
    connection, last = op.get_bind(), -1
    while rows := connection.execute(
        sa.select(article.c.n, article.c.packed)
        .where(article.c.n > last, article.c.packed.is_not(None))
        .order_by(article.c.n)
        .limit(_AT_ONCE)
    ).all():
        last = rows[-1].n
        for row in rows:
            words = zstandard.decompress(row.packed).decode() if row.packed else ""
            connection.execute(sa.update(article).where(article.c.n == row.n).values(text=words))
    _index_anew()
    # An entry is one that declared nothing but its address, as older programs can read it.
    entry = sa.table("entry", sa.column("payload", sa.LargeBinary()))
    empty = zstandard.compress(b"\x81\xa6source\xa0")
    op.execute(sa.update(entry).where(sa.func.length(entry.c.payload) == 0).values(payload=empty))
    op.execute(
        "UPDATE entry SET url = (SELECT article.url FROM article WHERE article.id = entry.article) "
        "WHERE url IS NULL AND state = 'done'"
    )
    counters = sa.table("counter", sa.column("name"))
    op.execute(sa.delete(counters).where(counters.c.name.in_(_COUNTERS)))
    _make_views("article.text", "text")
    for table, name in _ADDRESSES:
        op.drop_index(f"ix_{table}_{name}", table_name=table)
    op.drop_index("ix_story_log_article", table_name="story_log")
    op.drop_column("tombstone", "kind")
    op.drop_column("article", "packed")


def _index_anew() -> None:
    """The index has no bodies of packed articles: who takes one out with its body would break it."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("INSERT INTO article_search(article_search) VALUES ('delete-all')")
    else:
        op.execute("DELETE FROM article_search")
    op.execute(
        "UPDATE counter SET value = (SELECT coalesce(max(n), 0) FROM article) "
        "WHERE name IN ('searchable', 'unindexed')"
    )
