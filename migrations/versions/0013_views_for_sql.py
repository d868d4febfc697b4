"""Views for SQL: what can be asked of copies, headlines, live blogs, refusals and corrections."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# The parts in which the two databases differ. Seconds are cut off, never rounded, on both.
_SQLITE = {
    "DAY({})": "substr({}, 1, 10)",
    "SECONDS({})": "CAST(strftime('%s', substr({}, 1, 19)) AS INTEGER)",
    "TEXT({})": "json_extract(detail, '$.{}')",
    "NUMBER({})": "CAST(json_extract(detail, '$.{}') AS REAL)",
    "AGO({})": "strftime('%Y-%m-%d %H:%M:%f000', 'now', '-{}')",
}
_POSTGRES = {
    "DAY({})": "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
    "SECONDS({})": "CAST(EXTRACT(EPOCH FROM date_trunc('second', {})) AS bigint)",
    "TEXT({})": "CAST(detail AS json) ->> '{}'",
    "NUMBER({})": "CAST(CAST(detail AS json) ->> '{}' AS double precision)",
    "AGO({})": "CURRENT_TIMESTAMP - INTERVAL '{}'",
}

VIEWS = {
    "v_stories": """
        SELECT id, title, summary, text, language, first_published, last_published, updated,
               article_count, outlet_count, report_count,
               CASE WHEN text IS NOT NULL THEN disagreement_count END AS disagreement_count,
               DAY(last_published) AS day
        FROM story WHERE redirect_to IS NULL""",
    # The headline by a question of its own: where nobody asks for it, no story is read.
    "v_story_articles": """
        SELECT article.story AS story_id, article.id AS article_id,
               (SELECT story.title FROM story WHERE story.id = article.story) AS story_title,
               article.outlet, article.url, article.title, article.lead, article.text,
               article.author, article.language, article.published, article.published_origin,
               article.published_precision, article.seen, article.effective, article.role,
               article.copy_of, article.wire,
               article.original, article.source AS source_key, DAY(article.effective) AS day
        FROM article""",
    "v_copies": """
        SELECT article.story AS story_id, article.id AS article_id, article.outlet, article.title,
               article.effective, article.role, article.wire,
               original.id AS original_id, original.outlet AS original_outlet,
               original.title AS original_title, original.effective AS original_effective,
               CASE WHEN article.published_precision = 'minute' AND original.published_precision = 'minute'
                    THEN CAST((SECONDS(article.published) - SECONDS(original.published)) / 60 AS INTEGER)
               END AS minutes_late
        FROM article JOIN article AS original ON original.id = article.original
        WHERE article.original IS NOT NULL""",
    "v_story_log": """
        SELECT n, story AS story_id, at, kind, article AS article_id, detail,
               NUMBER(score) AS score,
               COALESCE(TEXT(into), TEXT(other), TEXT(to), TEXT(from)) AS other_story_id
        FROM story_log""",
    "v_headline_changes": """
        SELECT n, story AS story_id, at,
               TEXT(before) AS title_before, TEXT(after) AS title_after, TEXT(reason) AS reason
        FROM story_log WHERE kind = 'headline'""",
    "v_live_links": """
        SELECT COALESCE(told.redirect_to, told.id) AS story_id, article.id AS article_id,
               article.story AS live_blog_story_id, article.outlet, article.title, article.url,
               article.effective, entry_link.position, entry_link.score
        FROM entry_link
        JOIN article ON article.n = entry_link.article
        JOIN story AS told ON told.id = entry_link.story""",
    "v_sources": """
        SELECT id, kind, address, name, outlet, folder, CASE WHEN paused THEN 1 ELSE 0 END AS paused,
               health, health_cause, last_success_at, next_due_at, failures,
               entries_new, entries_known, entries_refused,
               CASE WHEN kind = 'folder' THEN known_as ELSE id END AS source_key,
               title, language, origin, interval_seconds, per_day, failing_since, last_new_at
        FROM source""",
    "v_waiting": """
        SELECT n, article AS article_id, source AS source_key, url,
               CASE WHEN state = 'page' THEN 'for its page' ELSE 'for placing' END AS waits,
               accepted_at, page_due_at, page_tries, reason
        FROM entry WHERE state IN ('page', 'ready')""",
    "v_refused": """
        SELECT source AS source_key, COALESCE(url, article) AS item, verdict, reason, done_at AS at
        FROM entry WHERE state = 'refused'
        UNION ALL
        SELECT source, item, verdict, reason, at FROM refusal""",
    "v_corrections": """
        SELECT n, at, kind, TEXT(words) AS words, undone_at FROM correction""",
    "v_now": """
        SELECT AGO(0 hours) AS now, AGO(1 hours) AS hour_ago, AGO(24 hours) AS day_ago,
               AGO(168 hours) AS week_ago, AGO(720 hours) AS month_ago""",
}
FOR_VIEWS = (
    "story", "effective", "outlet", "role", "published", "published_precision", "language", "wire",
    "original", "id",
)  # fmt: skip
FORMER = {
    "v_stories": """
        SELECT id, title, summary, text, language, first_published, last_published, updated,
               article_count, outlet_count, report_count
        FROM story WHERE redirect_to IS NULL""",
    "v_story_articles": """
        SELECT article.story AS story_id, article.id AS article_id, story.title AS story_title,
               article.outlet, article.url, article.title, article.lead, article.text,
               article.author, article.language, article.published, article.published_origin,
               article.published_precision, article.seen, article.effective, article.role,
               article.copy_of, article.wire
        FROM article JOIN story ON story.id = article.story""",
    "v_story_log": """
        SELECT n, story AS story_id, at, kind, article AS article_id, detail
        FROM story_log""",
    "v_sources": """
        SELECT id, kind, address, name, outlet, folder, paused, health, health_cause, last_success_at,
               next_due_at, failures, entries_new, entries_known, entries_refused
        FROM source""",
}


def _in_dialect(query: str) -> str:
    parts = _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRES
    for form, wanted in parts.items():
        name = form.split("(", maxsplit=1)[0]
        pieces = query.split(f"{name}(")
        query = pieces[0]
        for piece in pieces[1:]:
            inside, rest = piece.split(")", 1)
            query += wanted.replace("{}", inside) + rest
    return query


def upgrade() -> None:
    op.add_column("story", sa.Column("disagreement_count", sa.Integer(), nullable=True))
    op.add_column("article", sa.Column("original", sa.Text(), nullable=True))
    given = sa.text("original IS NOT NULL")
    op.create_index(
        "ix_article_original", "article", ["original"], sqlite_where=given, postgresql_where=given
    )
    # What questions about all articles go by, so that they read no texts.
    op.create_index("ix_article_for_views", "article", list(FOR_VIEWS))
    op.create_index("ix_story_for_views", "story", ["id", "redirect_to", "report_count", "outlet_count"])
    container = sa.text("role = 'container'")
    op.create_index(
        "ix_article_container", "article", ["effective"], sqlite_where=container, postgresql_where=container
    )
    headline = sa.text("kind = 'headline'")
    op.create_index(
        "ix_story_log_headline", "story_log", ["story", "n"], sqlite_where=headline, postgresql_where=headline
    )
    for name in FORMER:
        op.execute(f"DROP VIEW {name}")
    for name, query in VIEWS.items():
        op.get_bind().exec_driver_sql(f"CREATE VIEW {name} AS {_in_dialect(query)}")


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
    op.drop_index("ix_story_log_headline", table_name="story_log")
    op.drop_index("ix_article_container", table_name="article")
    op.drop_index("ix_story_for_views", table_name="story")
    op.drop_index("ix_article_for_views", table_name="article")
    op.drop_index("ix_article_original", table_name="article")
    op.drop_column("article", "original")
    op.drop_column("story", "disagreement_count")
    for name, query in FORMER.items():
        op.execute(f"CREATE VIEW {name} AS {query}")
