"""All tables, indexes and views of version 0.1."""

import sqlalchemy as sa
from alembic import op

revision = "0019"  # the programs before version 0.1 used 0001 to 0018
down_revision = None
branch_labels = None
depends_on = None

DROP_ORDER = (
    "sketch",
    "outlet_line",
    "live_blog_link",
    "live_blog",
    "cross_language",
    "outbox",
    "link_constraint",
    "idempotency_key",
    "article",
    "writer_lease",
    "webhook",
    "unstable_identifier",
    "tombstone",
    "story_log",
    "story",
    "source",
    "revision",
    "rejected_input",
    "prefetched",
    "observation",
    "lsh_band",
    "intake_count",
    "identity_key",
    "host_lease",
    "host",
    "folder",
    "entry",
    "counter",
    "correction",
    "command",
    "change",
    "api_token",
)
COUNTERS = ("entry", "inbox", "story", "bump", "change", "searchable", "unindexed")
_TIME = sa.DateTime(timezone=True)

# What the two databases write differently. Both truncate seconds; neither rounds.
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

# Users' SQL depends on the views: columns may be added, never removed (docs/sql.md).
VIEWS = {
    "v_stories": """
        SELECT id, title, summary,
               CASE WHEN text <> '' THEN text
                    WHEN text = '' AND article_count = 1 THEN
                        (SELECT CASE WHEN article.compressed_text IS NULL THEN article.text END
                         FROM article WHERE article.story = story.id LIMIT 1)
               END AS text, language, first_published, last_published, bumped_at AS updated,
               article_count, outlet_count, report_count,
               CASE WHEN text IS NOT NULL THEN disagreement_count END AS disagreement_count,
               DAY(last_published) AS day
        FROM story WHERE redirect_to IS NULL""",
    # The headline is a subquery: a query that does not select it reads no row of `story`.
    "v_story_articles": """
        SELECT article.story AS story_id, article.id AS article_id,
               (SELECT story.title FROM story WHERE story.id = article.story) AS story_title,
               article.outlet, article.url, article.title, article.lead,
               CASE WHEN article.compressed_text IS NULL THEN article.text END AS text,
               article.author, article.language, article.published, article.published_origin,
               article.published_precision, article.seen_at AS seen, article.effective_at AS effective,
               article.role,
               article.copy_of, article.wire,
               article.original, article.source AS source_key, DAY(article.effective_at) AS day
        FROM article""",
    "v_copies": """
        SELECT article.story AS story_id, article.id AS article_id, article.outlet, article.title,
               article.effective_at AS effective, article.role, article.wire,
               original.id AS original_id, original.outlet AS original_outlet,
               original.title AS original_title, original.effective_at AS original_effective,
               CASE WHEN article.published_precision = 'minute' AND original.published_precision = 'minute'
                    THEN CAST((SECONDS(article.published) - SECONDS(original.published)) / 60 AS INTEGER)
               END AS minutes_late
        FROM article JOIN article AS original ON original.id = article.original
        WHERE article.original IS NOT NULL""",
    "v_story_log": """
        SELECT log_no AS n, story AS story_id, at, kind, article AS article_id, detail,
               NUMBER(score) AS score,
               COALESCE(TEXT(into), TEXT(other), TEXT(to), TEXT(from)) AS other_story_id
        FROM story_log""",
    "v_headline_changes": """
        SELECT log_no AS n, story AS story_id, at,
               TEXT(before) AS title_before, TEXT(after) AS title_after, TEXT(reason) AS reason
        FROM story_log WHERE kind = 'headline'""",
    "v_live_links": """
        SELECT COALESCE(described.redirect_to, described.id) AS story_id, article.id AS article_id,
               article.story AS live_blog_story_id, article.outlet, article.title, article.url,
               article.effective_at AS effective, live_blog_link.position, live_blog_link.score
        FROM live_blog_link
        JOIN article ON article.inbox_no = live_blog_link.article
        JOIN story AS described ON described.id = live_blog_link.story""",
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
}


def upgrade() -> None:
    if not sa.inspect(op.get_bind()).has_table("story"):  # else: revision 0018, see store/upgrade_0018.py
        _create_tables()
        _create_search_index()
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    create = "CREATE VIEW" if is_sqlite else "CREATE OR REPLACE VIEW"  # other views may depend on them
    for name, query in VIEWS.items():
        if is_sqlite:
            op.execute(f"DROP VIEW IF EXISTS {name}")
        op.get_bind().exec_driver_sql(f"{create} {name} AS {_in_dialect(query)}")


