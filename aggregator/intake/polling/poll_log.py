"""Logs what a poll changes about a source."""

import logging
from collections.abc import Sequence

from aggregator.config.messages import counted
from aggregator.intake.polling.poll_decision import (
    PollOutcome,
)
from aggregator.store.intake.sources import (
    Source,
)

log = logging.getLogger(__name__)


def log_changes(
    before: Source,
    outcome: PollOutcome,
    target: str | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Log what is new about a source; `target`: of its permanent redirects, `notes`: on its entries."""
    after, name = outcome.source, outcome.source.shown_name

    def report(level: int, event: str, words: str, *values: object) -> None:
        log.log(level, words, *values, extra={"event": event, "source": after.id})

    for note in notes:
        report(logging.INFO, "unstable_identifiers_found", "%s: %s", name, note)
    if outcome.own_time:
        count = counted(len(outcome.own_time), "old entry", "old entries")
        words = "%s: %s at once; stored, not announced"
        report(logging.WARNING, "old_entries_found", words, name, count)
    if after.merged_into is not None:
        words = "%s moved permanently to %s, which is a source already"
        report(logging.INFO, "source_merged", words, name, target)
    elif after.health == "gone":
        words = "%s is gone permanently (410); it is no longer polled"
        report(logging.WARNING, "source_gone", words, name)
    elif after.redirected_url == before.redirected_url:
        return
    elif after.redirected_url is not None:
        words = "%s moved permanently to %s, where it is polled now"
        report(logging.INFO, "source_moved", words, name, target)
    else:
        words = "%s: %s fails for days; %s is polled"
        values = name, before.redirected_url, after.address
        report(logging.INFO, "source_address_reverted", words, *values)
