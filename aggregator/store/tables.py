"""The tables, the same on SQLite and Postgres. Alembic (migrations/) is the only way they come to be.

What is derived and can be rebuilt from the rest: `lsh_band`, `sketch`, `across`, `live_blog`, `entry_link`,
`story.sums`, the counts and texts of `story`, the full-text index. All times are UTC; `UtcTime` refuses naive
values.

What statements need on both databases: values in parts, and an INSERT that may meet what is there.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TextClause,
    TypeDecorator,
    false,
    text,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite

VALUES_AT_ONCE: Final = 500  # SQLite takes 32,766 parameters, older builds 999

Value = TypeVar("Value")


def in_parts(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """The values in their order, at most VALUES_AT_ONCE at a time."""
    return (values[start : start + VALUES_AT_ONCE] for start in range(0, len(values), VALUES_AT_ONCE))


def insert_or(connection: Connection, table: Table) -> Any:
    """INSERT INTO `table`, which takes an ON CONFLICT in the words of this database."""
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


class UtcTime(TypeDecorator[dt.datetime]):
    """An aware datetime; stored in UTC, given back in UTC on both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone may not be stored: {value!r}")
        value = value.astimezone(dt.UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


# Longer addresses are in no index: Postgres refuses a row whose key has more than 2704 bytes.
INDEXED_ADDRESS = 600


def is_indexed(column: str) -> TextClause:
    """Said of an address in a WHERE, as the indexes of addresses say it: else they are not used."""
    return text(f"length({column}) <= {INDEXED_ADDRESS}")


def _by_address(table: str, column: str) -> Index:
    short = is_indexed(column)
    return Index(f"ix_{table}_{column}", column, sqlite_where=short, postgresql_where=short)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

counter = Table(
    "counter",
    metadata,
    # One row a running number: "entry" (accepted), "inbox" (order of placing), "story", "bump"; and how far
    # the full-text index is, "searchable" and "unindexed" (search.py), and the merged texts, "told_by" and
    # "told_from" (telling.py).
    # Taking a number locks the row until the transaction ends, so numbers become visible in their order.
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

source = Table(
    "source",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # feed | folder
    Column("address", Text, nullable=False),
    Column("name", Text),
    Column("known_as", Text),  # of a folder: its name in `folder`, which its entries call their source
    Column("outlet", Text),
    Column("folder", Text),  # the group it is filed under, `--folder` of the command line
    Column("language", Text),
    Column("timezone", Text),
    Column("interval_seconds", Integer, nullable=False),  # as chosen
    Column("rhythm_seconds", Float, nullable=False, server_default=text("0")),  # as it turned out; 0: not yet
    Column("pages", Text, nullable=False),  # auto | always | never
    Column("origin", Text, nullable=False),  # config | user
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("title", Text),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("body_hash", LargeBinary),
    Column(
        "stamps", LargeBinary
    ),  # of a folder: sizes and times of its files at the last look; msgpack, zstd
    Column("first_poll_done", Boolean, nullable=False, server_default=false()),
    Column("next_due_at", UtcTime, nullable=False),
    Column("last_polled_at", UtcTime),
    Column("last_success_at", UtcTime),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("health", Text, nullable=False, server_default="new"),  # new | ok | failing | gone | merged
    Column("health_cause", Text),
    Column("entries_new", BigInteger, nullable=False, server_default=text("0")),
    Column("entries_known", BigInteger, nullable=False, server_default=text("0")),
    Column("entries_refused", BigInteger, nullable=False, server_default=text("0")),
    Column("host", Text),  # of a feed: the host that is asked, one gate for all of its feeds
    Column("adopted", Text),  # where it is asked since its own address moved for ever
    Column("moved_to", Text),  # where it says that it moved for ever: watched for some days
    Column("moved_count", Integer, nullable=False, server_default=text("0")),
    Column("moved_since", UtcTime),
    Column("moved_proven", Boolean, nullable=False, server_default=false()),  # a known entry was there
    Column("merged_into", Text),  # the source that had the address already
    Column("gone_count", Integer, nullable=False, server_default=text("0")),  # answers of 410 in a row
    Column("gone_since", UtcTime),
    Column("asked_seconds", Float, nullable=False, server_default=text("0")),  # the gap that it asks for
    Column("per_day", Float, nullable=False, server_default=text("0")),  # new entries a day, as of per_day_at
    Column("per_day_at", UtcTime),
    Column("last_new_at", UtcTime),
    Column("flooded_at", UtcTime),  # when an archive came by last, and of how many entries
    Column("flood_entries", Integer, nullable=False, server_default=text("0")),
    Column("failing_since", UtcTime),
    Index(None, "paused", "next_due_at"),
)

host = Table(
    "host",
    metadata,
    # What a host asked of us: nothing before `held_until`, and longer gaps (times the usual one) after it.
    Column("name", Text, primary_key=True),
    Column("held_until", UtcTime),
    Column("gap_factor", Float, nullable=False, server_default=text("1")),
)

claim = Table(
    "claim",
    metadata,
    # Which daemon asks a host at present, where several share one server: nobody else does before `until`.
    Column("host", Text, primary_key=True),  # the key of the gate (sources/fetch/rate_limiter.py)
    Column("holder", Text, nullable=False),
    Column("until", UtcTime, nullable=False),  # by the server's clock
)

writer = Table(
    "writer",
    metadata,
    # One row: who writes stories. The epoch grows with each new writer; what the writer commits is bound to
    # its epoch (store/engine/writer_lease.py), so that one that was suspended cannot write after another
    # took over.
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("holder", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("renewed_at", UtcTime, nullable=False),  # by the server's clock; on SQLite the same as `since`
)

folder = Table(
    "folder",
    metadata,
    # By which name the files of a folder are known. The name is the folder's own (never a path: a folder that
    # was moved keeps its articles); the path only tells two folders of one name apart.
    Column("name", Text, primary_key=True),
    Column("path", Text, nullable=False, unique=True),
)

entry = Table(
    "entry",
    metadata,
    Column("n", BigInteger, primary_key=True, autoincrement=False),  # order of acceptance
    # The order of placing; given when all that the article is made of is stored. Null: waits for its page.
    Column("inbox_no", BigInteger, unique=True),
    Column("state", Text, nullable=False),  # page | ready | done | refused
    Column("source", Text, nullable=False),
    Column("article", Text, nullable=False),  # the id that its identity gives
    Column("revises", Boolean, nullable=False, server_default=false()),
    Column("url", Text),
    Column("payload", LargeBinary, nullable=False),  # the Entry: msgpack, zstd
    Column("page", LargeBinary),  # the fetched page: zstd; dropped when the entry is done
    Column("page_url", Text),
    Column("page_charset", Text),
    Column("page_robots", Text),  # what its headers forbid, see extract/html/robots_meta.py
    Column("page_due_at", UtcTime),
    Column("page_tries", Integer, nullable=False, server_default=text("0")),
    Column("bumps_by_clock", Boolean, nullable=False, server_default=false()),  # polled or pushed
    Column("accepted_at", UtcTime, nullable=False),
    Column("done_at", UtcTime),
    Column("verdict", Text),
    Column("reason", Text),
    Column("outcome", Text),  # founded | joined | copy | revised | unchanged | refused
    Column("page_verdict", Text),  # of its page, where that failed and the entry's own text was taken
    Index("ix_entry_source_verdict", "source", "verdict", "page_verdict"),
    Index(None, "state", "inbox_no"),
    Index(None, "state", "page_due_at"),
    Index(None, "article"),
    # By address, for whoever forgets; most have theirs in `article.url` alone.
    _by_address("entry", "url"),
    _by_address("entry", "page_url"),
)

intake = Table(
    "intake",
    metadata,
    # All that ever came to the door, by what its entries call their source (store/intake/intake_counts.py).
    Column("source", Text, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    # Of those whose rows were in `entry` how many are not any more.
    Column("gone", BigInteger, nullable=False, server_default=text("0")),
    sqlite_with_rowid=False,
)

identity_key = Table(
    "identity_key",
    metadata,
    # 16-byte hash of a source and GUID, a canonical URL, or an outlet and text (cluster/entry_identity.py).
    Column("key", LargeBinary, primary_key=True),
    Column("article", Text, nullable=False),  # "": the key says nothing, different entries share it
    Index(None, "article"),
    sqlite_with_rowid=False,
)

sighting = Table(
    "sighting",
    metadata,
    # Where an article was seen, and all that it looked like there: the same again changes nothing, in
    # whatever order things come again.
    Column("article", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("content_hash", LargeBinary, primary_key=True),
    # Whether this source gives the article its words (it founded it, or is of the article's own site), or
    # only says "seen there too": what the latter changes changes nothing.
    Column("gives", Boolean, nullable=False),
    Column("first_seen_at", UtcTime, nullable=False),
    # Of polled sources: the last look there, and how often it became that again.
    Column("is_current", Boolean, nullable=False, server_default=true()),
    Column("reverts", Integer, nullable=False, server_default=text("0")),
    # Of polled sources: by what the article is recognised under new keys (cluster/rekeyed_entries.py).
    Column("title_hash", LargeBinary),
    Column("title_key", LargeBinary),
    Column("text_key", LargeBinary),
    Column("declared", UtcTime),  # to the minute
    Index(
        "ix_sighting_title_key",
        "title_key",
        sqlite_where=text("title_key IS NOT NULL"),
        postgresql_where=text("title_key IS NOT NULL"),
    ),
    Index(
        "ix_sighting_text_key",
        "text_key",
        sqlite_where=text("text_key IS NOT NULL"),
        postgresql_where=text("text_key IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

habit = Table(
    "habit",
    metadata,
    # Sources whose keys changed though their words did not: in how many polls running, and since when they
    # are not asked for such keys any more.
    Column("source", Text, primary_key=True),
    Column("guid_strikes", Integer, nullable=False),
    Column("url_strikes", Integer, nullable=False),
    Column("guids_distrusted_at", UtcTime),
    Column("urls_distrusted_at", UtcTime),
    sqlite_with_rowid=False,
)

refusal = Table(
    "refusal",
    metadata,
    # What could not even become an entry: an empty file, a broken record, an address that does not answer.
    Column("source", Text, primary_key=True),
    Column("item", Text, primary_key=True),  # file below its folder, record number, address
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index(None, "at"),
)

token = Table(
    "token",
    metadata,
    # Who may write, and read from elsewhere. The token itself is shown once and kept nowhere.
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),  # one living token a name
    Column("hash", LargeBinary, nullable=False),  # SHA-256 of the token: 256 random bits need no salt
    Column("scopes", Text, nullable=False),  # read, push, admin, joined by commas
    Column("created_at", UtcTime, nullable=False),
    Column("last_used_at", UtcTime),  # to the minute
    Column("revoked_at", UtcTime),
)

push = Table(
    "push",
    metadata,
    # Answers to pushes that came with an Idempotency-Key: the same push again is answered alike.
    Column("token", Text, ForeignKey("token.id"), primary_key=True),
    Column("key", LargeBinary, primary_key=True),  # 16-byte hash
    Column("body_hash", LargeBinary, nullable=False),
    Column("answer", LargeBinary),  # JSON, zstd; null only within the transaction that makes it
    Column("at", UtcTime, nullable=False),
    Index(None, "at"),
)

story = Table(
    "story",
    metadata,
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    Column("founder", Text, nullable=False),  # article id; the story's id is hash(founder, founding)
    Column("founding", Integer, nullable=False),
    # Set for ever when the story gave way to another; "": all of its articles were forgotten.
    Column("redirect_to", Text),
    Column("title", Text, nullable=False),
    Column("title_article", Text),  # id of the article that has the title; null: unknown, or a lead's words
    Column("summary", Text, nullable=False),
    Column("language", Text),
    # The merged text, for SQL; null until it was told (derived). Empty where there is one article, whose text
    # the view shows, and of old stories.
    Column("text", Text),
    Column("disagreement_count", Integer),  # in the merged text that was told last (derived)
    Column("merged", LargeBinary),  # the MergedStory behind it: msgpack, zstd (derived)
    Column("first_published", UtcTime, nullable=False),
    Column("last_published", UtcTime, nullable=False),
    Column("updated", UtcTime, nullable=False),  # the last bump
    Column("article_count", Integer, nullable=False),
    Column("outlet_count", Integer, nullable=False),
    Column("report_count", Integer, nullable=False),
    Column("container_only", Boolean, nullable=False, server_default=false()),
    Column("last_inbox_no", BigInteger, nullable=False),  # of the member that was placed last
    # At which inbox number its members changed last; the second look goes by it.
    Column("touched_no", BigInteger, nullable=False, server_default=text("0")),
    Column("sums", LargeBinary, nullable=False),
    Column("standing", LargeBinary),  # what the counts are worked out from; null: from the rows (derived)
    # Lists go by `updated`: all live stories, and those with at least two and five reports.
    *(
        Index(
            f"ix_story_updated_{least}",
            "updated",
            "n",
            sqlite_where=text(condition),
            postgresql_where=text(condition),
        )
        for least, condition in (
            (1, "redirect_to IS NULL"),
            (2, "redirect_to IS NULL AND report_count >= 2"),
            (5, "redirect_to IS NULL AND report_count >= 5"),
        )
    ),
    Index(
        "ix_story_untold",
        "updated",
        sqlite_where=text("text IS NULL AND redirect_to IS NULL"),
        postgresql_where=text("text IS NULL AND redirect_to IS NULL"),
    ),
    Index(
        "ix_story_outlet_count",
        "outlet_count",
        sqlite_where=text("outlet_count > 1"),
        postgresql_where=text("outlet_count > 1"),
    ),
    # With all that the order of a list needs, so that the stories of a time are gathered out of it alone.
    Index(
        "ix_story_last_published",
        "last_published",
        "updated",
        "n",
        "id",
        sqlite_where=text("redirect_to IS NULL"),
        postgresql_where=text("redirect_to IS NULL"),
    ),
    Index(
        "ix_story_report_count",
        "report_count",
        sqlite_where=text("redirect_to IS NULL AND report_count >= 5"),
        postgresql_where=text("redirect_to IS NULL AND report_count >= 5"),
    ),
    Index(None, "last_inbox_no"),
    Index(None, "touched_no"),
    # Only what gave way: whoever takes it over asks for all that leads to it.
    Index(
        "ix_story_redirect_to",
        "redirect_to",
        sqlite_where=text("redirect_to IS NOT NULL"),
        postgresql_where=text("redirect_to IS NOT NULL"),
    ),
    Index(None, "founder"),
    Index("ix_story_for_views", "id", "redirect_to", "report_count", "outlet_count"),
)

article = Table(
    "article",
    metadata,
    Column("n", BigInteger, primary_key=True, autoincrement=False),  # the inbox number that it was placed by
    Column("id", Text, nullable=False, unique=True),
    Column("root", Text, nullable=False),  # the first article of its keys; itself for nearly all
    Column(
        "generation", Integer, nullable=False, server_default=text("0")
    ),  # of a reused key's texts: 0, 1 ...
    Column("story", Text, ForeignKey("story.id"), nullable=False),
    Column("role", Text, nullable=False),
    Column("weighs", Boolean, nullable=False),  # its terms are in the story's sums
    Column("copy_of", Text),  # the twin that was found; the original is derived when read
    Column("original", Text),  # of its copy group, for SQL: as of the last telling of its story (derived)
    Column("source", Text, nullable=False),
    Column("outlet", Text),
    Column("url", Text),
    Column("title", Text, nullable=False),
    Column("lead", Text, nullable=False),
    # Empty where `packed` holds the text; read by store/stories/article_text.py, the one door to both.
    Column("text", Text, nullable=False),
    Column("packed", LargeBinary),  # null: the text is plain; b"": it is kept no more; else zstd
    Column("language", Text),
    Column("author", Text),
    Column("published", UtcTime),
    Column("published_origin", Text),
    Column("published_precision", Text),
    Column("zone_assumed", Boolean, nullable=False, server_default=false()),
    Column("seen", UtcTime, nullable=False),
    Column("effective", UtcTime, nullable=False),
    Column("wire", Text),
    Column("details", LargeBinary),  # the rarely asked parts of CleanArticle: msgpack
    Column("verdict", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("terms", LargeBinary, nullable=False),
    Column("body_words", Integer, nullable=False),
    Column("text_hash", LargeBinary, nullable=False),
    Column("evidence", LargeBinary, nullable=False),  # msgpack, pressed (store/codecs.py)
    Column("placed_at", UtcTime, nullable=False),
    Index(None, "story", "copy_of", "effective"),
    Index(None, "root", "generation"),
    Index(None, "copy_of"),
    # What questions of the SQL views about all articles go by, so that they read no texts.
    Index(
        "ix_article_for_views",
        "story",
        "effective",
        "outlet",
        "role",
        "published",
        "published_precision",
        "language",
        "wire",
        "original",
        "id",
    ),
    Index(
        "ix_article_container",
        "effective",
        sqlite_where=text("role = 'container'"),
        postgresql_where=text("role = 'container'"),
    ),
    Index(
        "ix_article_original",
        "original",
        sqlite_where=text("original IS NOT NULL"),
        postgresql_where=text("original IS NOT NULL"),
    ),
    Index(None, "source", "seen"),
    Index(None, "effective"),
    _by_address("article", "url"),
    # With the story, so that whose stories these are is told without reading the articles.
    Index(None, "outlet", "story"),
    Index(None, "language", "story"),
)

revision = Table(
    "revision",
    metadata,
    Column("article", Text, primary_key=True),
    Column("number", Integer, primary_key=True),  # 1 = the first text that was replaced
    Column("replaced_at", UtcTime, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", LargeBinary, nullable=False),  # zstd
)

tombstone = Table(
    "tombstone",
    metadata,
    # An article that was forgotten, or kept long enough: its keys and looks stay as hashes, so that it is
    # known, and refused, when it comes again.
    Column("article", Text, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False, server_default="forgotten"),  # forgotten | retention
    Column("refused", Integer, nullable=False, server_default=text("0")),  # how often it came again
    Column("refused_at", UtcTime),
    Index(None, "at"),
    sqlite_with_rowid=False,
)

outlet_line = Table(
    "outlet_line",
    metadata,
    # The lines of each outlet's last articles, as hashes: what it repeats is told from them
    # (pipeline/placement/boilerplate.py).
    Column("outlet", Text, primary_key=True),  # its key
    Column(
        "article",
        BigInteger,
        ForeignKey("article.n", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("lines", LargeBinary, nullable=False),  # signed 64-bit numbers, sorted
    Index(None, "article"),
    sqlite_with_rowid=False,
)

lsh_band = Table(
    "lsh_band",
    metadata,
    Column("band", BigInteger, primary_key=True, autoincrement=False),
    Column("article", BigInteger, primary_key=True, autoincrement=False),  # article.n
    sqlite_with_rowid=False,
)

sketch = Table(
    "sketch",
    metadata,
    # Sampled shingles by which cuts and excerpts of an article are found
    # (cluster/copies/sampled_shingles.py); empty where
    # other articles stand for all of them. A table of its own: reading those of 300,000 articles must not
    # drag their texts along.
    Column(
        "article",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("article.n", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("hashes", LargeBinary, nullable=False),
)

across = Table(
    "across",
    metadata,
    # By what an article is compared with articles of other languages (cluster/cross_language/features.py);
    # no rows where
    # config.yaml does not ask for that.
    Column(
        "article",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("article.n", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("features", LargeBinary, nullable=False),
)

live_blog = Table(
    "live_blog",
    metadata,
    # A live blog whose entries are linked to the stories that they tell of, and when that is done again.
    Column(
        "article",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("article.n", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("marks", LargeBinary, nullable=False),  # what its entries are weighed by: msgpack, zstd
    Column("round", Integer, nullable=False),  # how often they were linked again since its last text
    Column("due_no", BigInteger, index=True),  # the inbox number from which that is due; null: no more
)

entry_link = Table(
    "entry_link",
    metadata,
    # An entry of a live blog tells of a story that is not its home: counts nothing, joins nothing.
    Column(
        "article",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("article.n", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("position", Integer, primary_key=True, autoincrement=False),  # among its timed entries, from 0
    Column("story", Text, nullable=False, index=True),  # also one that gave way: readers follow redirects
    Column("score", Float, nullable=False),
)

story_log = Table(
    "story_log",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("story", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),  # store/stories/placement_batch.py lists the kinds
    Column("article", Text),
    Column("detail", Text),
    Index(None, "story", "n"),
    Index(
        "ix_story_log_article",  # forgetting asks for all stories that an article was in
        "article",
        sqlite_where=text("article IS NOT NULL"),
        postgresql_where=text("article IS NOT NULL"),
    ),
    Index(
        "ix_story_log_headline",
        "story",
        "n",
        sqlite_where=text("kind = 'headline'"),
        postgresql_where=text("kind = 'headline'"),
    ),
)

change = Table(
    "change",
    metadata,
    # What is new about a story, one row for each bump, merge and split: the stream that the updates feed and
    # the webhooks read. Written with the decision; numbers are of `counter` and never used twice.
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("story", Text, nullable=False),  # its id then; it may have given way since
    Column("at", UtcTime, nullable=False),  # our clock
    # Where it sorts, as `story.updated`: our clock's for what was polled or pushed, else the effective time.
    Column("updated", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),  # shelf.ChangeKind
    Column("article", Text),  # what came
    Column("others", Text),  # ids of stories that gave way to it, or that it came out of; joined by commas
    Column("title", Text, nullable=False),  # the headline after it
    Column("title_before", Text),  # only where the headline changed
    Column("report_count", Integer, nullable=False),  # after it
    Index(None, "updated", "n"),
    Index(None, "article"),
)

hook = Table(
    "hook",
    metadata,
    # How each webhook of config.yaml does.
    Column("name", Text, primary_key=True),
    Column("place", LargeBinary, nullable=False),  # SHA-256 of its address: another address starts afresh
    Column("is_on", Boolean, nullable=False),  # false: it stands in config.yaml no more
    Column("read_to", BigInteger, nullable=False),  # the last change that was looked at for it
    Column("state", Text, nullable=False),  # ok | failing | gone
    Column("problem", Text),  # of the last failure
    Column("failures", Integer, nullable=False),  # in a row
    Column("failing_since", UtcTime),
    Column("resumes_at", UtcTime),  # nothing is sent before
    Column("last_success_at", UtcTime),
)

outbox = Table(
    "outbox",
    metadata,
    # What webhooks deliver, one row a hook and change; kept for some days after, for what comes later.
    Column("hook", Text, ForeignKey("hook.name"), primary_key=True),
    Column("change", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),  # the same at every try
    Column("story", Text, nullable=False),  # its id then
    Column("body", LargeBinary),  # JSON, zstd; null when it is done
    Column("state", Text, nullable=False),  # waiting | done | given_up
    Column("at", UtcTime, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("first_tried_at", UtcTime),
    Column("next_at", UtcTime, nullable=False),
    Column("done_at", UtcTime),
    Column("problem", Text),
    Index(None, "hook", "state", "change"),
    Index(None, "hook", "story"),
    Index(None, "done_at"),
)

prepared = Table(
    "prepared",
    metadata,
    # What a daemon that stands by has prepared for the one that places, or is about to; it goes with placing.
    Column("entry", BigInteger, primary_key=True, autoincrement=False),
    Column("holder", Text, nullable=False),  # who prepares it
    Column("until", UtcTime, nullable=False),  # then another may
    Column("made_for", Text, nullable=False),  # program and rules, see preparing.made_for
    Column("result", LargeBinary),  # zstd of a Prepared; null while it is being prepared
)

correction = Table(
    "correction",
    metadata,
    # What a person decided. It binds every later run until it is undone.
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),  # merge | split | move
    Column("undone_at", UtcTime),
    # What the correction did to rows, for its undoing: JSON (pipeline/placement/apply_corrections.py).
    Column("detail", Text, nullable=False),
)

bond = Table(
    "bond",
    metadata,
    # What a correction says of articles: those of one correction with the relation "together" are of one
    # story; those "apart" on side 0 are never with those on side 1. Ids of articles only, so it holds
    # wherever the same articles are placed again.
    Column("correction", BigInteger, ForeignKey("correction.n"), primary_key=True),
    Column("article", Text, primary_key=True),
    Column("relation", Text, primary_key=True),  # together | apart
    Column("side", Integer, nullable=False),
    Index(None, "article"),
)

request = Table(
    "request",
    metadata,
    # What a command asks of the writer of stories while another process is that (requests.RequestKind).
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),  # JSON
    Column("state", Text, nullable=False),  # waiting | done | refused
    Column("answer", Text),  # JSON; for a refused one the reason in words
    Column("done_at", UtcTime),
    Index(None, "state", "n"),
)