def _create_tables() -> None:  # noqa: PLR0915
    op.create_table(
        "api_token",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("last_used_at", _TIME, nullable=True),
        sa.Column("revoked_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_token"),
    )
    op.create_table(
        "change",
        sa.Column("change_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("story", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("bumped_at", _TIME, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("article", sa.Text(), nullable=True),
        sa.Column("others", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("title_before", sa.Text(), nullable=True),
        sa.Column("report_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("change_no", name="pk_change"),
    )
    op.create_index("ix_change_article", "change", ["article"])
    op.create_index("ix_change_bumped_at_change_no", "change", ["bumped_at", "change_no"])
    op.create_table(
        "command",
        sa.Column("command_no", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("done_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("command_no", name="pk_command"),
    )
    op.create_index("ix_command_state_command_no", "command", ["state", "command_no"])
    op.create_table(
        "correction",
        sa.Column("correction_no", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("undone_at", _TIME, nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("correction_no", name="pk_correction"),
    )
    op.create_table(
        "counter",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counter"),
    )
    op.create_table(
        "entry",
        sa.Column("entry_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("inbox_no", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("article", sa.Text(), nullable=False),
        sa.Column("is_revision", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("page", sa.LargeBinary(), nullable=True),
        sa.Column("page_url", sa.Text(), nullable=True),
        sa.Column("page_charset", sa.Text(), nullable=True),
        sa.Column("page_robots", sa.Text(), nullable=True),
        sa.Column("page_due_at", _TIME, nullable=True),
        sa.Column("page_attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("bump_by_clock", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("accepted_at", _TIME, nullable=False),
        sa.Column("done_at", _TIME, nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("page_verdict", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("entry_no", name="pk_entry"),
        sa.UniqueConstraint("inbox_no", name="uq_entry_inbox_no"),
    )
    op.create_index("ix_entry_article", "entry", ["article"])
    op.create_index(
        "ix_entry_page_url",
        "entry",
        ["page_url"],
        sqlite_where=sa.text("length(page_url) <= 600"),
        postgresql_where=sa.text("length(page_url) <= 600"),
    )
    op.create_index("ix_entry_source_verdict", "entry", ["source", "verdict", "page_verdict"])
    op.create_index("ix_entry_state_inbox_no", "entry", ["state", "inbox_no"])
    op.create_index("ix_entry_state_page_due_at", "entry", ["state", "page_due_at"])
    op.create_index(
        "ix_entry_url",
        "entry",
        ["url"],
        sqlite_where=sa.text("length(url) <= 600"),
        postgresql_where=sa.text("length(url) <= 600"),
    )
    op.create_table(
        "folder",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_folder"),
        sa.UniqueConstraint("path", name="uq_folder_path"),
    )
    op.create_table(
        "host",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("backoff_until", _TIME, nullable=True),
        sa.Column("gap_factor", sa.Float(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_host"),
    )
    op.create_table(
        "host_lease",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("host", name="pk_host_lease"),
    )
    op.create_table(
        "identity_key",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("article", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_identity_key"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_identity_key_article", "identity_key", ["article"])
    op.create_table(
        "intake_count",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("source", "outcome", name="pk_intake_count"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lsh_band",
        sa.Column("band", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("article", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("band", "article", name="pk_lsh_band"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "observation",
        sa.Column("article", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("is_authoritative", sa.Boolean(), nullable=False),
        sa.Column("first_seen_at", _TIME, nullable=False),
        sa.Column("is_current", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("revert_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("title_hash", sa.LargeBinary(), nullable=True),
        sa.Column("title_key", sa.LargeBinary(), nullable=True),
        sa.Column("text_key", sa.LargeBinary(), nullable=True),
        sa.Column("declared_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("article", "source", "content_hash", name="pk_observation"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_observation_text_key",
        "observation",
        ["text_key"],
        sqlite_where=sa.text("text_key IS NOT NULL"),
        postgresql_where=sa.text("text_key IS NOT NULL"),
    )
    op.create_index(
        "ix_observation_title_key",
        "observation",
        ["title_key"],
        sqlite_where=sa.text("title_key IS NOT NULL"),
        postgresql_where=sa.text("title_key IS NOT NULL"),
    )
    op.create_table(
        "prefetched",
        sa.Column("entry", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("entry", name="pk_prefetched"),
    )
    op.create_table(
        "rejected_input",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("source", "item", name="pk_rejected_input"),
    )
    op.create_index("ix_rejected_input_at", "rejected_input", ["at"])
    op.create_table(
        "revision",
        sa.Column("article", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("replaced_at", _TIME, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("article", "number", name="pk_revision"),
    )
    op.create_table(
        "source",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("folder_name", sa.Text(), nullable=True),
        sa.Column("outlet", sa.Text(), nullable=True),
        sa.Column("folder", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("interval_seconds", sa.Integer(), nullable=False),
        sa.Column("adaptive_interval_seconds", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("pages", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("paused", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("last_modified", sa.Text(), nullable=True),
        sa.Column("body_hash", sa.LargeBinary(), nullable=True),
        sa.Column("folder_state", sa.LargeBinary(), nullable=True),
        sa.Column("first_poll_done", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("next_due_at", _TIME, nullable=False),
        sa.Column("last_polled_at", _TIME, nullable=True),
        sa.Column("last_success_at", _TIME, nullable=True),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("health", sa.Text(), server_default="new", nullable=False),
        sa.Column("health_cause", sa.Text(), nullable=True),
        sa.Column("entries_new", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("entries_known", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("entries_rejected", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("host", sa.Text(), nullable=True),
        sa.Column("redirected_url", sa.Text(), nullable=True),
        sa.Column("moved_to", sa.Text(), nullable=True),
        sa.Column("moved_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("moved_since", _TIME, nullable=True),
        sa.Column("move_confirmed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("merged_into", sa.Text(), nullable=True),
        sa.Column("gone_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("gone_since", _TIME, nullable=True),
        sa.Column("ttl_seconds", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("per_day", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("per_day_at", _TIME, nullable=True),
        sa.Column("last_new_at", _TIME, nullable=True),
        sa.Column("flooded_at", _TIME, nullable=True),
        sa.Column("flood_entries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failing_since", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_source"),
    )
    op.create_index("ix_source_paused_next_due_at", "source", ["paused", "next_due_at"])
    op.create_table(
        "story",
        sa.Column("story_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("founding_article", sa.Text(), nullable=False),
        sa.Column("founding_no", sa.Integer(), nullable=False),
        sa.Column("redirect_to", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("title_article", sa.Text(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("disagreement_count", sa.Integer(), nullable=True),
        sa.Column("merged_story", sa.LargeBinary(), nullable=True),
        sa.Column("first_published", _TIME, nullable=False),
        sa.Column("last_published", _TIME, nullable=False),
        sa.Column("bumped_at", _TIME, nullable=False),
        sa.Column("article_count", sa.Integer(), nullable=False),
        sa.Column("outlet_count", sa.Integer(), nullable=False),
        sa.Column("report_count", sa.Integer(), nullable=False),
        sa.Column("container_only", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("last_inbox_no", sa.BigInteger(), nullable=False),
        sa.Column("membership_changed_no", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("centroid", sa.LargeBinary(), nullable=False),
        sa.Column("count_state", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("story_no", name="pk_story"),
        sa.UniqueConstraint("id", name="uq_story_id"),
    )
    op.create_index(
        "ix_story_bumped_1",
        "story",
        ["bumped_at", "story_no"],
        sqlite_where=sa.text("redirect_to IS NULL"),
        postgresql_where=sa.text("redirect_to IS NULL"),
    )
    op.create_index(
        "ix_story_bumped_2",
        "story",
        ["bumped_at", "story_no"],
        sqlite_where=sa.text("redirect_to IS NULL AND report_count >= 2"),
        postgresql_where=sa.text("redirect_to IS NULL AND report_count >= 2"),
    )
    op.create_index(
        "ix_story_bumped_5",
        "story",
        ["bumped_at", "story_no"],
        sqlite_where=sa.text("redirect_to IS NULL AND report_count >= 5"),
        postgresql_where=sa.text("redirect_to IS NULL AND report_count >= 5"),
    )
    op.create_index("ix_story_for_views", "story", ["id", "redirect_to", "report_count", "outlet_count"])
    op.create_index("ix_story_founding_article", "story", ["founding_article"])
    op.create_index("ix_story_last_inbox_no", "story", ["last_inbox_no"])
    op.create_index(
        "ix_story_last_published",
        "story",
        ["last_published", "bumped_at", "story_no", "id"],
        sqlite_where=sa.text("redirect_to IS NULL"),
        postgresql_where=sa.text("redirect_to IS NULL"),
    )
    op.create_index("ix_story_membership_changed_no", "story", ["membership_changed_no"])
    op.create_index(
        "ix_story_outlet_count",
        "story",
        ["outlet_count"],
        sqlite_where=sa.text("outlet_count > 1"),
        postgresql_where=sa.text("outlet_count > 1"),
    )
    op.create_index(
        "ix_story_redirect_to",
        "story",
        ["redirect_to"],
        sqlite_where=sa.text("redirect_to IS NOT NULL"),
        postgresql_where=sa.text("redirect_to IS NOT NULL"),
    )
    op.create_index(
        "ix_story_report_count",
        "story",
        ["report_count"],
        sqlite_where=sa.text("redirect_to IS NULL AND report_count >= 5"),
        postgresql_where=sa.text("redirect_to IS NULL AND report_count >= 5"),
    )
    op.create_index(
        "ix_story_unrendered",
        "story",
        ["bumped_at"],
        sqlite_where=sa.text("text IS NULL AND redirect_to IS NULL"),
        postgresql_where=sa.text("text IS NULL AND redirect_to IS NULL"),
    )
    op.create_table(
        "story_log",
        sa.Column("log_no", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("story", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("article", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("log_no", name="pk_story_log"),
    )
    op.create_index(
        "ix_story_log_article",
        "story_log",
        ["article"],
        sqlite_where=sa.text("article IS NOT NULL"),
        postgresql_where=sa.text("article IS NOT NULL"),
    )
    op.create_index(
        "ix_story_log_headline",
        "story_log",
        ["story", "log_no"],
        sqlite_where=sa.text("kind = 'headline'"),
        postgresql_where=sa.text("kind = 'headline'"),
    )
    op.create_index("ix_story_log_story_log_no", "story_log", ["story", "log_no"])
    op.create_table(
        "tombstone",
        sa.Column("article", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("kind", sa.Text(), server_default="forgotten", nullable=False),
        sa.Column("rejected_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("rejected_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("article", name="pk_tombstone"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tombstone_at", "tombstone", ["at"])
    op.create_table(
        "unstable_identifier",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("guid_strikes", sa.Integer(), nullable=False),
        sa.Column("url_strikes", sa.Integer(), nullable=False),
        sa.Column("guids_distrusted_at", _TIME, nullable=True),
        sa.Column("urls_distrusted_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("source", name="pk_unstable_identifier"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "webhook",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url_hash", sa.LargeBinary(), nullable=False),
        sa.Column("is_configured", sa.Boolean(), nullable=False),
        sa.Column("last_change_no", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", _TIME, nullable=True),
        sa.Column("resumes_at", _TIME, nullable=True),
        sa.Column("last_success_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_webhook"),
    )
    op.create_table(
        "writer_lease",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("acquired_at", _TIME, nullable=False),
        sa.Column("renewed_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("epoch", name="pk_writer_lease"),
    )
    op.create_table(
        "article",
        sa.Column("inbox_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("root_article", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("story", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("counts_in_centroid", sa.Boolean(), nullable=False),
        sa.Column("copy_of", sa.Text(), nullable=True),
        sa.Column("original", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("outlet", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("lead", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("compressed_text", sa.LargeBinary(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("published", _TIME, nullable=True),
        sa.Column("published_origin", sa.Text(), nullable=True),
        sa.Column("published_precision", sa.Text(), nullable=True),
        sa.Column("timezone_assumed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.Column("effective_at", _TIME, nullable=False),
        sa.Column("wire", sa.Text(), nullable=True),
        sa.Column("details", sa.LargeBinary(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("terms", sa.LargeBinary(), nullable=False),
        sa.Column("body_words", sa.Integer(), nullable=False),
        sa.Column("text_hash", sa.LargeBinary(), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.Column("placed_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["story"], ["story.id"], name="fk_article_story"),
        sa.PrimaryKeyConstraint("inbox_no", name="pk_article"),
        sa.UniqueConstraint("id", name="uq_article_id"),
    )
    op.create_index(
        "ix_article_container",
        "article",
        ["effective_at"],
        sqlite_where=sa.text("role = 'container'"),
        postgresql_where=sa.text("role = 'container'"),
    )
    op.create_index("ix_article_copy_of", "article", ["copy_of"])
    op.create_index("ix_article_effective_at", "article", ["effective_at"])
    op.create_index(
        "ix_article_for_views",
        "article",
        [
            "story",
            "effective_at",
            "outlet",
            "role",
            "published",
            "published_precision",
            "language",
            "wire",
            "original",
            "id",
        ],
    )
    op.create_index("ix_article_language_story", "article", ["language", "story"])
    op.create_index(
        "ix_article_original",
        "article",
        ["original"],
        sqlite_where=sa.text("original IS NOT NULL"),
        postgresql_where=sa.text("original IS NOT NULL"),
    )
    op.create_index("ix_article_outlet_story", "article", ["outlet", "story"])
    op.create_index("ix_article_root_article_generation", "article", ["root_article", "generation"])
    op.create_index("ix_article_source_seen_at", "article", ["source", "seen_at"])
    op.create_index("ix_article_story_copy_of_effective_at", "article", ["story", "copy_of", "effective_at"])
    op.create_index(
        "ix_article_url",
        "article",
        ["url"],
        sqlite_where=sa.text("length(url) <= 600"),
        postgresql_where=sa.text("length(url) <= 600"),
    )
    op.create_table(
        "idempotency_key",
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("response", sa.LargeBinary(), nullable=True),
        sa.Column("at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["token"], ["api_token.id"], name="fk_idempotency_key_token"),
        sa.PrimaryKeyConstraint("token", "key", name="pk_idempotency_key"),
    )
    op.create_index("ix_idempotency_key_at", "idempotency_key", ["at"])
    op.create_table(
        "link_constraint",
        sa.Column("correction", sa.BigInteger(), nullable=False),
        sa.Column("article", sa.Text(), nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("side", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["correction"], ["correction.correction_no"], name="fk_link_constraint_correction"
        ),
        sa.PrimaryKeyConstraint("correction", "article", "relation", name="pk_link_constraint"),
    )
    op.create_index("ix_link_constraint_article", "link_constraint", ["article"])
    op.create_table(
        "outbox",
        sa.Column("webhook", sa.Text(), nullable=False),
        sa.Column("change", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("story", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_attempt_at", _TIME, nullable=True),
        sa.Column("next_attempt_at", _TIME, nullable=False),
        sa.Column("done_at", _TIME, nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["webhook"], ["webhook.name"], name="fk_outbox_webhook"),
        sa.PrimaryKeyConstraint("webhook", "change", name="pk_outbox"),
    )
    op.create_index("ix_outbox_done_at", "outbox", ["done_at"])
    op.create_index("ix_outbox_webhook_state_change", "outbox", ["webhook", "state", "change"])
    op.create_index("ix_outbox_webhook_story", "outbox", ["webhook", "story"])
    op.create_table(
        "cross_language",
        sa.Column(
            "article",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("features", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article"], ["article.inbox_no"], name="fk_cross_language_article", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("article", name="pk_cross_language"),
    )
    op.create_table(
        "live_blog",
        sa.Column(
            "article",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("entry_fingerprints", sa.LargeBinary(), nullable=False),
        sa.Column("link_round", sa.Integer(), nullable=False),
        sa.Column("due_no", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["article"], ["article.inbox_no"], name="fk_live_blog_article", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("article", name="pk_live_blog"),
    )
    op.create_index("ix_live_blog_due_no", "live_blog", ["due_no"])
    op.create_table(
        "live_blog_link",
        sa.Column(
            "article",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("story", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article"], ["article.inbox_no"], name="fk_live_blog_link_article", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("article", "position", name="pk_live_blog_link"),
    )
    op.create_index("ix_live_blog_link_story", "live_blog_link", ["story"])
    op.create_table(
        "outlet_line",
        sa.Column("outlet", sa.Text(), nullable=False),
        sa.Column("article", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lines", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article"], ["article.inbox_no"], name="fk_outlet_line_article", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("outlet", "article", name="pk_outlet_line"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_outlet_line_article", "outlet_line", ["article"])
    op.create_table(
        "sketch",
        sa.Column(
            "article",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article"], ["article.inbox_no"], name="fk_sketch_article", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("article", name="pk_sketch"),
    )
    if op.get_bind().dialect.name != "sqlite":
        op.execute("ALTER TABLE prefetched SET UNLOGGED")  # what a crash loses is prepared again
    counters = sa.table("counter", sa.column("name", sa.Text), sa.column("value", sa.BigInteger))
    op.bulk_insert(counters, [{"name": name, "value": 0} for name in COUNTERS])


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
    op.execute("DROP TABLE article_search")
    for name in DROP_ORDER:
        op.drop_table(name)


def _create_search_index() -> None:
    """Create the full-text index: FTS5 without content on SQLite, tsvector on Postgres.

    Words arrive separated by blanks and are kept as they are: the tokenizer "ascii" treats every character
    beyond ASCII as part of a word. No query needs the lengths of columns.
    """
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE article_search USING fts5("
            "title, body, marks, content='', columnsize=0, tokenize=\"ascii tokenchars '_'\")"
        )
        return
    op.execute(
        "CREATE TABLE article_search "
        "(n BIGINT PRIMARY KEY, words tsvector NOT NULL, is_long BOOLEAN NOT NULL DEFAULT false)"
    )
    # Word lists are stored out of line: an index scan for a word then reads few pages.
    op.execute("ALTER TABLE article_search SET (toast_tuple_target = 128)")
    op.execute("CREATE INDEX ix_article_search_words ON article_search USING gin (words)")
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
