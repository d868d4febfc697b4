"""Logs the changes that a poll makes to a source."""

import logging

from aggregator.config.messages import counted
from aggregator.intake.polling.poll_decision import (
    PollOutcome,
)
from aggregator.store.intake.source_rows import (
    Source,
)

log = logging.getLogger(__name__)


def log_changes(
    before: Source,
    outcome: PollOutcome,
    target: str | None = None,
    *,
    has_void_keys: bool = False,
) -> None:
    """Log the news about a source; `target` is that of its redirects, `has_void_keys` concerns its entries."""
    name = outcome.source.shown_name
    if has_void_keys:
        log.info(
            "%s: different entries share a GUID or an address: it is ignored",
            name,
            extra={"event": "unstable_identifiers_found", "source": before.id},
        )
    if outcome.own_time:
        log.warning(
            "%s: %s at once; stored, not announced",
            name,
            counted(len(outcome.own_time), "old entry", "old entries"),
            extra={"event": "old_entries_found", "source": before.id},
        )
    after = outcome.source
    if after.merged_into is not None:
        log.info(
            "%s moved permanently to %s, which is a source already",
            name,
            target,
            extra={"event": "source_merged", "source": after.id},
        )
    elif after.health == "gone":
        log.warning(
            "%s is gone permanently (410); it is no longer polled",
            name,
            extra={"event": "source_gone", "source": after.id},
        )
    elif after.redirected_url == before.redirected_url:
        return
    elif after.redirected_url is not None:
        log.info(
            "%s moved permanently to %s, where it is polled now",
            name,
            target,
            extra={"event": "source_moved", "source": after.id},
        )
    else:
        log.info(
            "%s: %s fails for days; %s is polled",
            name,
            before.redirected_url,
            after.address,
            extra={"event": "source_address_reverted", "source": after.id},
        )
