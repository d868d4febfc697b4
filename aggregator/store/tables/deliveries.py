"""Recipients of changes, and deliveries to them."""

from datetime import datetime
from typing import Annotated, Literal

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

from aggregator.model.structs import FrozenStruct
from aggregator.store.tables.columns import (
    UtcTime,
    columns_of,
    metadata,
    number_key,
    required,
)


class WebhookState(FrozenStruct, omit_defaults=False):
    """The state of a recipient of config.yaml: ok, failing, or gone (it answered 410; nothing is sent any more).

    Recipients are webhooks, notifications (`notify:NAME`), readers of the digest (`digest:ADDRESS`), and the
    list of digests (`digest:`). Written by the daemon that delivers.
    """

    name: str
    is_configured: bool  # false: removed from config.yaml
    # The last change that was examined for the recipient
    last_change_no: Annotated[int, BigInteger]
    state: Literal["ok", "failing", "gone"]
    # Message of the last failure
    problem: str | None = None
    # Number of failures in a row
    failures: int
    failing_since: datetime | None = None
    # Back-off: no request is sent before this time
    resumes_at: datetime | None = None
    last_success_at: datetime | None = None


_name, *_state = columns_of(WebhookState, key="name")

webhook = Table(
    "webhook",
    metadata,
    _name,
    # SHA-256 of the URL; a new URL resets the failures
    required("url_hash", LargeBinary),
    *_state,
)

outbox = Table(
    "outbox",
    metadata,
    # A delivery of a change to a recipient. It is kept for some days after it ended, because a webhook that was sent a
    # story is also sent its merge. The row of a digest has the last change of its span, and "" as its story.
    Column("webhook", Text, ForeignKey("webhook.name"), primary_key=True),
    # `change.change_no`
    number_key("change"),
    required("id", Text),  # the same in every attempt
    required("story", Text),  # `story.id` at that time
    # The span of a digest as JSON, zstd; other messages are written when they are sent
    Column("body", LargeBinary),
    required("state", Text),  # waiting | done | given_up
    required("at", UtcTime),
    required("attempts", Integer),
    Column("first_attempt_at", UtcTime),
    required("next_attempt_at", UtcTime),
    Column("done_at", UtcTime),
    Column("problem", Text),
    Index(None, "webhook", "state", "change"),
    Index(None, "webhook", "story"),
    Index(None, "done_at"),
)
