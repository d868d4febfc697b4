"""Logs what a poll changes about a source."""

import logging

from aggregator.config.messages import counted
from aggregator.intake.polling.poll_decision import (
    PollOutcome,
)
from aggregator.store.intake.sources import (
    Source,
)

log = logging.getLogger(__name__)


def log_changes(
    before: Source, outcome: PollOutcome, target: str | None = None
) -> None:
    """Log what is new about a source; `target`: of its permanent redirects."""
    after, name = outcome.source, outcome.source.shown_name
    if outcome.own_time:
        said = counted(len(outcome.own_time), "old entry", "old entries")
        words = "%s: %s at once; stored, not announced"
        log.warning(
            words, name, said, extra={"event": "old_entries_found", "source": after.id}
        )
    if after.merged_into is not None:
        words = "%s moved permanently to %s, which is a source already"
        log.info(
            words, name, target, extra={"event": "source_merged", "source": after.id}
        )
    elif after.health == "gone":
        words = "%s is gone permanently (410); it is no longer polled"
        log.warning(words, name, extra={"event": "source_gone", "source": after.id})
    elif after.redirected_url == before.redirected_url:
        return
    elif after.redirected_url is not None:
        words = "%s moved permanently to %s, where it is polled now"
        log.info(
            words, name, target, extra={"event": "source_moved", "source": after.id}
        )
    else:
        words = "%s: %s fails for days; %s is polled"
        reverted = (name, before.redirected_url, after.address)
        log.info(
            words,
            *reverted,
            extra={"event": "source_address_reverted", "source": after.id},
        )
