"""The first tables, the full-text index and the views."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

COUNTERS = ("entry", "inbox", "story", "bump", "searchable")

# The views are what users' SQL rests on: columns may be added, never taken away (docs/sql.md).
VIEWS = {
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


def upgrade() -> None:
    op.create_table(
        "counter",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counter")),
    )
    op.create_table(
        "entry",
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("inbox_no", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("article", sa.Text(), nullable=False),
        sa.Column("revises", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("page", sa.LargeBinary(), nullable=True),
        sa.Column("page_url", sa.Text(), nullable=True),
        sa.Column("page_charset", sa.Text(), nullable=True),
        sa.Column("page_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("page_tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("bumps_by_clock", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_entry")),
        sa.UniqueConstraint("inbox_no", name=op.f("uq_entry_inbox_no")),
    )
    op.create_index(op.f("ix_entry_article"), "entry", ["article"], unique=False)
    op.create_index(op.f("ix_entry_state_inbox_no"), "entry", ["state", "inbox_no"], unique=False)
    op.create_index(op.f("ix_entry_state_page_due_at"), "entry", ["state", "page_due_at"], unique=False)
    op.create_table(
        "folder",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_folder")),
        sa.UniqueConstraint("path", name=op.f("uq_folder_path")),
    )
    op.create_table(
        "identity_key",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("article", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_identity_key")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_identity_key_article"), "identity_key", ["article"], unique=False)
    op.create_table(
        "lsh_band",
        sa.Column("band", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("article", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("band", "article", name=op.f("pk_lsh_band")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "refusal",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", "item", name=op.f("pk_refusal")),
    )
    op.create_index(op.f("ix_refusal_at"), "refusal", ["at"], unique=False)
    op.create_table(
        "revision",
        sa.Column("article", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("article", "number", name=op.f("pk_revision")),
    )
    op.create_table(
        "sighting",
        sa.Column("article", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("gives", sa.Boolean(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("article", "source", "content_hash", name=op.f("pk_sighting")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "source",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("known_as", sa.Text(), nullable=True),
        sa.Column("outlet", sa.Text(), nullable=True),
        sa.Column("folder", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("interval_seconds", sa.Integer(), nullable=False),
        sa.Column("rhythm_seconds", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("pages", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("paused", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("last_modified", sa.Text(), nullable=True),
        sa.Column("body_hash", sa.LargeBinary(), nullable=True),
        sa.Column("stamps", sa.LargeBinary(), nullable=True),
        sa.Column("first_poll_done", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("next_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_polled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_success_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("health", sa.Text(), server_default="new", nullable=False),
        sa.Column("health_cause", sa.Text(), nullable=True),
        sa.Column("entries_new", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("entries_known", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("entries_refused", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
    )
    op.create_index(op.f("ix_source_paused_next_due_at"), "source", ["paused", "next_due_at"], unique=False)
    op.create_table(
        "story",
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("founder", sa.Text(), nullable=False),
        sa.Column("founding", sa.Integer(), nullable=False),
        sa.Column("redirect_to", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("merged", sa.LargeBinary(), nullable=True),
        sa.Column("first_published", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_published", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("article_count", sa.Integer(), nullable=False),
        sa.Column("outlet_count", sa.Integer(), nullable=False),
        sa.Column("report_count", sa.Integer(), nullable=False),
        sa.Column("container_only", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("last_inbox_no", sa.BigInteger(), nullable=False),
        sa.Column("sums", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_story")),
        sa.UniqueConstraint("id", name=op.f("uq_story_id")),
    )
    op.create_index(op.f("ix_story_founder"), "story", ["founder"], unique=False)
    op.create_index(op.f("ix_story_last_inbox_no"), "story", ["last_inbox_no"], unique=False)
    op.create_index(op.f("ix_story_last_published"), "story", ["last_published"], unique=False)
    op.create_index(op.f("ix_story_updated"), "story", ["updated"], unique=False)
    op.create_table(
        "story_log",
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("story", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("article", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_story_log")),
    )
    op.create_index(op.f("ix_story_log_story_n"), "story_log", ["story", "n"], unique=False)
    op.create_table(
        "article",
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("story", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("weighs", sa.Boolean(), nullable=False),
        sa.Column("copy_of", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("outlet", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("lead", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("published", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_origin", sa.Text(), nullable=True),
        sa.Column("published_precision", sa.Text(), nullable=True),
        sa.Column("zone_assumed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("effective", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wire", sa.Text(), nullable=True),
        sa.Column("details", sa.LargeBinary(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("terms", sa.LargeBinary(), nullable=False),
        sa.Column("body_words", sa.Integer(), nullable=False),
        sa.Column("text_hash", sa.LargeBinary(), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["story"], ["story.id"], name=op.f("fk_article_story")),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_article")),
        sa.UniqueConstraint("id", name=op.f("uq_article_id")),
    )
    op.create_index(op.f("ix_article_copy_of"), "article", ["copy_of"], unique=False)
    op.create_index(op.f("ix_article_effective"), "article", ["effective"], unique=False)
    op.create_index(op.f("ix_article_root_generation"), "article", ["root", "generation"], unique=False)
    op.create_index(op.f("ix_article_source_seen"), "article", ["source", "seen"], unique=False)
    op.create_index(op.f("ix_article_story"), "article", ["story"], unique=False)
    counters = sa.table("counter", sa.column("name", sa.Text), sa.column("value", sa.BigInteger))
    op.bulk_insert(counters, [{"name": name, "value": 0} for name in COUNTERS])
    _create_search()
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")


def _create_search() -> None:
    """Full text: contentless on SQLite (the text stands in `article` already), a tsvector on Postgres."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE article_search USING fts5("
            "title, body, content='', tokenize='unicode61 remove_diacritics 0')"
        )
    else:
        op.execute("CREATE TABLE article_search (n BIGINT PRIMARY KEY, words tsvector NOT NULL)")
        op.execute("CREATE INDEX ix_article_search_words ON article_search USING gin (words)")


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
    op.execute("DROP TABLE article_search")
    op.drop_index(op.f("ix_article_story"), table_name="article")
    op.drop_index(op.f("ix_article_source_seen"), table_name="article")
    op.drop_index(op.f("ix_article_root_generation"), table_name="article")
    op.drop_index(op.f("ix_article_effective"), table_name="article")
    op.drop_index(op.f("ix_article_copy_of"), table_name="article")
    op.drop_table("article")
    op.drop_index(op.f("ix_story_log_story_n"), table_name="story_log")
    op.drop_table("story_log")
    op.drop_index(op.f("ix_story_updated"), table_name="story")
    op.drop_index(op.f("ix_story_last_published"), table_name="story")
    op.drop_index(op.f("ix_story_last_inbox_no"), table_name="story")
    op.drop_index(op.f("ix_story_founder"), table_name="story")
    op.drop_table("story")
    op.drop_index(op.f("ix_source_paused_next_due_at"), table_name="source")
    op.drop_table("source")
    op.drop_table("sighting")
    op.drop_table("revision")
    op.drop_index(op.f("ix_refusal_at"), table_name="refusal")
    op.drop_table("refusal")
    op.drop_table("lsh_band")
    op.drop_index(op.f("ix_identity_key_article"), table_name="identity_key")
    op.drop_table("identity_key")
    op.drop_table("folder")
    op.drop_index(op.f("ix_entry_state_page_due_at"), table_name="entry")
    op.drop_index(op.f("ix_entry_state_inbox_no"), table_name="entry")
    op.drop_index(op.f("ix_entry_article"), table_name="entry")
    op.drop_table("entry")
    op.drop_table("counter")
