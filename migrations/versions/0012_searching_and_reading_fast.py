"""The full-text index anew (pairs of characters, marks of an article), and indexes for lists of stories.

The rows of the new index are made by the program, the newest first, while it has nothing else to do:
`unindexed` says from which article number downwards they are still missing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_COUNTER = sa.table("counter", sa.column("name", sa.Text), sa.column("value", sa.BigInteger))
_SQLITE_BEFORE = "title, body, content='', tokenize='unicode61 remove_diacritics 0'"
# "ascii" takes every character beyond ASCII for part of a word: our own words come divided by blanks, and are
# kept as they are. Nothing asks for the lengths of columns.
_SQLITE_NOW = "title, body, marks, content='', columnsize=0, tokenize=\"ascii tokenchars '_'\""
_LISTED = {
    1: "redirect_to IS NULL",
    2: "redirect_to IS NULL AND report_count >= 2",
    5: "redirect_to IS NULL AND report_count >= 5",
}


def upgrade() -> None:
    _make_search(_SQLITE_NOW)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("ALTER TABLE article_search ADD COLUMN is_long BOOLEAN NOT NULL DEFAULT false")
        # Words are kept beside the table: what holds a word is told by its number, in few pages.
        op.execute("ALTER TABLE article_search SET (toast_tuple_target = 128)")
        op.execute("ALTER INDEX ix_article_search_words SET (fastupdate = off)")
    searchable = sa.select(_COUNTER.c.value).where(_COUNTER.c.name == "searchable").scalar_subquery()
    op.execute(
        sa.insert(_COUNTER).from_select(["name", "value"], sa.select(sa.literal("unindexed"), searchable))
    )
    op.create_index("ix_article_outlet_story", "article", ["outlet", "story"])
    op.create_index("ix_article_language_story", "article", ["language", "story"])
    op.drop_index("ix_story_updated", table_name="story")
    op.drop_index("ix_story_last_published", table_name="story")
    _index_some("ix_story_last_published", ["last_published", "updated", "n", "id"], "redirect_to IS NULL")
    _index_some("ix_story_report_count", ["report_count"], _LISTED[5])
    for least, condition in _LISTED.items():
        _index_some(f"ix_story_updated_{least}", ["updated", "n"], condition)
    _index_some("ix_story_untold", ["updated"], "text IS NULL AND redirect_to IS NULL")
    _index_some("ix_story_outlet_count", ["outlet_count"], "outlet_count > 1")


def downgrade() -> None:
    op.drop_index("ix_story_report_count", table_name="story")
    op.drop_index("ix_story_last_published", table_name="story")
    op.create_index("ix_story_last_published", "story", ["last_published"])
    op.drop_index("ix_story_outlet_count", table_name="story")
    op.drop_index("ix_story_untold", table_name="story")
    for least in _LISTED:
        op.drop_index(f"ix_story_updated_{least}", table_name="story")
    op.create_index("ix_story_updated", "story", ["updated"])
    op.drop_index("ix_article_language_story", table_name="article")
    op.drop_index("ix_article_outlet_story", table_name="article")
    op.execute(sa.delete(_COUNTER).where(_COUNTER.c.name == "unindexed"))
    _make_search(_SQLITE_BEFORE)
    op.execute(sa.update(_COUNTER).where(_COUNTER.c.name == "searchable").values(value=0))


def _index_some(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "story", columns, sqlite_where=where, postgresql_where=where)


def _make_search(columns: str) -> None:
    op.execute("DROP TABLE article_search")
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"CREATE VIRTUAL TABLE article_search USING fts5({columns})")
    else:
        op.execute("CREATE TABLE article_search (n BIGINT PRIMARY KEY, words tsvector NOT NULL)")
        op.execute("CREATE INDEX ix_article_search_words ON article_search USING gin (words)")
