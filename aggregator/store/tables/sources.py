"""Sources and folders, their known items, and input of them that could not be read."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    false,
    func,
)

from aggregator.store.tables.columns import UtcTime, flag, from_zero, metadata

source = Table(
    "source",
    metadata,
    # One feed or watched folder. Rows are added from config.yaml and by `aggregator sources`; their state is
    # written after each poll.
    # Hash of kind and name, or of kind and address without a name
    Column("id", Text, primary_key=True),
    # A key of config.source_settings.SourceAddress
    Column("kind", Text, nullable=False),
    Column("address", Text, nullable=False),  # URL, or absolute path of a folder
    # Name as configured, or from an imported list
    Column("name", Text),
    # folders: `folder.name`, which is `entry.source` of its entries
    Column("folder_name", Text),
    # Configured outlet; replaces the outlet that entries declare
    Column("outlet", Text),
    Column("folder", Text),  # feeds: the group that the source is filed in
    # Configured language: BCP 47 tag
    Column("language", Text),
    # Configured time zone: IANA name, for times without a zone
    Column("timezone", Text),
    # The source's own interval, else the configured one at the last start
    Column("interval_seconds", Integer, nullable=False),
    flag("has_own_interval", false()),
    # The interval that was computed from the rate of new entries, in seconds; 0: not computed yet.
    from_zero("adaptive_interval_seconds", Float),
    # auto | always | never: whether pages of entries are fetched
    Column("pages", Text, nullable=False),
    # config | user | import: from config.yaml, typed, or from an imported list
    Column("origin", Text, nullable=False),
    flag("paused", false()),
    # Title that the feed declares
    Column("title", Text),
    # Home page as the imported list states it, else as the feed declares it
    Column("site_url", Text),
    # ETag of the last response, for conditional requests
    Column("etag", Text),
    # Last-Modified of the last response, for conditional requests
    Column("last_modified", Text),
    # Hash of the last response body: an equal body is not parsed again
    Column("body_hash", LargeBinary),
    # Folders: sizes and modification times of the files at the last poll; msgpack, zstd.
    Column("folder_state", LargeBinary),
    flag("first_poll_done", false()),
    Column("next_due_at", UtcTime, nullable=False),
    Column("last_polled_at", UtcTime),
    Column("last_success_at", UtcTime),
    # Number of failures in a row
    from_zero("failures"),
    # new | ok | failing | gone | merged
    Column("health", Text, nullable=False, server_default="new"),
    # "cause: detail", see store/read/health/source_health.py
    Column("health_cause", Text),
    # Totals since it was added
    from_zero("entries_new", BigInteger),
    from_zero("entries_known", BigInteger),
    from_zero("entries_rejected", BigInteger),
    # feeds: the host that is polled; all feeds of a host share a rate limiter
    Column("host", Text),
    # Polled instead of `address` after a confirmed permanent redirect
    Column("redirected_url", Text),
    # Target of a permanent redirect that is not confirmed yet
    Column("moved_to", Text),
    # Redirects to it in a row
    from_zero("moved_count"),
    Column("moved_since", UtcTime),
    # The target had a known entry
    flag("move_confirmed", false()),
    Column("merged_into", Text),  # `id` of the source that already had the address
    # Responses 410 in a row
    from_zero("gone_count"),
    Column("gone_since", UtcTime),
    # Interval that the feed requests; 0: none
    from_zero("ttl_seconds", Float),
    # New entries per day, an exponentially decaying mean as of `per_day_at`.
    from_zero("per_day", Float),
    Column("per_day_at", UtcTime),
    Column("last_new_at", UtcTime),
    Column("flooded_at", UtcTime),  # when many old entries arrived at once
    # Number of those entries
    from_zero("flood_entries"),
    Column("failing_since", UtcTime),
    Index(None, "paused", "next_due_at"),
)

# `entry.source` of the entries of a source: a watched folder has the name that `ingest` gives it.
ENTRY_SOURCE = func.coalesce(source.c.folder_name, source.c.id)

known_items = Table(
    "known_items",
    metadata,
    # The items of a polled feed, which are not read again while their bytes are the same
    # (store/intake/known_items.py). Written by the transaction that accepts the entries of a poll.
    Column("source", Text, primary_key=True),  # `source.id`
    Column("packed", LargeBinary, nullable=False),  # known_items.KnownItems: msgpack
    sqlite_with_rowid=False,
)

source_access = Table(
    "source_access",
    metadata,
    # Headers, selectors and proxy that were typed in the browser for a source (store/intake/source_access.py).
    # Secret: left out of exports.
    Column("source", Text, primary_key=True),  # `source.id`
    # URL whose origin receives the headers
    Column("address", Text, nullable=False),
    Column("headers", LargeBinary, nullable=False),  # values by name: msgpack
    # Selectors of a page: list, link, title, date; msgpack
    Column("selectors", LargeBinary, nullable=False),
    # "": the proxy of `fetch.proxy`, or none
    Column("proxy", Text, nullable=False, server_default=""),
    sqlite_with_rowid=False,
)

folder = Table(
    "folder",
    metadata,
    # The name of each watched or ingested folder, which is `entry.source` of its files. It is the last part
    # of the path, so a folder that was moved keeps its articles; a second folder of that name gets "#2".
    Column("name", Text, primary_key=True),
    Column("path", Text, nullable=False, unique=True),  # absolute
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
