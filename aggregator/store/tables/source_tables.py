"""Sources and folders, their known items, and their inputs that could not be read."""

from datetime import datetime
from typing import Annotated, Literal

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
)

from aggregator.model.entry import FetchPages
from aggregator.model.structs import FrozenStruct
from aggregator.store.tables.columns import (
    UtcTime,
    columns_of,
    metadata,
    required,
    text_key,
)


class SourceRow(FrozenStruct):
    """One feed, page, mailbox or watched folder, from config.yaml or `aggregator sources`.

    Its state is written after each poll.
    """

    # Hash of kind and name, or of kind and address without a name
    id: str
    # A key of config.source_settings.SourceAddress
    kind: str
    # URL, or absolute path of a folder
    address: str
    # Name as configured, or from an imported list
    name: str | None = None
    # folders: `folder.name`, which is `entry.source` of its entries
    folder_name: str | None = None
    # Configured outlet; replaces the outlet that entries declare
    outlet: str | None = None
    # feeds: the group that the source is filed in
    folder: str | None = None
    # Configured language: BCP 47 tag
    language: str | None = None
    # Configured time zone of times without a zone: IANA name
    timezone: str | None = None
    # The source's own interval, or the default interval that was configured at the last start
    interval_seconds: int
    has_own_interval: bool = False
    # The interval that was computed from the rate of new entries, in seconds; 0: not computed yet.
    adaptive_interval_seconds: float = 0.0
    pages: FetchPages = "auto"
    # From config.yaml, typed, or from an imported list
    origin: Literal["config", "user", "import"] = "user"
    paused: bool = False
    # Title that the feed declares
    title: str | None = None
    # Web site as the imported list states it, otherwise as the feed declares it
    site_url: str | None = None
    # ETag of the last response, for conditional requests
    etag: str | None = None
    # Last-Modified of the last response, for conditional requests
    last_modified: str | None = None
    # Hash of the last response body: an equal body is not parsed again
    body_hash: bytes | None = None
    # Folders: sizes and modification times of the files at the last poll; msgpack, zstd.
    folder_state: bytes | None = None
    first_poll_done: bool = False
    next_due_at: datetime
    last_polled_at: datetime | None = None
    last_success_at: datetime | None = None
    # Number of failures in a row
    failures: int = 0
    health: Literal["new", "ok", "failing", "gone", "merged"] = "new"
    # "cause: detail", see store/read/health/source_health.py
    health_cause: str | None = None
    # Totals since it was added
    entries_new: Annotated[int, BigInteger] = 0
    entries_known: Annotated[int, BigInteger] = 0
    entries_rejected: Annotated[int, BigInteger] = 0
    # feeds: the host that is polled; all feeds of a host share a rate limiter
    host: str | None = None
    # Polled instead of `address` after a confirmed permanent redirect
    redirected_url: str | None = None
    # Target of a permanent redirect that is not confirmed yet
    moved_to: str | None = None
    # Polls in a row that were redirected to `moved_to`
    moved_count: int = 0
    moved_since: datetime | None = None
    # Whether the target had a known entry
    move_confirmed: bool = False
    # `id` of the source that already had the address
    merged_into: str | None = None
    # 410 responses in a row
    gone_count: int = 0
    gone_since: datetime | None = None
    # Interval that the feed requests; 0: none
    ttl_seconds: float = 0.0
    # New entries per day, an exponentially decaying mean as of `per_day_at`.
    per_day: float = 0.0
    per_day_at: datetime | None = None
    last_new_at: datetime | None = None
    # When many old entries arrived at once
    flooded_at: datetime | None = None
    # Number of these old entries
    flood_entries: int = 0
    failing_since: datetime | None = None
    # The address that the feed declares as its own (rel=self)
    self_url: str | None = None


source = Table(
    "source",
    metadata,
    *columns_of(SourceRow, key="id", always=("pages", "origin")),
    Index(None, "paused", "next_due_at"),
)

JOIN_SOURCE = """
    JOIN source ON source.id = coalesce((SELECT id FROM source AS fed WHERE fed.id = article.source),
      (SELECT id FROM source AS watched WHERE watched.folder_name = article.source ORDER BY paused, id LIMIT 1))
    """
"""SQL text that joins the source of an article, so that the database looks each source up by its key.

A watched folder that was moved is another source with the same folder name. The former source is paused, so that the
new one is chosen.
"""

known_items = Table(
    "known_items",
    metadata,
    # The items of a polled feed, which are not read again while their bytes are the same
    # (store/intake/known_item_rows.py). Written by the transaction that accepts the entries of a poll.
    text_key("source"),  # `source.id`
    required("packed", LargeBinary),  # store.intake.known_item_rows.KnownItems: msgpack
    sqlite_with_rowid=False,
)

source_access = Table(
    "source_access",
    metadata,
    # Headers, selectors and proxy that were typed in the browser for a source (store/intake/source_access_rows.py).
    # Secret: left out of exports.
    text_key("source"),  # `source.id`
    # URL whose origin receives the headers
    required("address", Text),
    required("headers", LargeBinary),  # values by name: msgpack
    # Selectors of a page: list, link, title, date; msgpack
    required("selectors", LargeBinary),
    # "": the proxy of `fetch.proxy`, or none
    Column("proxy", Text, nullable=False, server_default=""),
    sqlite_with_rowid=False,
)

folder = Table(
    "folder",
    metadata,
    # The name of each watched or ingested folder, which is the `entry.source` of its files. It is the last part of the
    # path, so a folder that was moved keeps its articles. A second folder with the same last part gets "#2".
    text_key("name"),
    Column("path", Text, nullable=False, unique=True),  # absolute
)

rejected_input = Table(
    "rejected_input",
    metadata,
    # Input that could not become an entry: an empty file, a broken record, an address without a response.
    # Written by ingest and polls. Deleted when the item is read successfully, and by retention.
    text_key("source"),
    # Path below the folder, path and record, or address
    text_key("item"),
    required("verdict", Text),
    required("reason", Text),
    required("at", UtcTime),
    Index(None, "at"),
)
