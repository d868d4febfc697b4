"""The tables, the same on SQLite and Postgres. They are created by the migrations in migrations/ only.

The comment above the columns of a table says what a row is and who writes it; comments of columns give units
and allowed values. Derived data can be rebuilt from the other columns: the tables `sketch`, `story_subject`
and `story_link`, the columns that are marked "(derived)", and the full-text index. All times
are UTC; `UtcTime` refuses naive values. A name in backquotes refers to a column, like `article.id`.

Also helpers for statements on both databases: lists of values in parts, and INSERT ... ON CONFLICT.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any, Final, TypeVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Delete,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Select,
    Table,
    Text,
    TextClause,
    TypeDecorator,
    Update,
    bindparam,
    delete,
    false,
    func,
    select,
    text,
    true,
    tuple_,
)

VALUES_AT_ONCE: Final = 500  # SQLite takes 32,766 parameters, older builds 999

Value = TypeVar("Value")


def in_parts(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """Return the values in their order, at most VALUES_AT_ONCE at a time."""
    return (
        values[start : start + VALUES_AT_ONCE]
        for start in range(0, len(values), VALUES_AT_ONCE)
    )


def rows_with(
    connection: Connection,
    statement: Select[Any],
    column: ColumnElement[Any],
    values: Iterable[Any],
) -> Iterator[Row[Any]]:
    """Yield the rows of `statement` whose `column` has one of the values, by parts of ascending values."""
    having = _having(statement, column)
    for part in in_parts(sorted(set(values))):
        for rows in connection.execute(having, {"some": part}).partitions(
            VALUES_AT_ONCE
        ):
            yield from rows


@lru_cache(maxsize=256)
def _having(statement: Select[Any], column: ColumnElement[Any]) -> Select[Any]:
    """Add the condition on a column to a statement, which most modules make once.

    A statement that is made anew takes SQLAlchemy 130 microseconds to execute, one that it knows 36.
    """
    return statement.where(column.in_(bindparam("some", expanding=True)))


def change_with(
    connection: Connection,
    statement: Update | Delete,
    column: ColumnElement[Any],
    values: Iterable[Any],
) -> int:
    """Execute UPDATE or DELETE for the rows whose `column` has one of the values. Return their number."""
    return sum(
        connection.execute(statement.where(column.in_(part))).rowcount
        for part in in_parts(sorted(set(values)))
    )


def delete_some(
    connection: Connection,
    table: Table,
    condition: ColumnElement[bool],
    order: ColumnElement[Any],
    limit: int,
) -> int:
    """Delete the first `limit` rows, in an order, that meet a condition. Return their number."""
    keys = table.primary_key.columns
    some = select(*keys).where(condition).order_by(order).limit(limit)
    return connection.execute(delete(table).where(tuple_(*keys).in_(some))).rowcount


def insert_or(connection: Connection, table: Table) -> Any:
    """Return INSERT INTO `table` in the dialect of the connection, which has ON CONFLICT methods."""
    # One of sqlalchemy.dialects.sqlite and .postgresql: the other is not loaded.
    return import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert(table)


def upsert(connection: Connection, table: Table, values: Mapping[str, Any]) -> None:
    """Insert a row, or write `values` into the row with the same primary key."""
    statement = insert_or(connection, table).values(values)
    keys = table.primary_key.columns.keys()
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=values)
    )


def count_rows(
    connection: Connection, table: Table, *conditions: ColumnElement[bool]
) -> int:
    """Return the number of rows that meet all conditions."""
    return connection.execute(
        select(func.count()).select_from(table).where(*conditions)
    ).scalar_one()


def counter_value(connection: Connection, name: str) -> int:
    """Return the value of a row of `counter`; 0 without one."""
    return connection.execute(_COUNTER_VALUE, {"counter_name": name}).scalar() or 0


def set_counter(connection: Connection, name: str, value: int) -> None:
    """Write a row of `counter`."""
    upsert(connection, counter, {"name": name, "value": value})


def _read_time(written: str | None) -> dt.datetime | None:
    return None if written is None else dt.datetime.fromisoformat(f"{written}+00:00")


class UtcTime(TypeDecorator[dt.datetime]):
    """An aware datetime, stored and returned in UTC on both databases. Raises ValueError for a naive one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"cannot store a time without a time zone: {value!r}")
        value = value.astimezone(dt.UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[Any], Any] | None:
        # Without the steps between: a list of stories has thousands of times.
        return (
            _read_time
            if dialect.name == "sqlite"
            else super().result_processor(dialect, coltype)
        )

    def process_result_value(
        self,
        value: dt.datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> dt.datetime | None:
        return None if value is None else value.astimezone(dt.UTC)


# Characters. Longer addresses are not indexed: Postgres refuses an index row of more than 2704 bytes.
INDEXED_ADDRESS = 600


# Most articles are reports: an index of those would find nothing
OTHER_KINDS: Final = "kind <> 'report'"


def is_indexed(column: str) -> TextClause:
    """Return the condition of the partial indexes of addresses: a WHERE without it does not use them."""
    return text(f"length({column}) <= {INDEXED_ADDRESS}")


def _by_address(table: str, column: str) -> Index:
    return _partial_index(f"ix_{table}_{column}", column, where=is_indexed(column).text)


def _partial_index(name: str, *columns: str, where: str) -> Index:
    # To say the same for PostgreSQL loads its dialect and five drivers in every process: there only the
    # migrations have the condition.
    return Index(name, *columns, sqlite_where=text(where))


def _article_key() -> Column[int]:
    """Return the column `article`: `article.inbox_no` of the article that the row is derived from."""
    return Column(
        "article",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("article.inbox_no", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Of docs/sql.md. The migrations create them.
VIEWS: Final = frozenset(
    (
        *(
            "v_copies",
            "v_corrections",
            "v_follows",
            "v_headline_changes",
            "v_now",
            "v_refused",
            "v_sources",
        ),
        *(
            "v_stories",
            "v_story_articles",
            "v_story_links",
            "v_story_log",
            "v_story_names",
        ),
        *("v_story_topics", "v_waiting"),
    )
)

counter = Table(
    "counter",
    metadata,
    # Serial numbers and progress marks, one row each. Written by the transaction that takes the number or
    # does the work. Taking a number locks the row until the transaction ends, so numbers become visible in
    # their order.
    #   entry, inbox, story, bump, change   the last number given; "inbox" is the order of placing
    #   searchable, unindexed               progress of the full-text index (store/search/index.py)
    #   first_reading                       1: it lasts (store/intake/first_reading.py)
    #   forget_unfinished                   1: erased words may be in the full-text index (`forget`)
    #   entries_to, index_*, retained_at, steady_from   retention (`retention.py`, `steady_clock.py`)
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

_COUNTER_VALUE = select(counter.c.value).where(
    counter.c.name == bindparam("counter_name")
)

source = Table(
    "source",
    metadata,
    # One feed or watched folder. Rows are added from config.yaml and by `aggregator sources`; their state is
    # written after each poll.
    # Hash of kind and name, or of kind and address without a name
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # a key of config.settings.SourceAddress
    Column("address", Text, nullable=False),  # URL, or absolute path of a folder
    Column("name", Text),  # as configured, or of an imported list
    # folders: `folder.name`, which is `entry.source` of its entries
    Column("folder_name", Text),
    Column("outlet", Text),  # as configured; replaces the outlet that entries declare
    Column("folder", Text),  # feeds: the group that the source is filed in
    Column("language", Text),  # as configured; BCP 47 tag
    Column("timezone", Text),  # as configured; IANA name, for times without a zone
    # Its own, else as configured at the last start
    Column("interval_seconds", Integer, nullable=False),
    Column("has_own_interval", Boolean, nullable=False, server_default=false()),
    # The interval that was computed from the rate of new entries, in seconds; 0: not computed yet.
    Column(
        "adaptive_interval_seconds", Float, nullable=False, server_default=text("0")
    ),
    # Auto | always | never: whether pages of entries are fetched
    Column("pages", Text, nullable=False),
    # Config | user | import: config.yaml, typed, or of a list
    Column("origin", Text, nullable=False),
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("title", Text),  # as the feed declares it
    # Home page: of an imported list, else as the feed declares it
    Column("site_url", Text),
    Column("etag", Text),  # of the last response, for conditional requests
    Column("last_modified", Text),  # likewise
    # Of the last response body: an equal one is not parsed again
    Column("body_hash", LargeBinary),
    # Folders: sizes and modification times of the files at the last poll; msgpack, zstd.
    Column("folder_state", LargeBinary),
    Column("first_poll_done", Boolean, nullable=False, server_default=false()),
    Column("next_due_at", UtcTime, nullable=False),
    Column("last_polled_at", UtcTime),
    Column("last_success_at", UtcTime),
    Column("failures", Integer, nullable=False, server_default=text("0")),  # in a row
    # New | ok | failing | gone | merged
    Column("health", Text, nullable=False, server_default="new"),
    Column("health_cause", Text),  # "cause: detail", see store/read/statistics.py
    # Totals since it was added
    Column("entries_new", BigInteger, nullable=False, server_default=text("0")),
    Column("entries_known", BigInteger, nullable=False, server_default=text("0")),
    Column("entries_rejected", BigInteger, nullable=False, server_default=text("0")),
    # feeds: the host that is polled; all feeds of a host share a rate limiter
    Column("host", Text),
    # Polled instead of `address` after a confirmed permanent redirect
    Column("redirected_url", Text),
    # Target of a permanent redirect that is not confirmed yet
    Column("moved_to", Text),
    # Redirects to it in a row
    Column("moved_count", Integer, nullable=False, server_default=text("0")),
    Column("moved_since", UtcTime),
    # It had a known entry
    Column("move_confirmed", Boolean, nullable=False, server_default=false()),
    Column("merged_into", Text),  # `id` of the source that already had the address
    # Responses 410 in a row
    Column("gone_count", Integer, nullable=False, server_default=text("0")),
    Column("gone_since", UtcTime),
    # Requested by the feed; 0: none
    Column("ttl_seconds", Float, nullable=False, server_default=text("0")),
    # New entries per day, an exponentially decaying mean as of `per_day_at`.
    Column("per_day", Float, nullable=False, server_default=text("0")),
    Column("per_day_at", UtcTime),
    Column("last_new_at", UtcTime),
    Column("flooded_at", UtcTime),  # when many old entries arrived at once
    # How many
    Column("flood_entries", Integer, nullable=False, server_default=text("0")),
    Column("failing_since", UtcTime),
    Index(None, "paused", "next_due_at"),
)

known_items = Table(
    "known_items",
    metadata,
    # The items of a polled feed, which are not read again while their bytes are the same
    # (store/intake/known_items.py). Written by the transaction that accepts the entries of a poll.
    Column("source", Text, primary_key=True),  # `source.id`
    Column("packed", LargeBinary, nullable=False),  # known_items.KnownItems: msgpack
    sqlite_with_rowid=False,
)

writer_lease = Table(
    "writer_lease",
    metadata,
    # One row: the process that writes stories. Each new writer raises the epoch, and each transaction of a
    # writer checks its own (store/engine/writer_lease.py), so that a suspended writer cannot write after
    # another one took over.
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("holder", Text, nullable=False),  # session name of the process
)

folder = Table(
    "folder",
    metadata,
    # The name of each watched or ingested folder, which is `entry.source` of its files. It is the last part
    # of the path, so a folder that was moved keeps its articles; a second folder of that name gets "#2".
    Column("name", Text, primary_key=True),
    Column("path", Text, nullable=False, unique=True),  # absolute
)

entry = Table(
    "entry",
    metadata,
    # One accepted item: the inbox. Added by the process that polls, ingests or receives it; finished by the
    # writer. Identity, URL and page are dropped later by retention.
    # Order of acceptance
    Column("entry_no", BigInteger, primary_key=True, autoincrement=False),
    # Order of placing. Null while a page is to be fetched, and until the writer puts what waits in order. The
    # end of the first reading changes it once.
    Column("inbox_no", BigInteger, unique=True),
    # page: its page is to be fetched; ready: waits to be placed; done: placed; refused: not placed
    Column("state", Text, nullable=False),
    # `source.id`, a folder's name, or as the record declared
    Column("source", Text, nullable=False),
    Column("article", Text, nullable=False),  # `article.id`, from the identity keys
    Column("is_revision", Boolean, nullable=False, server_default=false()),
    Column("url", Text),  # null: none, or equal to `article.url` (after retention)
    # The declared Entry: msgpack, zstd; "" when dropped
    Column("payload", LargeBinary, nullable=False),
    Column("page", LargeBinary),  # fetched page: zstd; null when the entry is done
    Column("page_url", Text),  # after redirects
    Column("page_charset", Text),  # from Content-Type
    # Restrictions from response headers (extract/html/robots_meta.py)
    Column("page_robots", Text),
    Column("page_due_at", UtcTime),  # state page: when the page may be fetched
    Column("page_attempts", Integer, nullable=False, server_default=text("0")),
    # true: the article bumps its story at the time of placing (polled, pushed); false: at its own time.
    Column("bump_by_clock", Boolean, nullable=False, server_default=false()),
    Column("accepted_at", UtcTime, nullable=False),
    Column("done_at", UtcTime),
    Column("verdict", Text),  # model.core.Verdict, "forgotten" or "muted"
    Column("reason", Text),  # why it was refused, or why its page was not used
    Column("outcome", Text),  # founded | joined | copy | revised | unchanged | refused
    # Verdict of a page that failed, where the text of the entry was used
    Column("page_verdict", Text),
    Index("ix_entry_source_verdict", "source", "verdict", "page_verdict"),
    Index(None, "state", "inbox_no"),
    Index(None, "state", "page_due_at"),
    Index(None, "article"),
    # By address, for `forget`. Most entries have their address in `article.url` only.
    _by_address("entry", "url"),
    _by_address("entry", "page_url"),
)

intake_count = Table(
    "intake_count",
    metadata,
    # Received entries by source and outcome (`inbox.count_received`). Written by the transaction that
    # accepts them.
    Column("source", Text, primary_key=True),  # `entry.source`
    Column("outcome", Text, primary_key=True),  # new | revision | known | forgotten
    Column("count", BigInteger, nullable=False),
    # Rows of `entry` with this source and outcome that were deleted since.
    Column("deleted", BigInteger, nullable=False, server_default=text("0")),
    sqlite_with_rowid=False,
)

identity_key = Table(
    "identity_key",
    metadata,
    # A 16-byte hash by which an entry is recognised: source and GUID, canonical URL, or outlet and text
    # (extract/entry_identity.py). Written when an entry is accepted, and when a page states its address.
    Column("key", LargeBinary, primary_key=True),
    # `article.id`; "": void, different entries share the key
    Column("article", Text, nullable=False),
    Index(None, "article"),
    sqlite_with_rowid=False,
)

observation = Table(
    "observation",
    metadata,
    # An article as one source showed it, one row per distinct content. A repeated observation changes
    # nothing, in whatever order entries repeat. Written when an entry is accepted.
    Column("article", Text, primary_key=True),  # `article.id`
    Column("source", Text, primary_key=True),  # `entry.source`
    Column("content_hash", LargeBinary, primary_key=True),
    # Whether the source may change the text of the article: it showed it first, or it is of the article's
    # own site. Changes that other sources show are ignored.
    Column("is_authoritative", Boolean, nullable=False),
    Column("first_seen_at", UtcTime, nullable=False),
    # Polled sources: whether this was the latest content, and how often the source went back to it.
    Column("is_current", Boolean, nullable=False, server_default=true()),
    Column("revert_count", Integer, nullable=False, server_default=text("0")),
    # Polled sources: hashes that recognise the article under new keys (extract/entry_identity.py).
    Column("title_hash", LargeBinary),
    # null: the title is too short, or its time is not declared
    Column("title_key", LargeBinary),
    Column("text_key", LargeBinary),  # null: the text is too short
    Column("declared_at", UtcTime),  # declared time of publication, to the minute
    _partial_index(
        "ix_observation_title_key", "title_key", where="title_key IS NOT NULL"
    ),
    _partial_index("ix_observation_text_key", "text_key", where="text_key IS NOT NULL"),
    sqlite_with_rowid=False,
)

unstable_identifier = Table(
    "unstable_identifier",
    metadata,
    # A source whose GUIDs or URLs change although the text does not. A strike is a poll in which they were
    # new for known texts, counted while consecutive. From `*_distrusted_at` on such keys are ignored.
    Column("source", Text, primary_key=True),  # `source.id`
    Column("guid_strikes", Integer, nullable=False),
    Column("url_strikes", Integer, nullable=False),
    Column("guids_distrusted_at", UtcTime),
    Column("urls_distrusted_at", UtcTime),
    sqlite_with_rowid=False,
)

rejected_input = Table(
    "rejected_input",
    metadata,
    # Input that could not become an entry: an empty file, a broken record, an address without a response.
    # Written by ingest, polls and pushes; deleted when the item is read successfully, and by retention.
    Column("source", Text, primary_key=True),
    # Path below the folder, path and record, or address
    Column("item", Text, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index(None, "at"),
)

api_token = Table(
    "api_token",
    metadata,
    # A token of the HTTP API. The secret is shown once and not stored.
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),  # unique among tokens that are not revoked
    # SHA-256 of the secret: 256 random bits need no salt
    Column("hash", LargeBinary, nullable=False),
    Column("scopes", Text, nullable=False),  # read, push, admin; joined by commas
    Column("created_at", UtcTime, nullable=False),
    Column("last_used_at", UtcTime),  # to the minute
    Column("revoked_at", UtcTime),
)

story = Table(
    "story",
    metadata,
    # One story. Rows are never deleted, because ids are permanent. Written by the writer.
    # Order of founding
    Column("story_no", BigInteger, primary_key=True, autoincrement=False),
    # Hash of `founding_article` and `founding_no`
    Column("id", Text, nullable=False, unique=True),
    Column("founding_article", Text, nullable=False),  # `article.id`
    # Stories that this article founded before
    Column("founding_no", Integer, nullable=False),
    # `id` of the successor; null: live; "": all of its articles were erased.
    Column("redirect_to", Text),
    Column("title", Text, nullable=False),  # the headline
    # `article.id` of the headline; null: unknown, or made from a lead
    Column("title_article", Text),
    Column("summary", Text, nullable=False),
    Column("language", Text),  # BCP 47 tag; of most of its reports
    # What it shows as plain text, for SQL; null: not yet rendered. Empty for a story of one article, whose
    # text the view shows, and for stories without texts (derived).
    Column("text", Text),
    Column("rendered", LargeBinary),  # model.core.StoryText: msgpack, zstd (derived)
    # First and last `effective_at` of its articles with a date; without any, of all (derived).
    Column("first_published", UtcTime, nullable=False),
    Column("last_published", UtcTime, nullable=False),
    # Time of the last bump, to the second; the microseconds are a serial number that makes it unique.
    Column("bumped_at", UtcTime, nullable=False),
    # Counts and flags of its articles (derived)
    Column("article_count", Integer, nullable=False),
    Column("outlet_count", Integer, nullable=False),
    Column("report_count", Integer, nullable=False),
    Column("unknown_outlet_count", Integer, nullable=False, server_default=text("0")),
    Column("container_only", Boolean, nullable=False, server_default=false()),
    # Of the article that was placed last (derived)
    Column("last_inbox_no", BigInteger, nullable=False),
    # Inbox number at which an article joined or left last; order of the second look. -1: copied by a run of
    # `recluster`, or older than the second look.
    Column(
        "membership_changed_no", BigInteger, nullable=False, server_default=text("0")
    ),
    # From which the counts are computed (stories/counting/counts.py); null: compute it from the articles (derived).
    Column("count_state", LargeBinary),
    # Lists are ordered by `bumped_at`: all live stories, and those with at least two and five reports. With
    # the id and the period, so that stories that a filter passes over are not read.
    *(
        _partial_index(
            f"ix_story_bumped_{least}",
            "bumped_at",
            "story_no",
            "id",
            "last_published",
            where=condition,
        )
        for least, condition in (
            (1, "redirect_to IS NULL"),
            (2, "redirect_to IS NULL AND report_count >= 2"),
            (5, "redirect_to IS NULL AND report_count >= 5"),
        )
    ),
    _partial_index(
        "ix_story_unrendered", "bumped_at", where="text IS NULL AND redirect_to IS NULL"
    ),
    _partial_index("ix_story_outlet_count", "outlet_count", where="outlet_count > 1"),
    _partial_index(
        "ix_story_last_published", "last_published", where="redirect_to IS NULL"
    ),
    _partial_index(
        "ix_story_report_count",
        "report_count",
        where="redirect_to IS NULL AND report_count >= 5",
    ),
    Index(None, "last_inbox_no"),
    Index(None, "membership_changed_no"),
    # A merge changes all redirects that lead to the merged story.
    _partial_index(
        "ix_story_redirect_to", "redirect_to", where="redirect_to IS NOT NULL"
    ),
    Index(None, "founding_article"),
    Index("ix_story_for_views", "id", "redirect_to", "report_count", "outlet_count"),
)

article = Table(
    "article",
    metadata,
    # One placed article. Written by the writer; a revision replaces the text in the same row.
    # Of the entry that it came from
    Column("inbox_no", BigInteger, primary_key=True, autoincrement=False),
    # Hash of the strongest identity key
    Column("id", Text, nullable=False, unique=True),
    # A source may reuse a key for another article: the articles of a key have the same root (the `id` of the
    # first one) and count up from generation 0.
    Column("root_article", Text, nullable=False),
    Column("generation", Integer, nullable=False, server_default=text("0")),
    Column("story", Text, ForeignKey("story.id"), nullable=False),  # the assigned story
    Column("role", Text, nullable=False),  # report | copy | excerpt | container
    # model.core.Kind
    Column("kind", Text, nullable=False, server_default=text("'report'")),
    Column("kind_evidence", Text),  # the evidence of it, for users; null for a report
    # Whether later articles are compared with it: of the copies of a text only the first.
    Column("is_compared", Boolean, nullable=False),
    # `id` of the near-duplicate that was found at placing; the original of the group is computed on reading.
    Column("copy_of", Text),
    # `id` of the article of another outlet that has many of the same words, found at placing where there is
    # no near-duplicate: one origin (`Evidence.reuse`).
    Column("reuses", Text),
    # `id` of the original as of the last rendering, for SQL (derived)
    Column("original", Text),
    # `story.id` of the earlier story that the story which this article founded continues, as of its placing.
    # A later merge of that story is followed on reading (v_follows).
    Column("follows", Text),
    Column("source", Text, nullable=False),  # `entry.source` of the first entry
    # Key of the outlet: its declared name, or its site or channel (extract/outlets.py). Null: unknown.
    Column("outlet", Text),
    # Name of the outlet as of the placing; null: equal to `outlet`
    Column("outlet_name", Text),
    Column("url", Text),
    Column("title", Text, nullable=False),
    Column("lead", Text, nullable=False),  # "" after the text was deleted by retention
    Column("text", Text),  # null: deleted by retention
    Column("language", Text),  # BCP 47 tag
    Column("author", Text),
    Column("published", UtcTime),
    # Feed | page | text | poll: where `published` is from
    Column("published_origin", Text),
    Column("published_precision", Text),  # minute | day
    Column("timezone_assumed", Boolean, nullable=False, server_default=false()),
    # Whether the date counts as declared: not one read in the text, which may be that of an event.
    Column("date_counts", Boolean, nullable=False, server_default=true()),
    Column("seen_at", UtcTime, nullable=False),  # when the first entry was accepted
    # The earlier of `published` and `seen_at`
    Column("effective_at", UtcTime, nullable=False),
    Column("wire", Text),  # name of the agency behind the text, if certain enough
    Column("details", LargeBinary),  # store.stories.articles.ArticleDetails: msgpack
    Column("verdict", Text, nullable=False),  # model.core.Verdict
    # MinHash; "": its text was deleted, or has no words
    Column("signature", LargeBinary, nullable=False),
    # grouping/pairs/term_codec.py; "": as of `signature`
    Column("terms", LargeBinary, nullable=False),
    # Likeness to its neighbours when it came (grouping/pairs/pair_features.py); null: it was not compared.
    Column("nearest", LargeBinary),
    Column("body_words", Integer, nullable=False),
    Column("text_hash", LargeBinary, nullable=False),  # of title and text
    # model.core.Evidence: msgpack, compressed (codecs.py)
    Column("evidence", LargeBinary, nullable=False),
    Column("placed_at", UtcTime, nullable=False),
    # Whether its first entry came from a feed
    Column("is_polled", Boolean, nullable=False),
    # False: the text agrees too little with the reports of its story (`Evidence.agreement`).
    Column("counts_as_report", Boolean, nullable=False, server_default=true()),
    # Whether its source had no standing when it came (store/stories/standing.py).
    Column("is_little_known", Boolean, nullable=False, server_default=false()),
    # `id` of the text of which this is another version: a copy, a text with many of its words or one of the
    # same outlet that tells a sentence differently. Which of them is the current one is computed on reading.
    Column("version_of", Text),
    # Key of the outlet of which only its sender says that it is: of another one than `outlet` if a feed links
    # to it, of the same if it was handed in beside feeds. Null: confirmed.
    Column("claimed_outlet", Text),
    # As people read it: model.core.ArticleHtml, msgpack, zstd. Null: its text in paragraphs is all of it.
    Column("html", LargeBinary),
    Column("record_id", Text),  # the `id` of its record in a file or a push; null: none
    Index(None, "story", "copy_of", "effective_at"),
    Index(None, "root_article", "generation"),
    Index(None, "copy_of"),
    # A covering index for queries of the SQL views over all articles, so that they read no texts.
    Index(
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
    _partial_index("ix_article_container", "effective_at", where="role = 'container'"),
    # Retention finds the oldest text, without reading the rows of those that are deleted.
    _partial_index(
        "ix_article_with_text", "inbox_no", "story", where="text IS NOT NULL"
    ),
    _partial_index("ix_article_original", "original", where="original IS NOT NULL"),
    _partial_index(
        "ix_article_follows", "follows", "story", where="follows IS NOT NULL"
    ),
    Index(None, "source", "seen_at"),
    Index(None, "effective_at"),
    _by_address("article", "url"),
    # With the story, so that a filter finds stories without reading articles.
    Index(None, "outlet", "story"),
    _partial_index(
        "ix_article_outlet_name",
        "outlet_name",
        "outlet",
        where="outlet_name IS NOT NULL",
    ),
    Index(None, "language", "story"),
    _partial_index("ix_article_kind", "kind", "story", where=OTHER_KINDS),
    _partial_index(
        "ix_article_claimed_outlet",
        "story",
        "claimed_outlet",
        "outlet",
        where="claimed_outlet IS NOT NULL",
    ),
)

TEXT_OR_EMPTY = func.coalesce(article.c.text, "").label("text")  # of an article

tombstone = Table(
    "tombstone",
    metadata,
    # An erased article. Its identity keys and observations stay as hashes, so that it is recognised and
    # refused. Written by `forget` and by retention.
    Column("article", Text, primary_key=True),  # former `article.id`
    Column("at", UtcTime, nullable=False),
    # Forgotten | retention
    Column("kind", Text, nullable=False, server_default="forgotten"),
    # Times it arrived again
    Column("rejected_count", Integer, nullable=False, server_default=text("0")),
    Column("rejected_at", UtcTime),  # the last time
    Index(None, "at"),
    sqlite_with_rowid=False,
)

outlet_line = Table(
    "outlet_line",
    metadata,
    # Hashes of the lines of an outlet's newest articles, from which learned boilerplate is counted
    # (grouping/outlets/boilerplate.py). Written by the writer.
    Column("outlet", Text, primary_key=True),  # the key of the outlet
    _article_key(),
    Column("lines", LargeBinary, nullable=False),  # signed 64-bit integers, sorted
    Index(None, "article"),
    sqlite_with_rowid=False,
)

stream_period = Table(
    "stream_period",
    metadata,
    # A stretch of the inbox, about a day long, that is closed: the counts of the articles in it do not
    # change any more (store/stories/stream_history.py). Written by the writer.
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # 1, 2, ...
    # Days since 1970, UTC, the day before the entry that ended it
    Column("day", Integer, nullable=False),
    # The last inbox number it covers
    Column("last_inbox_no", BigInteger, nullable=False),
    Column("articles", Integer, nullable=False),  # number of articles in it
    # Packed document frequencies; "": no longer needed
    Column("terms", LargeBinary, nullable=False),
)

source_history = Table(
    "source_history",
    metadata,
    # How often a source reports what others report (store/stories/stream_history.py). Decisions read the
    # `closed_*` columns, which are the counts as of the newest `stream_period`. Written by the writer.
    # `article.source`: no feed can declare that of another
    Column("source", Text, primary_key=True),
    Column("articles", BigInteger, nullable=False),
    # Articles that another outlet reported, too
    Column("matched", BigInteger, nullable=False),
    Column("closed_articles", BigInteger, nullable=False, server_default=text("0")),
    Column("closed_matched", BigInteger, nullable=False, server_default=text("0")),
    sqlite_with_rowid=False,
)

source_period = Table(
    "source_period",
    metadata,
    # The counts of `source_history` in one closed `stream_period`, for `recluster --since`. Written when the
    # period is closed.
    # `stream_period.number`
    Column("period", BigInteger, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("articles", BigInteger, nullable=False),
    Column("matched", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

standing = Table(
    "standing",
    metadata,
    # A closed `stream_period` in which a sender agreed with another outlet, at most three of each
    # (store/stories/standing.py). Written when the period is closed.
    Column("sender", Text, primary_key=True),
    # `stream_period.number`
    Column("period", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

sketch = Table(
    "sketch",
    metadata,
    # Sampled shingles, by which copies and excerpts of an article are found
    # (grouping/copies/sampled_shingles.py; derived). No row for an article that other copies already
    # represent. A table of its own, so that reading the sketches of the newest articles does not read their
    # texts.
    _article_key(),
    Column("hashes", LargeBinary, nullable=False),
)

story_subject = Table(
    "story_subject",
    metadata,
    # A name that several outlets use, or a topic by their categories (stories/names.py). Written with the
    # text that it shows, and kept when that is deleted (derived).
    # `story.story_no`
    Column("story_no", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),  # name | topic
    # From 0, the most important first
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False),  # in lower case, by which stories are found
    Column("label", Text, nullable=False),  # as most outlets write it
    Column("outlets", Integer, nullable=False),  # that use it
    Index("ix_story_subject_key", "kind", "key", "story_no"),
    sqlite_with_rowid=False,
)

story_link = Table(
    "story_link",
    metadata,
    # A related story: both have rare names in common. Written with the text of either (derived).
    # What a story follows is in `article.follows`; v_story_links has both.
    # `story.story_no`
    Column("story_no", BigInteger, primary_key=True, autoincrement=False),
    # Likewise
    Column("other_no", BigInteger, primary_key=True, autoincrement=False, index=True),
    sqlite_with_rowid=False,
)

story_log = Table(
    "story_log",
    metadata,
    # One line per decision about a story. Written by the writer with the decision.
    Column("log_no", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("story", Text, nullable=False),  # `story.id`
    Column("at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),  # LogKind in store/stories/placement_batch.py
    Column("article", Text),  # `article.id`
    Column("detail", Text),  # JSON object
    Index(None, "story", "log_no"),
    # For `forget`: all stories that an article was in.
    _partial_index("ix_story_log_article", "article", where="article IS NOT NULL"),
    _partial_index(
        "ix_story_log_headline", "story", "log_no", where="kind = 'headline'"
    ),
)

change = Table(
    "change",
    metadata,
    # The change stream, which update feeds and webhooks read: one row per bump, merge and split. Written with
    # the decision.
    # Never reused
    Column("change_no", BigInteger, primary_key=True, autoincrement=False),
    # `story.id` at that time; it may redirect now
    Column("story", Text, nullable=False),
    Column("at", UtcTime, nullable=False),  # when the row was written
    # The sort key, unique as `story.bumped_at`: the time of placing for polled and pushed articles, else the
    # effective time of the article.
    Column("bumped_at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),  # ChangeKind in model/read_model.py
    Column("article", Text),  # `article.id` of the added article
    # Ids of merged stories, or of the story that was split; joined by commas
    Column("others", Text),
    Column("title", Text, nullable=False),  # the headline after the change
    Column("title_before", Text),  # null: the headline did not change
    Column("report_count", Integer, nullable=False),  # after the change
    Index(None, "bumped_at", "change_no"),
    Index(None, "article"),
    Index(None, "story", "change_no"),
    _partial_index("ix_change_merged", "change_no", where="kind = 'merged'"),
)

reader = Table(
    "reader",
    metadata,
    # A person who reads with a client of the Google Reader API (store/read/read_marks.py). Written by the web
    # server at the first sign-in.
    Column("reader_no", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("name", Text, nullable=False, unique=True),  # lower case
    Column("created_at", UtcTime, nullable=False),
    # A story that was bumped no later is read
    Column("read_before", UtcTime, nullable=False),
    # Up to this change, merges were followed
    Column("last_change_no", BigInteger, nullable=False),
)

read_mark = Table(
    "read_mark",
    metadata,
    # What a reader did with one story, where `reader.read_before` does not say it. Written by the web server.
    Column(
        "reader",
        BigInteger,
        ForeignKey("reader.reader_no", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    # `story.story_no`
    Column("story", BigInteger, primary_key=True, autoincrement=False),
    # The story is read until a bump after this time; EARLIEST: unread; null: see `reader.read_before`.
    Column("read_to", UtcTime),
    Column("is_starred", Boolean, nullable=False),
    Column("labels", Text),  # of the reader, joined by line feeds; null: none
    sqlite_with_rowid=False,
)

mute = Table(
    "mute",
    metadata,
    # What the owner muted in the browser: stories leave his lists (store/read/muted.py). Written by the web
    # server.
    # Words | outlets | sources | kinds, as in `mute` of config.yaml
    Column("kind", Text, primary_key=True),
    # The word, `article.outlet`, `article.source` or `article.kind`.
    Column("muted", Text, primary_key=True),
    Column("name", Text, nullable=False),  # as people read it
    sqlite_with_rowid=False,
)

story_summary = Table(
    "story_summary",
    metadata,
    # The machine-written text of one story (`summarise:`, docs/summaries.md). Written by the daemon that is
    # the writer; valid while the facts of the story have this hash, deleted when an article of it is erased.
    # `story.story_no`
    Column("story", BigInteger, primary_key=True, autoincrement=False),
    # Of the sections that were given to the program
    Column("facts_hash", LargeBinary, nullable=False),
    Column("attempted_at", UtcTime, nullable=False),
    # In a row, with these facts; counted before the attempt
    Column("failures", Integer, nullable=False),
    # read_model.MachineSummary: msgpack, zstd; null: not written
    Column("summary", LargeBinary),
    Index(None, "attempted_at"),
)

webhook = Table(
    "webhook",
    metadata,
    # The state of each recipient of config.yaml: webhooks, notifications (`notify:NAME`), readers of the
    # digest (`digest:ADDRESS`), and the list of digests (`digest:`). Written by the daemon that delivers.
    Column("name", Text, primary_key=True),
    # SHA-256 of the URL; a new URL resets the failures
    Column("url_hash", LargeBinary, nullable=False),
    Column("is_configured", Boolean, nullable=False),  # false: removed from config.yaml
    # The last change that was examined for it
    Column("last_change_no", BigInteger, nullable=False),
    # Ok | failing | gone (410: no more requests)
    Column("state", Text, nullable=False),
    Column("problem", Text),  # of the last failure
    Column("failures", Integer, nullable=False),  # in a row
    Column("failing_since", UtcTime),
    Column("resumes_at", UtcTime),  # back-off: no request before
    Column("last_success_at", UtcTime),
)

outbox = Table(
    "outbox",
    metadata,
    # One delivery of a change to a recipient. Kept for some days after it ended: a webhook that was sent a
    # story is also sent its merge. Of a digest: the last of its changes, without a story.
    Column("webhook", Text, ForeignKey("webhook.name"), primary_key=True),
    # `change.change_no`
    Column("change", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),  # the same in every attempt
    Column("story", Text, nullable=False),  # `story.id` at that time
    # JSON, zstd; null unless waiting, or in the list of digests
    Column("body", LargeBinary),
    Column("state", Text, nullable=False),  # waiting | done | given_up
    Column("at", UtcTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_attempt_at", UtcTime),
    Column("next_attempt_at", UtcTime, nullable=False),
    Column("done_at", UtcTime),
    Column("problem", Text),
    Index(None, "webhook", "state", "change"),
    Index(None, "webhook", "story"),
    Index(None, "done_at"),
)

correction = Table(
    "correction",
    metadata,
    # A correction by a person. It binds every later decision until it is undone. Written by the writer.
    Column(
        "correction_no", BigInteger().with_variant(Integer, "sqlite"), primary_key=True
    ),
    Column("at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),  # merge | split | move
    Column("undone_at", UtcTime),
    # What it changed, for undoing it: JSON, CorrectionDetail in store/stories/corrections.py.
    Column("detail", Text, nullable=False),
)

link_constraint = Table(
    "link_constraint",
    metadata,
    # The constraints of a correction. Must-link: its articles with the relation "together" belong to one
    # story. Cannot-link: no article with "apart" on side 0 is in a story with one on side 1. Rows name
    # articles only, so they also hold when the articles are clustered again.
    Column(
        "correction",
        BigInteger,
        ForeignKey("correction.correction_no"),
        primary_key=True,
    ),
    Column("article", Text, primary_key=True),  # `article.id`
    Column("relation", Text, primary_key=True),  # together | apart
    Column("side", Integer, nullable=False),  # 0 | 1
    Index(None, "article"),
)

command = Table(
    "command",
    metadata,
    # A command for the writer from another process. Added by the command line or the API; answered by the
    # writer.
    Column(
        "command_no", BigInteger().with_variant(Integer, "sqlite"), primary_key=True
    ),
    Column("at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),  # CommandKind in store/stories/commands.py
    Column("payload", Text, nullable=False),  # JSON
    Column("state", Text, nullable=False),  # waiting | done | refused
    Column("result", Text),  # JSON; the reason if refused
    Column("done_at", UtcTime),
    Index(None, "state", "command_no"),
)
