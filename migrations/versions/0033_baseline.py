"""Create all tables, indexes and views. These statements never change, because each change is a revision of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0033"  # programs that were never released used 0001 to 0032
down_revision = None
branch_labels = None
depends_on = None

_COUNTERS = ("entry", "inbox", "story", "bump", "change", "searchable", "unindexed")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)

# Expressions that the two databases write differently. Both truncate seconds, and do not round them.
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

_SUBJECTS = """
        SELECT story.id AS story_id, story_subject.label AS {0}, story_subject.outlets
        FROM story_subject JOIN story ON story.story_no = story_subject.story_no
        WHERE story_subject.kind = '{0}' AND story.redirect_to IS NULL"""
# The SQL of users depends on the views: columns may be added, but never removed (docs/sql.md).
_VIEWS = {
    "v_stories": """
        SELECT id, title, summary,
               CASE WHEN text <> '' THEN text
                    WHEN text = '' AND article_count = 1 THEN
                        (SELECT article.text FROM article WHERE article.story = story.id LIMIT 1)
               END AS text, language, first_published, last_published, bumped_at AS updated,
               article_count, outlet_count, report_count,
               DAY(last_published) AS day, unknown_outlet_count
        FROM story WHERE redirect_to IS NULL""",
    # The headline is a subquery, so that a query that does not select it reads no row of `story`.
    "v_story_articles": """
        SELECT article.story AS story_id, article.id AS article_id,
               (SELECT story.title FROM story WHERE story.id = article.story) AS story_title,
               COALESCE(article.outlet_name, article.outlet) AS outlet,
               article.url, article.title, article.lead, article.text,
               article.author, article.language, article.published, article.published_origin,
               article.published_precision, article.seen_at AS seen, article.effective_at AS effective,
               article.role, article.copy_of, article.wire, article.original,
               article.source AS source_key, DAY(article.effective_at) AS day, article.kind
        FROM article""",
    "v_copies": """
        SELECT article.story AS story_id, article.id AS article_id,
               COALESCE(article.outlet_name, article.outlet) AS outlet, article.title,
               article.effective_at AS effective, article.role, article.wire,
               original.id AS original_id,
               COALESCE(original.outlet_name, original.outlet) AS original_outlet,
               original.title AS original_title, original.effective_at AS original_effective,
               CASE WHEN article.published_precision = 'minute' AND original.published_precision = 'minute'
                    THEN CAST((SECONDS(article.published) - SECONDS(original.published)) / 60 AS INTEGER)
               END AS minutes_late
        FROM article JOIN article AS original ON original.id = article.original
        WHERE article.original IS NOT NULL
          AND (article.outlet IS NULL OR original.outlet IS NULL OR article.outlet <> original.outlet)""",
    "v_story_log": """
        SELECT log_no AS n, story AS story_id, at, kind, article AS article_id, detail,
               NUMBER(score) AS score,
               COALESCE(TEXT(into), TEXT(other), TEXT(to), TEXT(from)) AS other_story_id
        FROM story_log""",
    "v_headline_changes": """
        SELECT log_no AS n, story AS story_id, at,
               TEXT(before) AS title_before, TEXT(after) AS title_after, TEXT(reason) AS reason
        FROM story_log WHERE kind = 'headline'""",
    "v_sources": """
        SELECT id, kind, address, name, outlet, folder, CASE WHEN paused THEN 1 ELSE 0 END AS paused,
               health, health_cause, last_success_at, next_due_at, failures,
               entries_new, entries_known, entries_rejected AS entries_refused,
               CASE WHEN kind = 'folder' THEN folder_name ELSE id END AS source_key,
               title, language, origin, interval_seconds, per_day, failing_since, last_new_at
        FROM source""",
    "v_waiting": """
        SELECT entry_no AS n, article AS article_id, source AS source_key, url,
               CASE WHEN state = 'page' THEN 'for its page' ELSE 'for placing' END AS waits,
               accepted_at, page_due_at, page_attempts AS page_tries, reason
        FROM entry WHERE state IN ('page', 'ready')""",
    "v_refused": """
        SELECT source AS source_key, COALESCE(url, article) AS item, verdict, reason, done_at AS at
        FROM entry WHERE state = 'rejected'
        UNION ALL
        SELECT source, item, verdict, reason, at FROM rejected_input""",
    "v_corrections": """
        SELECT correction_no AS n, at, kind, TEXT(words) AS words, undone_at FROM correction""",
    "v_now": """
        SELECT AGO(0 hours) AS now, AGO(1 hours) AS hour_ago, AGO(24 hours) AS day_ago,
               AGO(168 hours) AS week_ago, AGO(720 hours) AS month_ago""",
    # If an article has left the story that it founded, its link does not count for its new story.
    "v_follows": """
        SELECT later.id AS story_id, later.title, earlier.id AS earlier_id, earlier.title AS earlier_title
        FROM article
        JOIN story AS founded ON founded.founding_article = article.id
        JOIN story AS later
             ON later.id = COALESCE(founded.redirect_to, founded.id) AND later.id = article.story
        JOIN story AS named ON named.id = article.follows
        JOIN story AS earlier ON earlier.redirect_to IS NULL
             AND (earlier.id = named.redirect_to OR earlier.id = named.id)
        WHERE article.follows IS NOT NULL AND earlier.first_published < later.first_published""",
    # There is no DISTINCT or UNION over the whole, so that a condition on `story_id` can use the indexes.
    "v_story_links": """
        SELECT DISTINCT story_id, earlier_id AS other_id, 'earlier' AS relation FROM v_follows
        UNION ALL SELECT DISTINCT earlier_id, story_id, 'later' FROM v_follows
        UNION ALL SELECT story.id, other.id, 'related' FROM story_link
        JOIN story ON story.story_no = story_link.story_no
        JOIN story AS other ON other.story_no = story_link.other_no
        WHERE story.redirect_to IS NULL AND other.redirect_to IS NULL""",
    "v_story_names": _SUBJECTS.format("name"),
    "v_story_topics": _SUBJECTS.format("topic"),
}


def upgrade() -> None:
    _create_tables()
    counters = sa.table(
        "counter", sa.column("name", sa.Text), sa.column("value", sa.BigInteger)
    )
    op.bulk_insert(counters, [{"name": name, "value": 0} for name in _COUNTERS])
    _create_search_index()
    for name, query in _VIEWS.items():
        op.get_bind().exec_driver_sql(f"CREATE VIEW {name} AS {_in_dialect(query)}")


def _create_tables() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("last_used_at", _TIME),
        sa.Column("revoked_at", _TIME),
    )
    op.create_table(
        "change",
        sa.Column("change_no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("story", sa.Text, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("bumped_at", _TIME, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("article", sa.Text),
        sa.Column("others", sa.Text),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("title_before", sa.Text),
        sa.Column("report_count", sa.Integer, nullable=False),
        sa.Index("ix_change_article", "article"),
        sa.Index("ix_change_bumped_at_change_no", "bumped_at", "change_no"),
        _partial("ix_change_merged", "change_no", where="kind = 'merged'"),
        sa.Index("ix_change_story_change_no", "story", "change_no"),
    )
    op.create_table(
        "command",
        sa.Column("command_no", _NUMBER, primary_key=True),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("done_at", _TIME),
        sa.Index("ix_command_state_command_no", "state", "command_no"),
    )
    op.create_table(
        "correction",
        sa.Column("correction_no", _NUMBER, primary_key=True),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("undone_at", _TIME),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_table(
        "counter",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "entry",
        sa.Column("entry_no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("inbox_no", sa.BigInteger, unique=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("article", sa.Text, nullable=False),
        sa.Column("is_revision", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("url", sa.Text),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("page", sa.LargeBinary),
        sa.Column("page_url", sa.Text),
        sa.Column("page_charset", sa.Text),
        sa.Column("page_robots", sa.Text),
        sa.Column("page_due_at", _TIME),
        sa.Column(
            "page_attempts", sa.Integer, nullable=False, server_default=sa.text("0")
        ),
        sa.Column(
            "bump_by_clock", sa.Boolean, nullable=False, server_default=sa.false()
        ),
        sa.Column("accepted_at", _TIME, nullable=False),
        sa.Column("done_at", _TIME),
        sa.Column("verdict", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("outcome", sa.Text),
        sa.Column("page_verdict", sa.Text),
        sa.Index("ix_entry_article", "article"),
        _partial("ix_entry_page_url", "page_url", where="length(page_url) <= 600"),
        sa.Index("ix_entry_source_verdict", "source", "verdict", "page_verdict"),
        sa.Index("ix_entry_state_inbox_no", "state", "inbox_no"),
        sa.Index("ix_entry_state_page_due_at", "state", "page_due_at"),
        _partial("ix_entry_url", "url", where="length(url) <= 600"),
    )
    op.create_table(
        "folder",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("path", sa.Text, nullable=False, unique=True),
    )
    op.create_table(
        "identity_key",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("article", sa.Text, nullable=False),
        sa.Index("ix_identity_key_article", "article"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "intake_count",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("outcome", sa.Text, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column(
            "deleted", sa.BigInteger, nullable=False, server_default=sa.text("0")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lsh_band",
        sa.Column("band", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("article", sa.BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "observation",
        sa.Column("article", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("content_hash", sa.LargeBinary, primary_key=True),
        sa.Column("is_authoritative", sa.Boolean, nullable=False),
        sa.Column("first_seen_at", _TIME, nullable=False),
        sa.Column("is_current", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column(
            "revert_count", sa.Integer, nullable=False, server_default=sa.text("0")
        ),
        sa.Column("title_hash", sa.LargeBinary),
        sa.Column("title_key", sa.LargeBinary),
        sa.Column("text_key", sa.LargeBinary),
        sa.Column("declared_at", _TIME),
        _partial("ix_observation_text_key", "text_key", where="text_key IS NOT NULL"),
        _partial(
            "ix_observation_title_key", "title_key", where="title_key IS NOT NULL"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reader",
        sa.Column("reader_no", _NUMBER, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("read_before", _TIME, nullable=False),
        sa.Column("last_change_no", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "rejected_input",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("item", sa.Text, primary_key=True),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Index("ix_rejected_input_at", "at"),
    )
    op.create_table(
        "source",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("folder_name", sa.Text),
        sa.Column("outlet", sa.Text),
        sa.Column("folder", sa.Text),
        sa.Column("language", sa.Text),
        sa.Column("timezone", sa.Text),
        sa.Column("interval_seconds", sa.Integer, nullable=False),
        sa.Column(
            "has_own_interval", sa.Boolean, nullable=False, server_default=sa.false()
        ),
        sa.Column(
            "adaptive_interval_seconds",
            sa.Float,
            nullable=False,
            server_default=sa.text("0"),
        ),
        sa.Column("pages", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("title", sa.Text),
        sa.Column("site_url", sa.Text),
        sa.Column("etag", sa.Text),
        sa.Column("last_modified", sa.Text),
        sa.Column("body_hash", sa.LargeBinary),
        sa.Column("folder_state", sa.LargeBinary),
        sa.Column(
            "first_poll_done", sa.Boolean, nullable=False, server_default=sa.false()
        ),
        sa.Column("next_due_at", _TIME, nullable=False),
        sa.Column("last_polled_at", _TIME),
        sa.Column("last_success_at", _TIME),
        sa.Column("failures", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("health", sa.Text, nullable=False, server_default="new"),
        sa.Column("health_cause", sa.Text),
        sa.Column(
            "entries_new", sa.BigInteger, nullable=False, server_default=sa.text("0")
        ),
        sa.Column(
            "entries_known", sa.BigInteger, nullable=False, server_default=sa.text("0")
        ),
        sa.Column(
            "entries_rejected",
            sa.BigInteger,
            nullable=False,
            server_default=sa.text("0"),
        ),
        sa.Column("host", sa.Text),
        sa.Column("redirected_url", sa.Text),
        sa.Column("moved_to", sa.Text),
        sa.Column(
            "moved_count", sa.Integer, nullable=False, server_default=sa.text("0")
        ),
        sa.Column("moved_since", _TIME),
        sa.Column(
            "move_confirmed", sa.Boolean, nullable=False, server_default=sa.false()
        ),
        sa.Column("merged_into", sa.Text),
        sa.Column(
            "gone_count", sa.Integer, nullable=False, server_default=sa.text("0")
        ),
        sa.Column("gone_since", _TIME),
        sa.Column("ttl_seconds", sa.Float, nullable=False, server_default=sa.text("0")),
        sa.Column("per_day", sa.Float, nullable=False, server_default=sa.text("0")),
        sa.Column("per_day_at", _TIME),
        sa.Column("last_new_at", _TIME),
        sa.Column("flooded_at", _TIME),
        sa.Column(
            "flood_entries", sa.Integer, nullable=False, server_default=sa.text("0")
        ),
        sa.Column("failing_since", _TIME),
        sa.Index("ix_source_paused_next_due_at", "paused", "next_due_at"),
    )
    op.create_table(
        "source_history",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("articles", sa.BigInteger, nullable=False),
        sa.Column("matched", sa.BigInteger, nullable=False),
        sa.Column(
            "closed_articles",
            sa.BigInteger,
            nullable=False,
            server_default=sa.text("0"),
        ),
        sa.Column(
            "closed_matched", sa.BigInteger, nullable=False, server_default=sa.text("0")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "source_period",
        sa.Column("period", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("articles", sa.BigInteger, nullable=False),
        sa.Column("matched", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "story",
        sa.Column("story_no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("founding_article", sa.Text, nullable=False),
        sa.Column("founding_no", sa.Integer, nullable=False),
        sa.Column("redirect_to", sa.Text),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("title_article", sa.Text),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("language", sa.Text),
        sa.Column("text", sa.Text),
        sa.Column("merged_story", sa.LargeBinary),
        sa.Column("first_published", _TIME, nullable=False),
        sa.Column("last_published", _TIME, nullable=False),
        sa.Column("bumped_at", _TIME, nullable=False),
        sa.Column("article_count", sa.Integer, nullable=False),
        sa.Column("outlet_count", sa.Integer, nullable=False),
        sa.Column("report_count", sa.Integer, nullable=False),
        sa.Column(
            "unknown_outlet_count",
            sa.Integer,
            nullable=False,
            server_default=sa.text("0"),
        ),
        sa.Column(
            "container_only", sa.Boolean, nullable=False, server_default=sa.false()
        ),
        sa.Column("last_inbox_no", sa.BigInteger, nullable=False),
        sa.Column(
            "membership_changed_no",
            sa.BigInteger,
            nullable=False,
            server_default=sa.text("0"),
        ),
        sa.Column("centroid", sa.LargeBinary, nullable=False),
        sa.Column("count_state", sa.LargeBinary),
        *(
            _partial(
                f"ix_story_bumped_{least}",
                "bumped_at",
                "story_no",
                "id",
                "last_published",
                where=f"redirect_to IS NULL{reports}",
            )
            for least, reports in (
                (1, ""),
                (2, " AND report_count >= 2"),
                (5, " AND report_count >= 5"),
            )
        ),
        sa.Index(
            "ix_story_for_views", "id", "redirect_to", "report_count", "outlet_count"
        ),
        sa.Index("ix_story_founding_article", "founding_article"),
        sa.Index("ix_story_last_inbox_no", "last_inbox_no"),
        _partial(
            "ix_story_last_published", "last_published", where="redirect_to IS NULL"
        ),
        sa.Index("ix_story_membership_changed_no", "membership_changed_no"),
        _partial("ix_story_outlet_count", "outlet_count", where="outlet_count > 1"),
        _partial(
            "ix_story_redirect_to", "redirect_to", where="redirect_to IS NOT NULL"
        ),
        _partial(
            "ix_story_report_count",
            "report_count",
            where="redirect_to IS NULL AND report_count >= 5",
        ),
        _partial(
            "ix_story_unrendered",
            "bumped_at",
            where="text IS NULL AND redirect_to IS NULL",
        ),
    )
    op.create_table(
        "story_link",
        sa.Column("story_no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("other_no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Index("ix_story_link_other_no", "other_no"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "story_log",
        sa.Column("log_no", _NUMBER, primary_key=True),
        sa.Column("story", sa.Text, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("article", sa.Text),
        sa.Column("detail", sa.Text),
        _partial("ix_story_log_article", "article", where="article IS NOT NULL"),
        _partial("ix_story_log_headline", "story", "log_no", where="kind = 'headline'"),
        sa.Index("ix_story_log_story_log_no", "story", "log_no"),
    )
    op.create_table(
        "story_subject",
        sa.Column("story_no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("outlets", sa.Integer, nullable=False),
        sa.Index("ix_story_subject_key", "kind", "key", "story_no"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "story_summary",
        sa.Column("story", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("facts_hash", sa.LargeBinary, nullable=False),
        sa.Column("attempted_at", _TIME, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("summary", sa.LargeBinary),
        sa.Index("ix_story_summary_attempted_at", "attempted_at"),
    )
    op.create_table(
        "stream_period",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("last_inbox_no", sa.BigInteger, nullable=False),
        sa.Column("articles", sa.Integer, nullable=False),
        sa.Column("terms", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "tombstone",
        sa.Column("article", sa.Text, primary_key=True),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("kind", sa.Text, nullable=False, server_default="forgotten"),
        sa.Column(
            "rejected_count", sa.Integer, nullable=False, server_default=sa.text("0")
        ),
        sa.Column("rejected_at", _TIME),
        sa.Index("ix_tombstone_at", "at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "unstable_identifier",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("guid_strikes", sa.Integer, nullable=False),
        sa.Column("url_strikes", sa.Integer, nullable=False),
        sa.Column("guids_distrusted_at", _TIME),
        sa.Column("urls_distrusted_at", _TIME),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "webhook",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("url_hash", sa.LargeBinary, nullable=False),
        sa.Column("is_configured", sa.Boolean, nullable=False),
        sa.Column("last_change_no", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", _TIME),
        sa.Column("resumes_at", _TIME),
        sa.Column("last_success_at", _TIME),
    )
    op.create_table(
        "writer_lease",
        sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("holder", sa.Text, nullable=False),
    )
    op.create_table(
        "article",
        sa.Column("inbox_no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("root_article", sa.Text, nullable=False),
        sa.Column(
            "generation", sa.Integer, nullable=False, server_default=sa.text("0")
        ),
        sa.Column("story", sa.Text, sa.ForeignKey("story.id"), nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False, server_default=sa.text("'report'")),
        sa.Column("kind_evidence", sa.Text),
        sa.Column("counts_in_centroid", sa.Boolean, nullable=False),
        sa.Column("copy_of", sa.Text),
        sa.Column("reuses", sa.Text),
        sa.Column("original", sa.Text),
        sa.Column("follows", sa.Text),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("outlet", sa.Text),
        sa.Column("outlet_name", sa.Text),
        sa.Column("url", sa.Text),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("lead", sa.Text, nullable=False),
        sa.Column("text", sa.Text),
        sa.Column("language", sa.Text),
        sa.Column("author", sa.Text),
        sa.Column("published", _TIME),
        sa.Column("published_origin", sa.Text),
        sa.Column("published_precision", sa.Text),
        sa.Column(
            "timezone_assumed", sa.Boolean, nullable=False, server_default=sa.false()
        ),
        sa.Column("date_counts", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.Column("effective_at", _TIME, nullable=False),
        sa.Column("wire", sa.Text),
        sa.Column("details", sa.LargeBinary),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("terms", sa.LargeBinary, nullable=False),
        sa.Column("nearest", sa.LargeBinary),
        sa.Column("body_words", sa.Integer, nullable=False),
        sa.Column("text_hash", sa.LargeBinary, nullable=False),
        sa.Column("evidence", sa.LargeBinary, nullable=False),
        sa.Column("placed_at", _TIME, nullable=False),
        sa.Column("is_polled", sa.Boolean, nullable=False),
        sa.Column(
            "counts_as_report", sa.Boolean, nullable=False, server_default=sa.true()
        ),
        sa.Column(
            "is_little_known", sa.Boolean, nullable=False, server_default=sa.false()
        ),
        _partial("ix_article_container", "effective_at", where="role = 'container'"),
        sa.Index("ix_article_copy_of", "copy_of"),
        sa.Index("ix_article_effective_at", "effective_at"),
        _partial("ix_article_follows", "follows", "story", where="follows IS NOT NULL"),
        sa.Index(
            "ix_article_for_views",
            "story",
            "effective_at",
            "outlet",
            "outlet_name",
            "role",
            "published",
            "published_precision",
            "language",
            "wire",
            "original",
            "id",
        ),
        _partial("ix_article_kind", "kind", "story", where="kind <> 'report'"),
        sa.Index("ix_article_language_story", "language", "story"),
        _partial("ix_article_original", "original", where="original IS NOT NULL"),
        _partial(
            "ix_article_outlet_name",
            "outlet_name",
            "outlet",
            where="outlet_name IS NOT NULL",
        ),
        sa.Index("ix_article_outlet_story", "outlet", "story"),
        sa.Index("ix_article_root_article_generation", "root_article", "generation"),
        sa.Index("ix_article_source_seen_at", "source", "seen_at"),
        sa.Index(
            "ix_article_story_copy_of_effective_at", "story", "copy_of", "effective_at"
        ),
        _partial("ix_article_url", "url", where="length(url) <= 600"),
        _partial("ix_article_with_text", "inbox_no", "story", where="text IS NOT NULL"),
    )
    op.create_table(
        "link_constraint",
        sa.Column(
            "correction",
            sa.BigInteger,
            sa.ForeignKey("correction.correction_no"),
            primary_key=True,
        ),
        sa.Column("article", sa.Text, primary_key=True),
        sa.Column("relation", sa.Text, primary_key=True),
        sa.Column("side", sa.Integer, nullable=False),
        sa.Index("ix_link_constraint_article", "article"),
    )
    op.create_table(
        "outbox",
        sa.Column("webhook", sa.Text, sa.ForeignKey("webhook.name"), primary_key=True),
        sa.Column("change", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("story", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("first_attempt_at", _TIME),
        sa.Column("next_attempt_at", _TIME, nullable=False),
        sa.Column("done_at", _TIME),
        sa.Column("problem", sa.Text),
        sa.Index("ix_outbox_done_at", "done_at"),
        sa.Index("ix_outbox_webhook_state_change", "webhook", "state", "change"),
        sa.Index("ix_outbox_webhook_story", "webhook", "story"),
    )
    op.create_table(
        "read_mark",
        sa.Column(
            "reader",
            sa.BigInteger,
            sa.ForeignKey("reader.reader_no", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("story", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("read_to", _TIME),
        sa.Column("is_starred", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "outlet_line",
        sa.Column("outlet", sa.Text, primary_key=True),
        _article_key(),
        sa.Column("lines", sa.LargeBinary, nullable=False),
        sa.Index("ix_outlet_line_article", "article"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sketch",
        _article_key(),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
    )


def _article_key() -> sa.Column[int]:
    to = sa.ForeignKey("article.inbox_no", ondelete="CASCADE")
    return sa.Column("article", _NUMBER, to, primary_key=True, autoincrement=False)


def _partial(name: str, *columns: str, where: str) -> sa.Index:
    return sa.Index(
        name, *columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )


def _create_search_index() -> None:
    """Create the full-text index: FTS5 without content on SQLite, tsvector on Postgres.

    Words arrive separated by spaces and are not changed: the tokenizer "ascii" treats every character beyond ASCII as
    part of a word. No query needs the lengths of columns.
    """
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE article_search USING fts5("
            "words, content='', columnsize=0, tokenize=\"ascii tokenchars '_'\")"
        )
        return
    op.execute(
        "CREATE TABLE article_search "
        "(n BIGINT PRIMARY KEY, words tsvector NOT NULL, is_long BOOLEAN NOT NULL DEFAULT false)"
    )
    # Lists of words are stored out of line, so that an index scan for a word reads few pages.
    op.execute("ALTER TABLE article_search SET (toast_tuple_target = 128)")
    op.execute(
        "CREATE INDEX ix_article_search_words ON article_search USING gin (words)"
    )
    op.execute("ALTER INDEX ix_article_search_words SET (fastupdate = off)")


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
