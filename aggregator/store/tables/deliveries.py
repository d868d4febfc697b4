"""Recipients of changes, and deliveries to them."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from aggregator.store.tables.columns import UtcTime, flag, metadata, number_key

webhook = Table(
    "webhook",
    metadata,
    # The state of each recipient of config.yaml: webhooks, notifications (`notify:NAME`), readers of the
    # digest (`digest:ADDRESS`), and the list of digests (`digest:`). Written by the daemon that delivers.
    Column("name", Text, primary_key=True),
    # SHA-256 of the URL; a new URL resets the failures
    Column("url_hash", LargeBinary, nullable=False),
    flag("is_configured"),  # false: removed from config.yaml
    # The last change that was examined for it
    Column("last_change_no", BigInteger, nullable=False),
    # ok | failing | gone (410: no more requests)
    Column("state", Text, nullable=False),
    # Message of the last failure
    Column("problem", Text),
    # Number of failures in a row
    Column("failures", Integer, nullable=False),
    Column("failing_since", UtcTime),
    Column("resumes_at", UtcTime),  # back-off: no request before
    Column("last_success_at", UtcTime),
)

outbox = Table(
    "outbox",
    metadata,
    # One delivery of a change to a recipient. Kept for some days after it ended: a webhook that was sent a
    # story is also sent its merge. The row of a digest names the last of its changes, without a story.
    Column("webhook", Text, ForeignKey("webhook.name"), primary_key=True),
    # `change.change_no`
    number_key("change"),
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
