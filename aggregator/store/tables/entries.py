"""Accepted entries, and the hashes that identify them."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
    false,
)

from aggregator.store.tables.columns import (
    UtcTime,
    by_address,
    flag,
    from_zero,
    metadata,
    number_key,
    required,
    text_key,
)

entry = Table(
    "entry",
    metadata,
    # An accepted entry. The process that polls, ingests or receives the entry adds it, and the writer finishes it. The
    # writer drops the page then; the payload and the addresses are cleared later, if the article repeats them
    # (store/maintenance/expired_rows.py).
    # Order of acceptance
    number_key("entry_no"),
    # Order of placing. Null until the writer has put the entry in order, after its page was fetched, if it waits for
    # one. The end of a first reading may change the number once.
    Column("inbox_no", BigInteger, unique=True),
    # page: its page is to be fetched; ready: waits to be placed; done: placed; refused: not placed
    required("state", Text),
    # `source.id`, a folder's name, or as the record declared
    required("source", Text),
    required("article", Text),  # `article.id`, from the identity keys
    flag("is_revision", false()),
    Column("url", Text),  # null: none, or equal to `article.url` (after retention)
    # The declared Entry: msgpack, zstd; "" when dropped
    required("payload", LargeBinary),
    Column("page", LargeBinary),  # fetched page: zstd; null when the entry is done
    Column("page_url", Text),  # after redirects
    # Charset from the header Content-Type
    Column("page_charset", Text),
    # Restrictions from response headers (extract/html/robots_meta.py)
    Column("page_robots", Text),
    Column("page_due_at", UtcTime),  # state page: when the page may be fetched
    from_zero("page_attempts"),
    # true: the article bumps its story at the time of placing (polled, pushed); false: at its own time
    flag("bump_by_clock", false()),
    required("accepted_at", UtcTime),
    Column("done_at", UtcTime),
    Column("verdict", Text),  # model.prepared.Verdict, "forgotten" or "muted"
    Column("reason", Text),  # why it was refused, or why its page was not used
    Column("outcome", Text),  # founded | joined | copy | revised | unchanged | refused
    # Verdict on a page that was not used, so that the text of the entry was used
    Column("page_verdict", Text),
    Index("ix_entry_source_verdict", "source", "verdict", "page_verdict"),
    Index(None, "state", "inbox_no"),
    Index(None, "state", "page_due_at"),
    Index(None, "article"),
    # `forget` finds entries by address. The address of most entries is only in `article.url`.
    by_address("entry", "url"),
    by_address("entry", "page_url"),
)

intake_count = Table(
    "intake_count",
    metadata,
    # Received entries by source and outcome (`acceptance.count_received`). Written by the transaction that
    # accepts them.
    text_key("source"),  # `entry.source`
    text_key("outcome"),  # new | revision | known | forgotten
    required("count", BigInteger),
    # Rows of `entry` with this source and outcome that were deleted since
    from_zero("deleted", BigInteger),
    sqlite_with_rowid=False,
)

identity_key = Table(
    "identity_key",
    metadata,
    # A 16-byte hash that identifies an entry: of its source and GUID, its canonical URL, or its outlet and text
    # (extract/entry_identity.py). Written when an entry is accepted, and when a page states its address.
    Column("key", LargeBinary, primary_key=True),
    # `article.id`; "": the key is void, because different entries share it
    required("article", Text),
    Index(None, "article"),
    sqlite_with_rowid=False,
)

observation = Table(
    "observation",
    metadata,
    # An article as one source shows it. Written when an entry is accepted.
    text_key("article"),  # `article.id`
    text_key("source"),  # `entry.source`
    # The last two contents that a polled source showed, 8 bytes of the hash of each, the newer last; up to 64 contents
    # of a source that hands in files. Empty: the row was stored by an older version, so the next content of the
    # source does not count as a change.
    required("contents", LargeBinary),
    required("changed_at", UtcTime),  # when the newest content was accepted
    # How often the source has changed the article
    from_zero("changes"),
    sqlite_with_rowid=False,
)
